//! Appends to the embedded store by 64 clients, with a sync a batch, beside batches of the engine
//! itself, of the size that ours came to.

use std::sync::Arc;

use anyhow::ensure;
use domain::Service;
use infra::event_store::{Database, EmbeddedEventStore, EventStore};
use infra::telemetry::metrics;

use super::appends::{self, Appended, CLIENTS};
use crate::facts::Template;
use crate::raw::batches::Engine;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    metrics::record();
    let folder = tempfile::tempdir_in("target")?;
    let database = Database::open(&folder.path().join("ours"))?;
    let store = EmbeddedEventStore::new(database.clone(), Service::Order);
    let store: Arc<dyn EventStore> = Arc::new(store);
    let mut engine = Engine::open(&folder.path().join("engine"))?;
    let template = Template::new()?;
    let bytes = template.len();
    let appended = Appended::default();
    let size = std::cell::Cell::new(CLIENTS);
    let rounds = bench
        .interleave(
            async || {
                let clients = appends::plain(&store, &template, CLIENTS);
                let (facts, batches) = (appended.get(), batches_so_far()?);
                let round = appends::round(clients, bench.round, &appended).await?;
                let batches = batches_so_far()? - batches;
                ensure!(batches > 0.0, "no batches were counted");
                let facts = (appended.get() - facts) as f64;
                size.set((facts / batches).round() as usize);
                Ok(round)
            },
            async || {
                let run = || engine.run(size.get(), bytes, bench.round);
                Ok(Round::of(tokio::task::block_in_place(run)?))
            },
        )
        .await?;
    let last = store.last_position().await?;
    let by_us = appended.get();
    ensure!(last == by_us, "{last} facts are there of {by_us}");
    engine.check()?;
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
