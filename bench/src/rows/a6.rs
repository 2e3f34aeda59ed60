//! Appends to the embedded store by 64 clients, with a sync a batch, beside batches of the engine
//! itself, of the size that ours came to.

use std::sync::Arc;

use anyhow::{Context, ensure};
use domain::Service;
use infra::event_store::{Database, EmbeddedEventStore, EventStore};
use infra::telemetry::metrics;

use super::appends::{self, CLIENTS};
use crate::cpu;
use crate::facts::Template;
use crate::load;
use crate::raw::batches::Engine;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    metrics::record();
    let folder = tempfile::tempdir_in("target")?;
    let database = Database::open(&folder.path().join("ours"))?;
    let store = EmbeddedEventStore::new(database.clone(), Service::Order);
    let store: Arc<dyn EventStore> = Arc::new(store);
    let mut engine = Some(Engine::open(&folder.path().join("engine"))?);
    let template = Template::new()?;
    let (payload, metadata) = template.bytes();
    let bytes = payload.len() + metadata.len();
    let mut by_us = 0;
    let size = std::cell::Cell::new(CLIENTS);
    let rounds = bench
        .interleave(
            async || {
                let clients = appends::plain(&store, &template, CLIENTS);
                let (before, batches) = (cpu::of_self()?, batches_so_far()?);
                let ran = load::closed(clients, bench.round).await?;
                by_us += ran.units;
                let used = cpu::of_self()?.saturating_sub(before);
                let batches = (batches_so_far()? - batches).max(1.0);
                size.set((ran.units as f64 / batches).round().max(1.0) as usize);
                Ok(Round::of(ran.rate()).with_cpu(used, ran.units))
            },
            async || {
                let (size, round) = (size.get(), bench.round);
                let mut own = engine.take().context("the engine")?;
                let work = tokio::task::spawn_blocking(move || {
                    let rate = own.run(size, bytes, round);
                    (own, rate)
                });
                let (own, rate) = work.await?;
                engine = Some(own);
                Ok(Round::of(rate?))
            },
        )
        .await?;
    let last = store.last_position().await?;
    ensure!(last == by_us, "{last} facts are there of {by_us}");
    let (count, position) = engine.context("the engine")?.count()?;
    ensure!(
        count as u64 == position,
        "{count} rows are there of {position}"
    );
    Ok(vec![rounds.line("A6", 0)?])
}

/// How many batches the writer has committed.
fn batches_so_far() -> anyhow::Result<f64> {
    let text = metrics::render();
    let mut lines = text
        .lines()
        .filter(|line| line.contains("store=\"embedded\""));
    let count = lines.find(|line| line.starts_with("waybill_append_batch_size_count"));
    let count = count.and_then(|line| line.rsplit(' ').next());
    Ok(count.map_or(Ok(0.0), str::parse)?)
}
