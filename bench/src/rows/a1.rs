//! Appends by 64 clients, each with an expected version and an idempotency row, beside the same
//! rows in the same tables unchecked.

use domain::Service;
use tokio::task::JoinSet;

use super::appends::{self, CLIENTS};
use crate::cpu;
use crate::facts::Template;
use crate::load;
use crate::raw::append::RawWriter;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            let store = appends::store(place).await?;
            let template = Template::new()?;
            let mut tasks = JoinSet::new();
            let raw = place.connect(Service::Order).await?;
            let writer = RawWriter::start(raw, &mut tasks);
            let mut look = place.connect(Service::Order).await?;
            appends::settle(&mut look).await?;
            let (mut by_us, mut by_other) = (0, 0);
            let rounds = bench
                .interleave(
                    async || {
                        let clients = appends::ours(&store, &template, CLIENTS);
                        let before = cpu::of_self()?;
                        let ran = load::closed(clients, bench.round).await?;
                        by_us += ran.units;
                        let used = cpu::of_self()?.saturating_sub(before);
                        Ok(Round::of(ran.rate()).with_cpu(used, ran.units))
                    },
                    async || {
                        let clients = appends::unchecked(&writer, &template, CLIENTS);
                        let ran = load::closed(clients, bench.round).await?;
                        by_other += ran.units;
                        Ok(Round::of(ran.rate()))
                    },
                )
                .await?;
            let all = by_us + by_other;
            appends::check(&mut look, all, all).await?;
            drop(writer);
            while let Some(ended) = tasks.join_next().await {
                ended??;
            }
            Ok(vec![rounds.line("A1", 0)?])
        })
        .await
}
