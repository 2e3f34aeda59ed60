//! Views folded from the logs once more while the pipeline runs, on both stacks.

mod claims;
mod damage;
mod deleted;
mod killed;
mod live;
mod revision;
mod scale;

use std::collections::HashSet;

use domain::View;
use domain::view::order_view::OrderView;
use futures::future::join_all;
use projectors::Views;
use projectors::rebuild::{Progress, Rebuild, RebuildError, Report};
use projectors::verify::{SETTLE, Verification, Verified, Which};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::{Client, Fast, Pipeline};

const AT_ONCE: Fast = Fast {
    by_hand: false,
    payment_delay_ms: 0,
    deadline_ms: 0,
    fresh_wait_ms: None,
};

/// Two tests each, one on each stack; on servers it is skipped where one is missing.
macro_rules! on_both_stacks {
    ($($file:ident::$test:ident),+ $(,)?) => {
        mod embedded {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$file::$test(Pipeline::start(AT_ONCE).await).await;
                }
            )+
        }

        mod servers {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    if let Some(pipeline) = Pipeline::start_on_servers(AT_ONCE).await {
                        super::$file::$test(pipeline).await;
                    }
                }
            )+
        }
    };
}

on_both_stacks! {
    live::orders_are_shown_at_every_moment_of_a_rebuild_a_switch_and_an_undo,
    live::every_view_is_rebuilt_as_it_was,
    live::a_dry_run_switches_nothing,
    claims::the_second_of_two_rebuilds_is_refused_with_the_name_of_the_first,
    claims::a_rebuild_that_was_cut_off_goes_on_where_it_was,
    claims::a_cancelled_rebuild_leaves_nothing_behind,
    damage::random_damage_is_found_and_mended_or_named,
}

/// Orders of all kinds, some of them cancelled at once.
async fn some_orders(client: &Client, orders: usize) -> Vec<String> {
    client.receive("sku-1", 1_000_000).await;
    let mut ids = vec![];
    for some in (0..orders).collect::<Vec<_>>().chunks(16) {
        let placed = some.iter().map(|n| async move {
            let id = client.place("sku-1", 1, 1900 + (*n as u64 % 5)).await;
            if n % 7 == 0 {
                client.cancel(&id, "changed my mind").await;
            }
            id
        });
        ids.extend(join_all(placed).await);
    }
    ids
}

/// As `waybill rebuild` runs it, at full speed.
fn rebuild_of(views: &Views, view: &'static dyn View, holder: &str) -> Rebuild {
    Rebuild {
        throttled: false,
        ..Rebuild::of(views.clone(), view, holder.to_owned())
    }
}

async fn rebuilt(views: &Views, view: &'static dyn View) -> Result<Report, RebuildError> {
    let (told, _) = watch::channel(Progress::default());
    let rebuild = rebuild_of(views, view, "a test");
    rebuild.run(&told, &CancellationToken::new()).await
}

async fn verified(views: &Views, view: &'static dyn View, repair: bool) -> Verified {
    let (told, _) = watch::channel(Verified::default());
    let verification = Verification {
        views: views.clone(),
        view,
        which: Which::Whole,
        repair,
        rate: None,
        again: false,
        settle: SETTLE,
    };
    let verified = verification.run(&told, &CancellationToken::new()).await;
    verified.unwrap()
}

/// The rows of the live order view, by their orders.
async fn rows_of(views: &Views) -> HashSet<String> {
    let live = views.live(&OrderView).await.unwrap();
    let (schema, table) = (OrderView.schema(), live.table(OrderView.schema()));
    let (mut rows, mut after) = (HashSet::new(), None);
    loop {
        let (page, next) = views
            .store
            .scan(schema, &table, after.as_ref())
            .await
            .unwrap();
        for row in page {
            let order = schema.order_of(&row.key).unwrap().to_string();
            assert!(rows.insert(order), "a row twice");
        }
        after = next;
        if after.is_none() {
            return rows;
        }
    }
}
