use std::time::Duration;

use domain::View;
use domain::view::order_view::OrderView;
use infra::view_store::{State, Table};
use projectors::rebuild::{Cancelled, Progress, Rebuild, RebuildError, Stage, cancel};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{rebuild_of, rebuilt, some_orders};
use crate::support::{Pipeline, eventually, eventually_within};

/// A rebuild that takes its time.
struct Slow {
    progress: watch::Receiver<Progress>,
    stop: CancellationToken,
    running: JoinHandle<Result<projectors::rebuild::Report, RebuildError>>,
}

impl Slow {
    fn begin(pipeline: &Pipeline, holder: &str) -> Self {
        let (told, progress) = watch::channel(Progress::default());
        let rebuild = Rebuild {
            // More than a chunk of orders takes longer than the test.
            rate: Some(100),
            ..rebuild_of(pipeline.views(), &OrderView, holder)
        };
        let stop = CancellationToken::new();
        let running = {
            let stop = stop.clone();
            tokio::task::spawn(async move { rebuild.run(&told, &stop).await })
        };
        Self {
            progress,
            stop,
            running,
        }
    }

    async fn has_begun(&mut self) {
        let begun = |at: &Progress| at.stage == Stage::Building && at.orders > 0;
        self.progress.wait_for(begun).await.unwrap();
    }
}

/// Until a table is removed that nobody reads: half a minute, and a look of the supervisor.
const REMOVED_WITHIN: Duration = Duration::from_secs(60);
/// More orders than are written at a time.
const ORDERS: usize = 250;

pub async fn the_second_of_two_rebuilds_is_refused_with_the_name_of_the_first(pipeline: Pipeline) {
    some_orders(&pipeline, ORDERS).await;
    let mut first = Slow::begin(&pipeline, "the first");
    first.has_begun().await;
    let refused = rebuilt(pipeline.views(), &OrderView).await.unwrap_err();
    let RebuildError::Busy { view, holder, .. } = &refused else {
        panic!("{refused}")
    };
    assert_eq!((*view, &**holder), ("order_view", "the first"));
    assert!(
        refused
            .to_string()
            .contains("waybill rebuild order_view --cancel")
    );
    first.stop.cancel();
    let stopped = first.running.await.unwrap().unwrap_err();
    assert!(
        matches!(stopped, RebuildError::Stopped("order_view")),
        "{stopped}"
    );
    // Who stops leaves it to others at once.
    let report = rebuilt(pipeline.views(), &OrderView).await.unwrap();
    assert!(report.switched && report.is_right(), "{report:#?}");
    pipeline.finish().await;
}

pub async fn a_rebuild_that_was_cut_off_goes_on_where_it_was(pipeline: Pipeline) {
    let orders = some_orders(&pipeline, ORDERS).await.len() as u64;
    pipeline.caught_up().await;
    let mut first = Slow::begin(&pipeline, "the first");
    first.has_begun().await;
    let views = pipeline.views();
    let noted = || async {
        views
            .generations(&OrderView)
            .await
            .unwrap()
            .rebuild
            .unwrap()
    };
    let noted = eventually(noted, |rebuild| rebuild.after.is_some()).await;
    assert!((1..orders).contains(&noted.orders), "{noted:?}");
    // As when its process is killed.
    first.running.abort();
    let report = rebuilt(views, &OrderView).await.unwrap();
    assert_eq!(report.generation, noted.generation);
    assert_eq!(
        (report.orders, report.written),
        (orders, orders),
        "{report:#?}"
    );
    assert!(report.switched && report.is_right(), "{report:#?}");
    pipeline.finish().await;
}

pub async fn a_cancelled_rebuild_leaves_nothing_behind(pipeline: Pipeline) {
    some_orders(&pipeline, ORDERS).await;
    let views = pipeline.views();
    assert_eq!(cancel(views, &OrderView).await.unwrap(), Cancelled::Nothing);
    let mut first = Slow::begin(&pipeline, "the first");
    first.has_begun().await;
    assert_eq!(cancel(views, &OrderView).await.unwrap(), Cancelled::Ended);
    let cancelled = first.running.await.unwrap().unwrap_err();
    assert!(
        matches!(cancelled, RebuildError::Cancelled("order_view")),
        "{cancelled}"
    );
    let generations = views.generations(&OrderView).await.unwrap();
    assert_eq!(generations.rebuild, None);
    assert_eq!(generations.of(2).map(|of| of.state), Some(State::Dropped));
    assert_eq!(generations.live().map(|of| of.number), Some(1));
    // One that nobody is at any more is ended too.
    let mut second = Slow::begin(&pipeline, "the second");
    second.has_begun().await;
    second.running.abort();
    assert_eq!(cancel(views, &OrderView).await.unwrap(), Cancelled::Ended);
    let generations = views.generations(&OrderView).await.unwrap();
    assert_eq!(generations.rebuild, None);
    // The tables go once nobody can be reading them.
    let tables = || async { views.generations(&OrderView).await.unwrap().all.len() };
    eventually_within(REMOVED_WITHIN, tables, |tables| *tables == 1).await;
    let schema = OrderView.schema();
    for number in [2, 3] {
        let table = Table {
            name: format!("order_view_g{number}"),
        };
        let read = views.store.scan(schema, &table, None).await;
        assert!(read.is_err(), "{table:?} is there");
    }
    pipeline.finish().await;
}
