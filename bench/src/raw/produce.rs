//! Kafka by itself: producing with the settings of a relay that loses nothing, and consuming.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use infra::bus::Record;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{
    DeliveryResult, FutureProducer, FutureRecord, Producer, ProducerContext, ThreadedProducer,
};
use rdkafka::{ClientConfig, ClientContext};

use crate::kafka;

/// Records under way, at most: as the relay's.
const WINDOW: &str = "10000";
/// Until everything that was sent has been acknowledged.
const ACKNOWLEDGED: Duration = Duration::from_secs(30);
/// A pause where the producer has no room.
const FULL: Duration = Duration::from_micros(100);

/// As safe as the relay's.
fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("partitioner", "murmur2_random")
        .set("linger.ms", "0")
        .set("queue.buffering.max.messages", WINDOW);
    config
}

#[derive(Clone, Default)]
struct Acknowledged(Arc<AtomicU64>);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Produces all records to a topic, and says how many a second until the last was acknowledged.
pub fn all(brokers: &str, topic: &str, records: &[Record]) -> anyhow::Result<f64> {
    let acknowledged = Acknowledged::default();
    let producer: ThreadedProducer<Acknowledged> =
        config(brokers).create_with_context(acknowledged.clone())?;
    // The first question that a producer asks is not what is measured.
    producer
        .client()
        .fetch_metadata(Some(topic), ACKNOWLEDGED)?;
    let begun = Instant::now();
    for record in records {
        let mut next = kafka::raw(topic, record);
        while let Err((e, back)) = producer.send(next) {
            let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            if e != full {
                bail!("cannot produce to {topic}: {e}");
            }
            next = back;
            thread::sleep(FULL);
        }
    }
    producer.flush(ACKNOWLEDGED)?;
    let took = begun.elapsed();
    let done = acknowledged.0.load(Ordering::Relaxed);
    ensure!(
        done == records.len() as u64,
        "{done} records of {} arrived",
        records.len()
    );
    Ok(records.len() as f64 / took.as_secs_f64())
}

/// Consumes all of a topic, and says how many records a second.
pub fn consume(brokers: &str, topic: &str) -> anyhow::Result<f64> {
    let reader = kafka::reader(brokers)?;
    let count = kafka::assign(&reader, topic)?;
    ensure!(count > 0, "{topic} is empty");
    let (mut seen, mut bytes, mut begun) = (0_u64, 0, None);
    let until = Instant::now() + ACKNOWLEDGED;
    while seen < count {
        ensure!(Instant::now() < until, "{topic} cannot be read to its end");
        let Some(message) = reader.poll(FULL) else {
            continue;
        };
        // Until the first record comes it connects.
        begun.get_or_insert_with(Instant::now);
        seen += 1;
        bytes += rdkafka::Message::payload(&message?).map_or(0, <[u8]>::len);
    }
    ensure!(bytes > 0, "the records of {topic} are empty");
    let took = begun.map_or(Duration::ZERO, |begun| begun.elapsed());
    Ok(seen as f64 / took.as_secs_f64())
}

/// One record at a time, each awaited.
pub struct One {
    producer: FutureProducer,
    topic: String,
}

impl One {
    pub fn to(brokers: &str, topic: &str) -> anyhow::Result<Self> {
        Ok(Self {
            producer: config(brokers).create()?,
            topic: topic.to_owned(),
        })
    }

    /// Returns once the record is acknowledged.
    pub async fn send(&self, key: &[u8], payload: &[u8]) -> anyhow::Result<()> {
        let record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&self.topic);
        let sent = self.producer.send_result(record.key(key).payload(payload));
        let sent = sent.map_err(|(e, _)| e)?;
        sent.await?.map_err(|(e, _)| e)?;
        Ok(())
    }
}
