//! The p99 of an append at the load that postgres-es just sustains, beside that of postgres-es.

use std::time::Duration;

use domain::Service;

use super::appends::{self, Appended};
use crate::facts::Template;
use crate::load::{self, Client};
use crate::raw::postgres_es::{self, Appends};
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

/// Who waits for an answer, at most.
const CLIENTS: usize = 256;
/// Of what postgres-es does when it is pushed, what it sustains; less, down to the least, where that
/// turns out to be too much.
const SUSTAINED: f64 = 0.85;
const STEP: f64 = 0.9;
const LEAST: f64 = 0.4;
/// A load is sustained where so much of it is done by its end.
const DONE: f64 = 0.97;
/// A queue that grows shows as a p99 of more than this, in milliseconds.
const QUEUE_MS: f64 = 250.0;

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            let store = appends::store(place).await?;
            let template = Template::new()?;
            let empty = place.make_empty_database(Service::Delivery).await?;
            let (repository, pool) = postgres_es::repository(empty).await?;
            let (by_us, by_other) = (Appended::default(), Appended::default());
            // Postgres-es, at that rate.
            let others = async |rate| {
                let clients = Appends::many(&repository, &template, CLIENTS)?;
                at(rate, clients, bench.round, &by_other).await
            };
            let pushing = Appends::many(&repository, &template, appends::CLIENTS)?;
            let pushed = load::closed(pushing, bench.round).await?;
            by_other.set(pushed.units);
            let pushed = pushed.rate();
            let mut rate = pushed * SUSTAINED;
            while rate > pushed * LEAST {
                let (done, p99) = others(rate).await?;
                if done >= rate * DONE && p99 < QUEUE_MS {
                    break;
                }
                rate *= STEP;
            }
            let mut look = place.connect(Service::Order).await?;
            appends::settle(&mut look).await?;
            let rounds = bench
                .interleave(
                    async || {
                        let clients = appends::plain(&store, &template, CLIENTS);
                        let (_, p99) = at(rate, clients, bench.round, &by_us).await?;
                        Ok(Round::of(p99))
                    },
                    async || Ok(Round::of(others(rate).await?.1)),
                )
                .await?;
            appends::check(&mut look, by_us.get(), 0).await?;
            postgres_es::check(&pool, by_other.get()).await?;
            pool.close().await;
            Ok(vec![rounds.line("A3", 0)?])
        })
        .await
}

/// Asks for so many appends a second: how many are done in one, and their p99.
async fn at<C: Client>(
    rate: f64,
    clients: Vec<C>,
    lasts: Duration,
    appended: &Appended,
) -> anyhow::Result<(f64, f64)> {
    let ran = load::open(clients, rate, lasts).await?;
    appended.set(appended.get() + ran.units);
    Ok((ran.rate(), ran.latency.percentile_ms(99.0)))
}
