//! Orders from POST to the delivery assigned in the view, in one process on the embedded store
//! with a sync a batch, beside the engine's own batches of as many events.

use domain::Service;

use super::appends::CLIENTS;
use super::journeys::Shop;
use crate::cpu::Meter;
use crate::facts::Template;
use crate::pipeline::Pipeline;
use crate::raw::batches::Engine;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    let folder = tempfile::tempdir_in("target")?;
    let shop = Shop::open(Pipeline::in_folder(&folder.path().join("ours"))?).await?;
    let mut engine = Engine::open(&folder.path().join("engine"))?;
    let bytes = Template::new()?.len();
    let each = std::cell::Cell::new(1.0);
    let rounds = bench
        .interleave(
            async || {
                let (meter, facts) = (Meter::start()?, sum(&shop).await?);
                let journey = shop.push(bench.round).await?;
                let round = Round::of(journey.rate()).metered(&meter, journey.orders)?;
                let facts = sum(&shop).await? - facts;
                each.set(facts as f64 / journey.orders as f64);
                Ok(round)
            },
            async || {
                let run = || engine.run(CLIENTS, bytes, bench.round);
                Ok(Round::of(tokio::task::block_in_place(run)? / each.get()))
            },
        )
        .await?;
    shop.end().await?;
    engine.check()?;
    Ok(vec![rounds.line("E3", 0)?])
}

/// How many facts there are of all services: positions have no gaps here.
async fn sum(shop: &Shop) -> anyhow::Result<u64> {
    let mut all = 0;
    for service in Service::ALL {
        let store = shop.pipeline.services.store(service);
        all += store.last_position().await?;
    }
    Ok(all)
}
