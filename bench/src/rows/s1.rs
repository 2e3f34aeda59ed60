//! Reservations of one hot SKU by one inventory process and by two, beside a transaction for each
//! on 32 connections.

use domain::Service;

use super::stocks;
use crate::load;
use crate::raw::stock::{self, CONNECTIONS, Reserves};
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            let hot = ["hot".to_owned()];
            let log = stocks::prepare(place, &hot).await?;
            let empty = place.make_empty_database(Service::Delivery).await?;
            let pool = stock::tables(empty).await?;
            let mut by_other = 0;
            let mut outcomes = vec![];
            for (id, processes) in [("S1", 1), ("S1-two", 2)] {
                let rounds = bench
                    .interleave(
                        async || stocks::reserve(place, &log, &hot, processes).await,
                        async || {
                            let clients = (0..CONNECTIONS).map(|_| Reserves(pool.clone()));
                            let ran = load::closed(clients.collect(), bench.round).await?;
                            by_other += ran.units;
                            Ok(Round::of(ran.rate()))
                        },
                    )
                    .await?;
                outcomes.push(rounds.line(id, 0)?);
            }
            stock::check(&pool, by_other).await?;
            pool.close().await;
            Ok(outcomes)
        })
        .await
}
