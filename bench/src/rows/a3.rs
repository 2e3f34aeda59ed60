//! The p99 of an append at the load that postgres-es just sustains, beside that of postgres-es.

use domain::Service;

use super::a2::empty_database;
use super::appends;
use crate::facts::Template;
use crate::load;
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
            let (repository, pool) = postgres_es::repository(empty_database(place).await?).await?;
            let others = |count| {
                let one = |_| Appends::new(repository.clone(), &template);
                (0..count).map(one).collect::<Result<Vec<_>, _>>()
            };
            let pushed = load::closed(others(64)?, bench.round).await?.rate();
            let mut rate = pushed * SUSTAINED;
            while rate > pushed * LEAST {
                let ran = load::open(others(CLIENTS)?, rate, bench.round).await?;
                if ran.rate() >= rate * DONE && ran.latency.percentile_ms(99.0) < QUEUE_MS {
                    break;
                }
                rate *= STEP;
            }
            let mut look = place.connect(Service::Order).await?;
            appends::settle(&mut look).await?;
            let mut by_us = 0;
            let rounds = bench
                .interleave(
                    async || {
                        let clients = appends::plain(&store, &template, CLIENTS);
                        let ran = load::open(clients, rate, bench.round).await?;
                        by_us += ran.units;
                        Ok(Round::of(ran.latency.percentile_ms(99.0)))
                    },
                    async || {
                        let ran = load::open(others(CLIENTS)?, rate, bench.round).await?;
                        Ok(Round::of(ran.latency.percentile_ms(99.0)))
                    },
                )
                .await?;
            appends::check(&mut look, by_us, 0).await?;
            pool.close().await;
            Ok(vec![rounds.line("A3", 0)?])
        })
        .await
}
