//! A reaction that appends: deliveries that have arrived complete their orders. Beside the bare
//! hops: the same records consumed, the same facts inserted in batches.

use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use domain::Service;
use infra::envelope;
use infra::event_store::EventStore;
use sqlx::Connection;

use super::{appends, stocks};
use crate::cpu::Meter;
use crate::facts::{self, Story};
use crate::pipeline::Pipeline;
use crate::place::Place;
use crate::raw::{append, produce};
use crate::report::Outcome;
use crate::rounds::{Bench, Round, one_after_another};

/// Orders of a round.
const ORDERS: usize = 20_000;
/// Facts of one insert: as many as the consumer takes at once.
const BATCH: usize = 256;

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            let log = appends::store(place).await?;
            place.make_topics().await?;
            let rounds = bench
                .interleave(
                    async || react(place, &log).await,
                    async || bare(place).await,
                )
                .await?;
            Ok(vec![rounds.line("C1", 0)?])
        })
        .await
}

/// Orders are placed and have arrived: how many are completed a second.
async fn react(place: &Place, log: &Arc<dyn EventStore>) -> anyhow::Result<Round> {
    let usual = facts::usual_place()?;
    let stories: Vec<_> = (0..ORDERS).map(|_| Story::of(&usual)).collect();
    let mut on = place.connect(Service::Order).await?;
    for some in stories.chunks(BATCH) {
        let created = some
            .iter()
            .map(|story| Ok(facts::append_of(&story.created()?)));
        let created: Vec<_> = created.collect::<anyhow::Result<_>>()?;
        append::insert(&mut on, created.iter()).await?;
    }
    let records = stories
        .iter()
        .map(|story| envelope::record_of(&facts::stored(&story.delivered(), 1)));
    let records: Vec<_> = records.collect::<Result<_, _>>()?;
    let topic = place.kafka().topic(Service::Delivery);
    let brokers = place.brokers();
    tokio::task::block_in_place(|| produce::all(brokers, &topic, &records))?;

    let before = log.last_position().await?;
    let meter = Meter::start()?;
    let pipeline = Pipeline::on(place)?.without_relays();
    pipeline.run(Service::Order);
    let rate = stocks::watch(log, &mut on, before, ORDERS as u64).await?;
    let round = Round::of(rate).metered(&meter, ORDERS as u64)?;
    pipeline.end().await?;
    let open: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM events WHERE event_type = 'order.created')
              - (SELECT count(*) FROM events WHERE event_type = 'order.completed' AND sequence = 2)",
    )
    .fetch_one(&mut on)
    .await?;
    ensure!(open == 0, "{open} orders are not completed");
    on.close().await?;
    Ok(round)
}

async fn bare(place: &Place) -> anyhow::Result<Round> {
    let topic = place.kafka().topic(Service::Delivery);
    let brokers = place.brokers();
    let consumed = tokio::task::block_in_place(|| produce::consume(brokers, &topic))?;
    // Of orders of their own, into the same tables.
    let usual = facts::usual_place()?;
    let completed = (0..ORDERS).map(|_| {
        let story = Story::of(&usual);
        [story.created(), Ok(story.completed())]
    });
    let mut appends = vec![];
    for of_one in completed {
        for fact in of_one {
            appends.push(facts::append_of(&fact?));
        }
    }
    let mut on = place.connect(Service::Order).await?;
    let begun = Instant::now();
    for some in appends.chunks(BATCH) {
        append::insert(&mut on, some.iter()).await?;
    }
    let inserted = appends.len() as f64 / begun.elapsed().as_secs_f64();
    on.close().await?;
    Ok(Round::of(one_after_another(&[consumed, inserted])))
}
