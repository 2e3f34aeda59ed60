use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::view;
use domain::view::order_view::OrderView;
use infra::view_store::State;
use projectors::rebuild::undo;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{rebuild_of, rebuilt, rows_of, some_orders, verified};
use crate::support::{Client, Pipeline};

/// Customers who place one order after the other and look at each, until they are told to stop.
pub struct Customers {
    stop: Arc<AtomicBool>,
    customers: JoinSet<Vec<String>>,
}

impl Customers {
    /// Each with a pause between two orders.
    pub fn come(client: &Client, customers: usize, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut come = JoinSet::new();
        for _ in 0..customers {
            let (client, stop) = (client.clone(), stop.clone());
            come.spawn(async move {
                let mut placed = vec![];
                while !stop.load(Ordering::Relaxed) {
                    // Reads it after its token, and sees it.
                    placed.push(client.place("sku-1", 1, 1901).await);
                    sleep(pause).await;
                }
                placed
            });
        }
        Self {
            stop,
            customers: come,
        }
    }

    pub async fn leave(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.customers.join_all().await.concat()
    }
}

pub async fn orders_are_shown_at_every_moment_of_a_rebuild_a_switch_and_an_undo(
    pipeline: Pipeline,
) {
    let views = pipeline.views();
    let mut orders = some_orders(&pipeline, 60).await;
    let customers = Customers::come(&pipeline, 3, Duration::ZERO);
    for generation in 2..=4 {
        let report = rebuilt(views, &OrderView).await.unwrap();
        assert!(report.switched && report.is_right(), "{report:#?}");
        assert_eq!(report.generation, generation);
        let live = views.live(&OrderView).await.unwrap();
        assert_eq!(live.number, generation);
        let undone = undo(views, &OrderView).await.unwrap();
        assert_eq!(undone.kept, generation);
        let again = undo(views, &OrderView).await.unwrap();
        assert_eq!((again.live, again.kept), (generation, undone.live));
    }
    orders.extend(customers.leave().await);
    println!("{} orders", orders.len());
    pipeline.caught_up().await;
    let all: HashSet<String> = orders.into_iter().collect();
    assert_eq!(rows_of(views).await, all);
    undo(views, &OrderView).await.unwrap();
    assert_eq!(rows_of(views).await, all);
    let verified = verified(views, &OrderView, false).await;
    assert!(verified.outcome.is_right(), "{verified:#?}");
    assert_eq!(verified.outcome.equal, all.len() as u64);
    pipeline.finish().await;
}

pub async fn every_view_is_rebuilt_as_it_was(pipeline: Pipeline) {
    let views = pipeline.views();
    let orders = some_orders(&pipeline, 40).await;
    pipeline.caught_up().await;
    for view in view::ALL {
        let report = rebuilt(views, view).await.unwrap();
        assert!(report.is_right() && report.switched, "{report:#?}");
        assert_eq!(report.orders, orders.len() as u64);
        assert_eq!(report.written, report.live.equal, "{report:#?}");
        assert_eq!(report.live.read, report.rebuilt.read, "{report:#?}");
        assert!(report.facts >= 4 * report.orders, "{report:#?}");
    }
    // What was kept is fed too, and who reads follows within two seconds.
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline.order_in(&id, "COMPLETED").await;
    let timeline = pipeline.get(&format!("/api/orders/{id}/timeline")).await;
    assert!(timeline.expect(200).body["facts"].as_array().unwrap().len() >= 9);
    pipeline.caught_up().await;
    for view in view::ALL {
        undo(views, view).await.unwrap();
        let verified = verified(views, view, false).await;
        assert!(verified.outcome.is_right(), "{verified:#?}");
        assert_eq!(verified.generation, 1);
    }
    pipeline.finish().await;
}

pub async fn a_dry_run_switches_nothing(pipeline: Pipeline) {
    let views = pipeline.views();
    some_orders(&pipeline, 10).await;
    pipeline.caught_up().await;
    let mut dry = rebuild_of(views, &OrderView, "a test");
    dry.dry_run = true;
    let (told, _) = tokio::sync::watch::channel(Default::default());
    let report = dry.run(&told, &Default::default()).await.unwrap();
    assert!(report.is_right() && !report.switched, "{report:#?}");
    let generations = views.generations(&OrderView).await.unwrap();
    assert_eq!(generations.live().unwrap().number, 1);
    assert_eq!(generations.of(2).map(|of| of.state), Some(State::Dropped));
    assert_eq!(generations.rebuild, None);
    assert!(undo(views, &OrderView).await.is_err());
    pipeline.finish().await;
}
