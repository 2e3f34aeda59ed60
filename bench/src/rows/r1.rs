//! The relay on a backlog, beside its bare hops: pages of the log read, the same records produced.

use domain::Service;
use tokio_util::sync::CancellationToken;

use super::{hops, relays};
use crate::cpu::Meter;
use crate::kafka;
use crate::place::Place;
use crate::raw::produce;
use crate::report::Outcome;
use crate::rounds::{Bench, Round, one_after_another};

/// Orders of the backlog, with two facts each: a second or two of work.
const ORDERS: usize = 50_000;

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            let records = relays::backlog(place, ORDERS).await?;
            let facts = records.len();
            let mut look = place.connect(Service::Order).await?;
            let rounds = bench
                .interleave(
                    async || drained(bench, place, facts as u64).await,
                    async || {
                        let read = hops::read_log(&mut look, facts).await?;
                        let sent = bench.within_topics(async |on| {
                            let topic = on.kafka().topic(Service::Order);
                            tokio::task::block_in_place(|| {
                                produce::all(&bench.kafka, &topic, &records)
                            })
                        });
                        Ok(Round::of(one_after_another(&[read, sent.await?])))
                    },
                )
                .await?;
            Ok(vec![rounds.line("R1", 0)?])
        })
        .await
}

/// Relays the whole log of `place` onto topics that are made for it, and says how many facts a
/// second; all of them have to be there, in order.
pub async fn drained(bench: &Bench, place: &Place, facts: u64) -> anyhow::Result<Round> {
    bench
        .within_topics(async |on| drained_onto(on, bench, place, facts).await)
        .await
}

async fn drained_onto(
    on: &Place,
    bench: &Bench,
    place: &Place,
    facts: u64,
) -> anyhow::Result<Round> {
    let mut look = place.connect(Service::Order).await?;
    relays::forget(&mut look).await?;
    let store = std::sync::Arc::new(place.store(Service::Order)?) as std::sync::Arc<_>;
    let relay = relays::relay(&store, on.kafka());
    let (status, stop) = (relay.status.clone(), CancellationToken::new());
    let epoch = relays::lease(&store).await?;
    let meter = Meter::start()?;
    let draining = async {
        let drained = relays::until(&status, store.last_position().await?).await;
        stop.cancel();
        drained
    };
    let ((), drained) = tokio::join!(relay.run(epoch, stop.clone()), draining);
    let ((begun, first), (ended, last)) = drained?;
    let round = Round::of((last - first) as f64 / ended.duration_since(begun).as_secs_f64());
    let round = round.metered(&meter, facts)?;
    let topic = on.kafka().topic(Service::Order);
    tokio::task::block_in_place(|| kafka::check_complete(&bench.kafka, &topic, facts))?;
    Ok(round)
}
