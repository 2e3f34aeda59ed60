//! Dead letters: the record as it was, and why it is here, on `dlq.*`.
//!
//! The parked row is the truth and this is its published copy: a crash between the two publishes
//! it again when the record comes again.

use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::KafkaBus;
use super::member::Quiet;
use crate::bus::{BusError, Delivered};
use crate::envelope::{self, DEAD_LETTER};
use crate::event_store::ParkedRow;

/// How long the brokers may take to have it. Who waits for it tries again.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(10);

/// Publishes the record of `row`, and returns once all replicas have it.
pub async fn publish(bus: &KafkaBus, record: &Delivered, row: &ParkedRow) -> Result<(), BusError> {
    let rebuilt;
    let original = match (&record.record, &record.fact) {
        (Some(original), _) => original,
        (None, fact) => {
            let unreadable = |e: crate::codec::Unreadable| BusError(e.to_string());
            let fact = fact.as_ref().map_err(|e| unreadable(e.clone()))?;
            rebuilt = envelope::record_of(fact).map_err(unreadable)?;
            &rebuilt
        }
    };
    let mut headers = OwnedHeaders::new();
    for (key, value) in &original.headers {
        let value = Some(value.as_ref());
        headers = headers.insert(Header { key, value });
    }
    for (key, value) in DEAD_LETTER.into_iter().zip(why(bus, record, row)) {
        let value = Some(&value);
        headers = headers.insert(Header { key, value });
    }
    let topic = bus.place.dead_letters(record.partition.topic);
    let mut letter = FutureRecord::<[u8], [u8]>::to(&topic).headers(headers);
    if let Some(key) = &original.key {
        letter = letter.key(key);
    }
    if let Some(payload) = &original.payload {
        letter = letter.payload(payload);
    }
    crate::crash_point!("letter.before-produce");
    let sent = producer(bus)?.send(letter, PUBLISHED_WITHIN).await;
    crate::crash_point!("letter.after-produce");
    sent.map(drop).map_err(|(e, _)| e.into())
}

/// The values of [`DEAD_LETTER`].
fn why(bus: &KafkaBus, record: &Delivered, row: &ParkedRow) -> [String; DEAD_LETTER.len()] {
    [
        bus.place.topic(record.partition.topic),
        record.partition.number.to_string(),
        record.offset.to_string(),
        row.group.clone(),
        row.class.clone(),
        row.reason.clone(),
        row.attempts.to_string(),
        row.parked_at.to_string(),
    ]
}

fn producer(bus: &KafkaBus) -> Result<&FutureProducer<Quiet>, BusError> {
    if let Some(producer) = bus.letters.get() {
        return Ok(producer);
    }
    let made = bus
        .place
        .client("dead-letters")
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set(
            "message.timeout.ms",
            PUBLISHED_WITHIN.as_millis().to_string(),
        )
        .create_with_context(Quiet)?;
    Ok(bus.letters.get_or_init(|| made))
}
