//! Which table of each view is read, followed by every process that reads.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::View;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Generations, Table, ViewError, ViewStore};

/// Between two looks: readers follow a switch within two seconds.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a reader waits for the first look of its process.
const FIRST_LOOK: Duration = Duration::from_secs(2);

type Tables = HashMap<&'static str, Table>;

/// Names the tables that are read.
#[derive(Clone)]
pub struct Live {
    tables: watch::Receiver<Tables>,
}

impl Live {
    /// Follows `views` in `store`: what has to run until `stop`, and who is told. While the store
    /// does not answer, what was read last stays.
    pub fn follow(
        store: Arc<dyn ViewStore>,
        views: &'static [&'static dyn View],
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (told, tables) = watch::channel(Tables::new());
        let follow = async move {
            loop {
                for view in views {
                    look(store.as_ref(), *view, &told).await;
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sleep(LOOK_EVERY) => {}
                }
            }
        };
        (Self { tables }, follow)
    }

    /// The table of a view that is read now.
    ///
    /// # Errors
    /// [`ViewError::Unavailable`] where that was never heard.
    pub async fn table(&self, view: &'static dyn View) -> Result<Table, ViewError> {
        let name = view.schema().name;
        let mut tables = self.tables.clone();
        let known = tables.wait_for(|tables| tables.contains_key(name));
        let known = timeout(FIRST_LOOK, known).await;
        let table = known.ok().and_then(Result::ok);
        let table = table.and_then(|tables| tables.get(name).cloned());
        let unknown = || format!("nobody knows yet which table of {name} is read");
        table.ok_or_else(|| ViewError::Unavailable(unknown()))
    }
}

async fn look(store: &dyn ViewStore, view: &'static dyn View, told: &watch::Sender<Tables>) {
    let schema = view.schema();
    let generations = match Generations::of_view(store, schema).await {
        Ok(generations) => generations,
        Err(e) => {
            tracing::debug!(view = schema.name, error = %e, "which table is read is not known");
            return;
        }
    };
    let Some(live) = generations.live() else {
        return;
    };
    let table = live.table(schema);
    told.send_if_modified(|tables| {
        let before = tables.insert(schema.name, table.clone());
        let changed = before.as_ref() != Some(&table);
        if changed && before.is_some() {
            tracing::info!(view = schema.name, table = table.name, "reads go there now");
        }
        changed
    });
}
