//! Facts a second while the order view is rebuilt, beside rows a second that the raw driver writes:
//! a row an order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use domain::Service;
use domain::view::order_view::{OrderView, SCHEMA};
use infra::tasks::Tasks;
use projectors::Views;
use projectors::rebuild::{Progress, Rebuild, Stage};
use sqlx::Connection;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{appends, q1};
use crate::cpu::Meter;
use crate::facts::{self, Story};
use crate::pipeline::Pipeline;
use crate::place::Place;
use crate::raw::{append, cells};
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

/// Orders in the logs, with six facts each.
const ORDERS: usize = 20_000;
const FACTS: u64 = 6;
/// Orders of one insert.
const PAGE: usize = 250;
/// Until the background work has ended.
const DRAIN: Duration = Duration::from_secs(20);

static VIEW: OrderView = OrderView;

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            place.migrate().await?;
            fill(place, ORDERS).await?;
            let pipeline = Pipeline::on(place)?;
            let tasks = Tasks::new();
            pipeline.views.keep(&VIEW, &tasks);

            let session = Arc::new(place.session().await?);
            let keyspace = place.servers.views()?.keyspace();
            let (_, rows) = q1::rows(ORDERS)?;
            let rows: Vec<_> = rows.into_iter().map(|row| (&SCHEMA, row)).collect();
            let raw = cells::prepare(&session, &keyspace, &rows).await?;
            let rounds = bench
                .interleave(
                    async || rebuild(&pipeline.views).await,
                    async || Ok(Round::of(raw.send_rows(&session).await?)),
                )
                .await?;
            ensure!(tasks.drain(DRAIN).await, "the projectors do not end");
            Ok(vec![rounds.line("V2", 0)?])
        })
        .await
}

/// Fills the logs with orders whose delivery is assigned.
pub async fn fill(place: &Place, orders: usize) -> anyhow::Result<()> {
    let usual = facts::usual_place()?;
    let mut on = vec![];
    for service in Service::ALL {
        on.push(place.connect(service).await?);
    }
    let mut left = orders;
    while left > 0 {
        let some = left.min(PAGE);
        let mut by_service = Service::ALL.map(|_| vec![]);
        for _ in 0..some {
            let story = Story::of(&usual);
            let all = [story.created()?, story.reserved()?].into_iter();
            for fact in all.chain(story.paid()).chain(story.assigned()?) {
                let service = fact.id.stream.category.service();
                by_service[service as usize].push(facts::append_of(&fact));
            }
        }
        for (on, appends) in on.iter_mut().zip(&by_service) {
            append::insert(on, appends.iter()).await?;
        }
        left -= some;
    }
    for mut one in on {
        appends::settle(&mut one).await?;
        one.close().await?;
    }
    Ok(())
}

/// Builds the next generation, holds it against the logs, and drops it: facts a second while it is
/// written.
async fn rebuild(views: &Views) -> anyhow::Result<Round> {
    let rebuild = Rebuild {
        dry_run: true,
        throttled: false,
        ..Rebuild::of(views.clone(), &VIEW, "bench".to_owned())
    };
    let (told, mut heard) = watch::channel(Progress::default());
    let (stop, meter) = (CancellationToken::new(), Meter::start()?);
    let watching = async {
        let (mut first, mut last) = (None, None);
        while heard.changed().await.is_ok() {
            let now = heard.borrow_and_update().clone();
            match now.stage {
                Stage::Building => {
                    first.get_or_insert((Instant::now(), now.facts));
                    last = Some((Instant::now(), now.facts));
                }
                Stage::Preparing | Stage::CatchingUp | Stage::Comparing => {}
            }
        }
        first.zip(last)
    };
    let running = async {
        let report = rebuild.run(&told, &stop).await;
        drop(told);
        report
    };
    let (report, built) = tokio::join!(running, watching);
    let report = report?;
    ensure!(report.rebuilt.is_right(), "the rebuilt table is not right");
    let ((begun, first), (ended, last)) = built.context("nothing was built")?;
    ensure!(last == ORDERS as u64 * FACTS, "{last} facts were read");
    let rate = (last - first) as f64 / ended.duration_since(begun).as_secs_f64();
    Round::of(rate).metered(&meter, last)
}
