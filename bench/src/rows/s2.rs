//! Reservations of one hot SKU, beside ours over a thousand SKUs.

use super::stocks;
use crate::report::Outcome;
use crate::rounds::Bench;

/// SKUs of the other side.
const SKUS: usize = 1000;

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            let hot = ["hot".to_owned()];
            let many: Vec<_> = (0..SKUS).map(|n| format!("sku-{n}")).collect();
            let all = [&hot[..], &many].concat();
            let log = stocks::prepare(place, &all).await?;
            let rounds = bench
                .interleave(
                    async || stocks::reserve(place, &log, &hot, 1).await,
                    async || stocks::reserve(place, &log, &many, 1).await,
                )
                .await?;
            Ok(vec![rounds.line("S2", 0)?])
        })
        .await
}
