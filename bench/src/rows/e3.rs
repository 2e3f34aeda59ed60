//! Orders from POST to the delivery assigned in the view, in one process on the embedded store
//! with a sync a batch, beside the engine's own batches of as many events.

use crate::cpu;
use crate::facts::Template;
use crate::pipeline::Pipeline;
use crate::raw::batches::Engine;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

use super::appends::CLIENTS;
use super::journeys;

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    let folder = tempfile::tempdir_in("target")?;
    let pipeline = Pipeline::in_folder(&folder.path().join("ours"))?;
    pipeline.run_all();
    let addr = pipeline.listen().await?.to_string();
    journeys::stock_up(&addr).await?;
    let mut engine = Engine::open(&folder.path().join("engine"))?;
    let template = Template::new()?;
    let (payload, metadata) = template.bytes();
    let bytes = payload.len() + metadata.len();
    let each = std::cell::Cell::new(1.0);
    let rounds = bench
        .interleave(
            async || {
                let (used, facts) = (cpu::of_self()?, sum(&pipeline).await?);
                let journey = journeys::push(&pipeline, &addr, bench.round).await?;
                let used = cpu::of_self()?.saturating_sub(used);
                let facts = sum(&pipeline).await? - facts;
                each.set(facts as f64 / journey.orders as f64);
                Ok(Round::of(journey.rate()).with_cpu(used, journey.orders))
            },
            async || {
                let run = || engine.run(CLIENTS, bytes, bench.round);
                Ok(Round::of(tokio::task::block_in_place(run)? / each.get()))
            },
        )
        .await?;
    pipeline.end().await?;
    Ok(vec![rounds.line("E3", 0)?])
}

async fn sum(pipeline: &Pipeline) -> anyhow::Result<u64> {
    Ok(journeys::facts(pipeline).await?.iter().sum())
}
