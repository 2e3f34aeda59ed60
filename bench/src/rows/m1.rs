//! The most memory that each role has resident while orders are placed and read as fast as two
//! times 64 connections can.

use std::sync::Arc;

use super::journeys::{self, CLIENTS};
use super::q1;
use crate::child::Server;
use crate::load;
use crate::report::Outcome;
use crate::rounds::Bench;

/// Orders to be read.
const ORDERS: usize = 10_000;

/// As they are by default, but that nobody waits.
const AT_ONCE: [&str; 5] = [
    "payment_delay_ms=0",
    "payment_success_rate=100",
    "courier_assign_ms=0",
    "courier_dispatch_ms=0",
    "courier_deliver_ms=0",
];

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&AT_ONCE, async |place| {
            place.migrate().await?;
            let orders = Arc::new(q1::fill(place, ORDERS).await?);
            let start = async |role| Server::waybill(&place.args(&[role])).await;
            let commands = start("command-api").await?;
            let projectors = start("projectors").await?;
            let queries = start("query-api").await?;
            journeys::stock_up(&commands.addr).await?;
            let customers = journeys::customers(&commands.addr, CLIENTS).await?;
            let readers = q1::readers(&queries, &orders).await?;
            let long = bench.round * u32::try_from(bench.rounds)? * 2;
            let (placed, read) =
                tokio::join!(load::closed(customers, long), load::closed(readers, long));
            let (placed, read) = (placed?, read?);
            anyhow::ensure!(placed.units > 0 && read.units > 0, "there was no load");
            let outcomes = vec![
                Outcome::alone("M1-command-api", commands.peak_memory_mb()?)?,
                Outcome::alone("M1-projectors", projectors.peak_memory_mb()?)?,
                Outcome::alone("M1-query-api", queries.peak_memory_mb()?)?,
            ];
            queries.end().await?;
            commands.end().await?;
            projectors.end().await?;
            Ok(outcomes)
        })
        .await
}
