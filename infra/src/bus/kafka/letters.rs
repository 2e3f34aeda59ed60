//! Dead letters: the record as it was, and why it is here, on `dlq.*`.
//!
//! The parked row is the truth and this is its published copy: a crash between the two publishes
//! it again when the record comes again.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::KafkaBus;
use super::member::Quiet;
use crate::bus::{BusError, Delivered, Record};
use crate::envelope::{self, DEAD_LETTER};
use crate::event_store::ParkedRow;

/// The largest letter that is tried: brokers take a little over 1 MiB by default, and a letter has
/// more headers than its record.
const MAX_LETTER_BYTES: &str = "1048576";
/// How long the brokers may take to have it. Who waits for it tries again.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(10);

/// A key or header up to this stands also in a letter that has to leave something behind, in bytes.
const SMALL: usize = 1024;
/// And as many of them as have room in this, in bytes: a record may be large by many small headers.
const SMALL_TOGETHER: usize = 64 * 1024;

/// Publishes the record of `row`, and returns once all replicas have it. Of a record that leaves no
/// room for the reason the value stays behind, and keys and headers that are large: the row has them,
/// and a letter that no broker takes would hold up all that is behind it.
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
    crate::crash_point!("letter.before-produce");
    let why = why(bus, record, row);
    let mut sent = send(bus, record, original, &why).await;
    if sent.as_ref().is_err_and(is_too_large) {
        sent = send(bus, record, &small(original), &why).await;
    }
    crate::crash_point!("letter.after-produce");
    sent.map_err(BusError::from)
}

async fn send(
    bus: &KafkaBus,
    record: &Delivered,
    original: &Record,
    why: &[String; DEAD_LETTER.len()],
) -> Result<(), KafkaError> {
    let mut headers = OwnedHeaders::new();
    for (key, value) in &original.headers {
        let value = Some(value.as_ref());
        headers = headers.insert(Header { key, value });
    }
    for (key, value) in DEAD_LETTER.into_iter().zip(why) {
        let value = Some(value);
        headers = headers.insert(Header { key, value });
    }
    let topic = bus.place.dead_letters(record.partition.topic);
    let mut letter = FutureRecord::<[u8], [u8]>::to(&topic).headers(headers);
    if let Some(key) = &original.key {
        letter = letter.key(key);
    }
    letter.payload = original.payload.as_deref();
    let sent = producer(bus)?.send(letter, PUBLISHED_WITHIN).await;
    sent.map(drop).map_err(|(e, _)| e)
}

/// What of a record fits into any letter.
fn small(original: &Record) -> Record {
    let mut room = SMALL_TOGETHER;
    let mut fits = |bytes: usize| {
        let fits = bytes <= SMALL && bytes <= room;
        if fits {
            room -= bytes;
        }
        fits
    };
    let key = original.key.clone().filter(|key| fits(key.len()));
    let headers = original.headers.iter();
    let headers = headers.filter(|(name, value)| fits(name.len() + value.len()));
    Record {
        key,
        payload: None,
        headers: headers.cloned().collect(),
    }
}

fn is_too_large(e: &KafkaError) -> bool {
    let code = e.rdkafka_error_code();
    code == Some(RDKafkaErrorCode::MessageSizeTooLarge)
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

fn producer(bus: &KafkaBus) -> Result<&FutureProducer<Quiet>, KafkaError> {
    if let Some(producer) = bus.letters.get() {
        return Ok(producer);
    }
    let made = bus
        .place
        .client("dead-letters")
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("message.max.bytes", MAX_LETTER_BYTES)
        .set(
            "message.timeout.ms",
            PUBLISHED_WITHIN.as_millis().to_string(),
        )
        .create_with_context(Quiet)?;
    Ok(bus.letters.get_or_init(|| made))
}
