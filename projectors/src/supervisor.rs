//! Feeds every generation of a view that is to be fed, and clears away what nobody needs any more.
//!
//! How the generations stand is looked at every second. While that cannot be read, those that are fed
//! stay fed.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::View;
use domain::values::Timestamp;
use infra::clock;
use infra::tasks::Tasks;
use infra::view_store::{Generation, Generations, State, Table, ViewError};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{Projector, Views};

/// Between two looks: how long a generation waits for its projector.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a table outlives its generation: whoever has begun to read it has ended by then.
const REMOVED_AFTER: Duration = Duration::from_secs(30);

/// Keeps a view until `tasks` are asked to end.
pub async fn run(views: Views, view: &'static dyn View, tasks: Tasks) {
    let stop = tasks.stopping();
    let mut supervisor = Supervisor {
        views,
        view,
        tasks,
        fed: BTreeMap::new(),
        outdated: None,
    };
    let mut problem = None;
    loop {
        let looked = supervisor.look().await.err().map(|e| e.to_string());
        if let (Some(e), None) = (&looked, &problem) {
            let view = view.schema().name;
            tracing::warn!(view, error = e, "nobody can say which tables are to be fed");
        }
        problem = looked;
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

struct Supervisor {
    views: Views,
    view: &'static dyn View,
    tasks: Tasks,
    /// What ends the projector of each generation that has one.
    fed: BTreeMap<u32, CancellationToken>,
    /// The older revision of the live generation, where it was told.
    outdated: Option<u32>,
}

impl Supervisor {
    async fn look(&mut self) -> Result<(), ViewError> {
        let generations = self.stored().await?;
        self.fed.retain(|number, stop| {
            let fed = generations.of(*number).is_some_and(Generation::is_fed);
            if !fed {
                stop.cancel();
            }
            fed
        });
        // Of what a newer program has made, this one knows only some columns.
        let todays = self.view.schema().revision;
        let fed = |of: &&Generation| of.is_fed() && of.revision <= todays;
        for generation in generations.all.iter().filter(fed) {
            if !self.fed.contains_key(&generation.number) {
                self.feed(generation);
            }
        }
        self.tell_revision(&generations);
        self.tidy(&generations).await
    }

    /// Says for the first time how the generations stand where nobody has.
    async fn stored(&self) -> Result<Generations, ViewError> {
        let Views { store, .. } = &self.views;
        let schema = self.view.schema();
        if let Some(stored) = store.generations(schema.name).await? {
            return Ok(stored);
        }
        let first = Generations::first(schema, clock::now());
        // Somebody else may say it at the same time.
        store.replace_generations(schema.name, &first).await?;
        self.views.generations(self.view).await
    }

    fn feed(&mut self, generation: &Generation) {
        let schema = self.view.schema();
        let Views {
            bus,
            store,
            parked,
            logs,
            ..
        } = self.views.clone();
        let projector = Projector {
            view: self.view,
            table: generation.table(schema),
            group: generation.group(schema),
            bus,
            store,
            parked,
            logs,
        };
        let stop = self.tasks.stopping().child_token();
        self.tasks.spawn("projector", projector.run(stop.clone()));
        self.fed.insert(generation.number, stop);
    }

    /// What is read was folded by another `project`: its old rows are as that one wrote them.
    fn tell_revision(&mut self, generations: &Generations) {
        let schema = self.view.schema();
        let Some(live) = generations.live() else {
            return;
        };
        let outdated = (live.revision < schema.revision).then_some(live.revision);
        let gauge = metrics::gauge!("waybill_view_outdated", "view" => schema.name);
        gauge.set(f64::from(u8::from(outdated.is_some())));
        if let Some(revision) = outdated.filter(|_| outdated != self.outdated) {
            tracing::warn!(
                view = schema.name,
                generation = live.number,
                revision,
                todays = schema.revision,
                "revision changed: run `waybill rebuild {}`",
                schema.name
            );
        }
        self.outdated = outdated;
    }

    async fn tidy(&self, generations: &Generations) -> Result<(), ViewError> {
        let now = clock::now();
        let kept = self.views.kept_for;
        let over = |of: &&Generation| of.state == State::Kept && is_over(of.since, kept, now);
        for generation in generations.all.iter().filter(over) {
            let number = generation.number;
            let change = |all: &mut Generations| {
                if all.of(number).is_some_and(|of| of.state == State::Kept) {
                    all.set(number, State::Dropped, now);
                }
                Ok::<_, ViewError>(())
            };
            self.views.change(self.view, change).await?;
        }
        let gone =
            |of: &&Generation| of.state == State::Dropped && is_over(of.since, REMOVED_AFTER, now);
        for generation in generations.all.iter().filter(gone) {
            let (number, since) = (generation.number, generation.since);
            // One process at a time: changes of a schema that are made in two places at once may
            // never come to agree.
            let change = |all: &mut Generations| {
                let same = all.of(number).is_some_and(|of| of.since == since);
                if same {
                    all.set(number, State::Dropped, now);
                }
                Ok::<_, ViewError>(same)
            };
            if self.views.change(self.view, change).await? {
                let table = generation.table(self.view.schema());
                let remove = remove(self.views.clone(), self.view, number, table);
                self.tasks.spawn("remove table", remove);
            }
        }
        Ok(())
    }
}

/// Removes a table; where that fails somebody tries again.
async fn remove(views: Views, view: &'static dyn View, number: u32, table: Table) {
    let removed = async {
        views.store.remove(&table).await?;
        let forget = |all: &mut Generations| {
            all.all.retain(|of| of.number != number);
            Ok::<_, ViewError>(())
        };
        views.change(view, forget).await
    };
    match removed.await {
        Ok(()) => tracing::info!(table = table.name, "removed"),
        Err(e) => tracing::warn!(table = table.name, error = %e, "cannot be removed yet"),
    }
}

fn is_over(since: Timestamp, after: Duration, now: Timestamp) -> bool {
    u128::from(now.ms_since(since)) >= after.as_millis()
}
