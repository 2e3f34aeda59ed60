//! The workers that keep the views: facts in, cells out.

mod projector;
mod router;

use std::sync::Arc;

use domain::{View, view};
use infra::bus::Bus;
use infra::event_store::{EventStore, ParkedRows};
use infra::tasks::Tasks;
use infra::view_store::{Table, ViewStore};

pub use projector::Projector;
pub use router::router;

/// The table that readers of a view read, and the consumer group that feeds it.
pub fn live_table(view: &dyn View) -> (Table, String) {
    let name = view.schema().name;
    let table = Table {
        name: name.to_owned(),
    };
    (table, format!("{name}-g1"))
}

/// Keeps every view, each by a projector of its own; facts that were parked are read in `logs`
/// when they are taken up again.
pub fn run(
    bus: &Arc<dyn Bus>,
    store: &Arc<dyn ViewStore>,
    parked: &Arc<dyn ParkedRows>,
    logs: &[Arc<dyn EventStore>],
    tasks: &Tasks,
) {
    for view in view::ALL {
        let (table, group) = live_table(view);
        let projector = Projector {
            view,
            table,
            group,
            bus: bus.clone(),
            store: store.clone(),
            parked: parked.clone(),
            logs: logs.to_vec(),
        };
        tasks.spawn("projector", projector.run(tasks.stopping()));
    }
}
