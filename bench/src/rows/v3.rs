//! The p99 of placing an order while a view is rebuilt, beside before.

use std::future::Future;
use std::time::Duration;

use anyhow::{bail, ensure};
use domain::view::order_view::OrderView;
use infra::tasks::Tasks;
use projectors::Views;
use projectors::rebuild::{Progress, Rebuild, RebuildError, Stage};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::journeys::Shop;
use super::v2;
use crate::pipeline::Pipeline;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

/// Orders in the logs: a rebuild takes longer than a round.
const ORDERS: usize = 200_000;
/// Of the rate at which the pipeline is pushed.
const LOAD: f64 = 0.3;
/// Until the background work has ended.
const DRAIN: Duration = Duration::from_secs(20);

/// Until a rebuild reads facts.
const BEGINS: Duration = Duration::from_secs(30);

static VIEW: OrderView = OrderView;

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            place.migrate().await?;
            let shop = Shop::open(Pipeline::on(place)?).await?;
            let rate = shop.push(bench.round).await?.rate() * LOAD;
            // The other pipeline has the same servers, and a view that is worth rebuilding.
            let rounds = bench.within_place(&[], async |more| {
                more.migrate().await?;
                v2::fill(more, ORDERS).await?;
                let other = Pipeline::on(more)?.views;
                let tasks = Tasks::new();
                other.keep(&VIEW, &tasks);
                let rounds = bench
                    .interleave(
                        async || rebuilding(&other, p99(&shop, rate, bench)).await,
                        async || p99(&shop, rate, bench).await,
                    )
                    .await?;
                ensure!(tasks.drain(DRAIN).await, "the projectors do not end");
                Ok(rounds)
            });
            let rounds = rounds.await?;
            shop.end().await?;
            Ok(vec![rounds.line("V3", 0)?])
        })
        .await
}

/// The p99 of a round of orders.
async fn p99(shop: &Shop, rate: f64, bench: &Bench) -> anyhow::Result<Round> {
    let ran = shop.place(rate, bench.round).await?;
    Ok(Round::of(ran.latency.percentile_ms(99.0)))
}

/// Rebuilds the view from before `round` until after it, as an operator would, and gives up.
async fn rebuilding(
    views: &Views,
    round: impl Future<Output = anyhow::Result<Round>>,
) -> anyhow::Result<Round> {
    let rebuild = Rebuild {
        dry_run: true,
        ..Rebuild::of(views.clone(), &VIEW, "bench".to_owned())
    };
    let (told, mut heard) = watch::channel(Progress::default());
    let stop = CancellationToken::new();
    let placing = async {
        // What comes before is no load.
        let building = |now: &Progress| now.stage == Stage::Building && now.facts > 0;
        timeout(BEGINS, heard.wait_for(building)).await??;
        let placed = round.await;
        let still = heard.borrow().stage == Stage::Building;
        stop.cancel();
        ensure!(still, "the rebuild was over before the round was");
        placed
    };
    let running = async {
        let ended = rebuild.run(&told, &stop).await;
        drop(told);
        ended
    };
    let (ended, placed) = tokio::join!(running, placing);
    match ended {
        Err(RebuildError::Stopped(_)) => {}
        Err(e) => return Err(e.into()),
        Ok(_) => bail!("the rebuild was over before the round was"),
    }
    projectors::rebuild::cancel(views, &VIEW).await?;
    placed
}
