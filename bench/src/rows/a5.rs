//! The rate of appends with the relay running, beside without.

use std::time::Duration;

use domain::Service;
use tokio_util::sync::CancellationToken;

use super::appends::{self, CLIENTS};
use super::relays;
use crate::cpu;
use crate::facts::Template;
use crate::load;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            let store = appends::store(place).await?;
            place.make_topics().await?;
            let template = Template::new()?;
            let mut look = place.connect(Service::Order).await?;
            appends::settle(&mut look).await?;
            let (mut by_us, mut by_other) = (0, 0);
            let rounds = bench
                .interleave(
                    async || {
                        let relay = relays::relay(&store, place.kafka());
                        let (status, stop) = (relay.status.clone(), CancellationToken::new());
                        let epoch = relays::lease(&store).await?;
                        let clients = appends::ours(&store, &template, CLIENTS);
                        let before = cpu::of_self()?;
                        let appending = async {
                            // It is to be at work when the measuring begins.
                            relays::caught_up(&store, &status).await?;
                            let ran = load::closed(clients, bench.round).await?;
                            relays::caught_up(&store, &status).await?;
                            stop.cancel();
                            anyhow::Ok(ran)
                        };
                        let ((), ran) = tokio::join!(relay.run(epoch, stop.clone()), appending);
                        let ran = ran?;
                        by_us += ran.units;
                        let used = cpu::of_self()?.saturating_sub(before);
                        Ok(Round::of(ran.rate()).with_cpu(used, ran.units))
                    },
                    async || {
                        let clients = appends::ours(&store, &template, CLIENTS);
                        let ran = load::closed(clients, bench.round).await?;
                        by_other += ran.units;
                        Ok(Round::of(ran.rate()))
                    },
                )
                .await?;
            let all = by_us + by_other;
            appends::check(&mut look, all, all).await?;
            Ok(vec![rounds.line("A5", 0)?])
        })
        .await
}

/// How long a relay may take to publish all there is.
pub const CATCHES_UP: Duration = Duration::from_secs(60);
