//! The cold load of a SKU with a million events, beside that of one with a hundred.

use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use domain::inventory::stock::Stock;
use domain::{Category, Service, StreamId};
use infra::event_store::EventStore;
use infra::handler::Handler;
use sqlx::postgres::PgConnection;

use super::appends;
use crate::latency::Latency;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

/// Events of either SKU.
const MANY: u64 = 1_000_000;
const FEW: u64 = 100;

/// Receipts of one unit each, as waybill writes them.
const RECEIPTS: &str = r#"INSERT INTO events
    (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
    SELECT 'stock', $1, n, 'stock.received', '1',
           format('{"type":"stock.received","quantity":1,"onHand":%s,"held":0}', n)::json,
           '{"time":"2026-01-01T00:00:00.000000Z","correlationId":"sku","causationId":"bench"}'::json
    FROM generate_series(1, $2) AS n"#;

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            place.make_database(Service::Inventory).await?;
            let mut on = place.connect(Service::Inventory).await?;
            for (sku, events) in [("many", MANY), ("few", FEW)] {
                fill(&mut on, sku, events).await?;
            }
            appends::settle(&mut on).await?;
            let store: Arc<dyn EventStore> = Arc::new(place.store(Service::Inventory)?);
            let rounds = bench
                .interleave(
                    async || load(&store, "many", MANY, bench).await,
                    async || load(&store, "few", FEW, bench).await,
                )
                .await?;
            Ok(vec![rounds.line("S3", 0)?])
        })
        .await
}

async fn fill(on: &mut PgConnection, sku: &str, events: u64) -> anyhow::Result<()> {
    sqlx::query(RECEIPTS)
        .bind(sku)
        .bind(events as i64)
        .execute(on)
        .await?;
    Ok(())
}

/// The p50 of loading the SKU with nothing known of it.
async fn load(
    store: &Arc<dyn EventStore>,
    sku: &str,
    events: u64,
    bench: &Bench,
) -> anyhow::Result<Round> {
    let handler = Handler::<Stock>::new(store.clone()).from_last_fact();
    let stream = StreamId {
        category: Category::Stock,
        id: sku.to_owned(),
    };
    let (begun, mut latency) = (Instant::now(), Latency::new()?);
    while begun.elapsed() < bench.round {
        let asked = Instant::now();
        let loaded = handler.load_fresh(&stream).await?;
        latency.record(asked.elapsed());
        ensure!(loaded.version == events, "{sku} is at {}", loaded.version);
        ensure!(
            loaded.state.on_hand == events,
            "{} of {sku}",
            loaded.state.on_hand
        );
    }
    Ok(Round::of(latency.percentile_ms(50.0)))
}
