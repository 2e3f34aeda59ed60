//! The p99 of placing an order while a view is rebuilt, beside before.

use std::time::Duration;

use domain::view::order_view::OrderView;
use infra::tasks::Tasks;
use projectors::rebuild::{Progress, Rebuild, RebuildError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{journeys, v2};
use crate::load;
use crate::pipeline::Pipeline;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

/// Orders in the logs: a rebuild takes longer than a round.
const ORDERS: usize = 200_000;
/// Of the rate at which the pipeline is pushed.
const LOAD: f64 = 0.3;
/// Until the background work has ended.
const DRAIN: Duration = Duration::from_secs(20);

static VIEW: OrderView = OrderView;

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            place.migrate().await?;
            let pipeline = Pipeline::on(place)?;
            pipeline.run_all();
            let addr = pipeline.listen().await?.to_string();
            journeys::stock_up(&addr).await?;
            let rate = journeys::push(&pipeline, &addr, bench.round).await?.rate() * LOAD;
            let more = crate::place::Place::new(bench, &[])?;
            more.migrate().await?;
            v2::fill(&more, ORDERS).await?;
            // The other pipeline has the same servers, and a view that is worth rebuilding.
            let other = Pipeline::on(&more)?;
            let tasks = Tasks::new();
            other.views.keep(&VIEW, &tasks);
            let rounds = bench
                .interleave(
                    async || {
                        let (told, _heard) = watch::channel(Progress::default());
                        let stop = CancellationToken::new();
                        let rebuild = Rebuild {
                            dry_run: true,
                            ..Rebuild::of(other.views.clone(), &VIEW, "bench".to_owned())
                        };
                        let placing = async {
                            let placed = place_orders(&pipeline, &addr, rate, bench).await;
                            stop.cancel();
                            placed
                        };
                        let (ended, placed) = tokio::join!(rebuild.run(&told, &stop), placing);
                        let stopped = matches!(ended, Err(RebuildError::Stopped(_)));
                        anyhow::ensure!(stopped, "the rebuild was over before the round was");
                        projectors::rebuild::cancel(&other.views, &VIEW).await?;
                        placed
                    },
                    async || place_orders(&pipeline, &addr, rate, bench).await,
                )
                .await?;
            anyhow::ensure!(tasks.drain(DRAIN).await, "the projectors do not end");
            pipeline.end().await?;
            drop(other);
            more.remove().await?;
            Ok(vec![rounds.line("V3", 0)?])
        })
        .await
}

async fn place_orders(
    pipeline: &Pipeline,
    addr: &str,
    rate: f64,
    bench: &Bench,
) -> anyhow::Result<Round> {
    let (_, before) = pipeline.seen.counts();
    let customers = journeys::customers(addr, journeys::CLIENTS).await?;
    let ran = load::open(customers, rate, bench.round).await?;
    let p99 = ran.latency.percentile_ms(99.0);
    journeys::until_assigned(pipeline, before + usize::try_from(ran.units)?).await?;
    Ok(Round::of(p99))
}
