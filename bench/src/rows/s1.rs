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
            let other = super::a2::empty_database(place).await?;
            let pool = stock::tables(other).await?;
            let mut outcomes = vec![];
            for (id, processes) in [("S1", 1), ("S1-two", 2)] {
                let rounds = bench
                    .interleave(
                        async || stocks::reserve(place, &log, &hot, processes).await,
                        async || {
                            let clients = (0..CONNECTIONS).map(|_| Reserves(pool.clone()));
                            let ran = load::closed(clients.collect(), bench.round).await?;
                            Ok(Round::of(ran.rate()))
                        },
                    )
                    .await?;
                outcomes.push(rounds.line(id, 0)?);
            }
            stock::check(&pool).await?;
            pool.close().await;
            debug_assert_eq!(log.service(), Service::Inventory);
            Ok(outcomes)
        })
        .await
}
