//! The rate of appends with the relay running, beside without.

use domain::Service;
use tokio_util::sync::CancellationToken;

use super::appends::{self, Appended, CLIENTS};
use super::relays;
use crate::cpu::Meter;
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
            let appended = Appended::default();
            let rounds = bench
                .interleave(
                    async || {
                        let relay = relays::relay(&store, place.kafka());
                        let (status, stop) = (relay.status.clone(), CancellationToken::new());
                        let epoch = relays::lease(&store).await?;
                        let clients = appends::keyed(&store, &template, CLIENTS);
                        let meter = Meter::start()?;
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
                        appended.set(appended.get() + ran.units);
                        Round::of(ran.rate()).metered(&meter, ran.units)
                    },
                    async || {
                        let clients = appends::keyed(&store, &template, CLIENTS);
                        appends::round(clients, bench.round, &appended).await
                    },
                )
                .await?;
            appends::check(&mut look, appended.get(), appended.get()).await?;
            Ok(vec![rounds.line("A5", 0)?])
        })
        .await
}
