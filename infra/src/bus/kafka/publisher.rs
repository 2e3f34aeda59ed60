//! Publishes to Kafka: one idempotent producer a session, never a transaction.
//!
//! The gapless guarantee makes any error that could leave a hole end the whole producer, so that
//! the next session can go on from the first record without an acknowledgement. Records of an old
//! session may still arrive beside those of the next one; both are in order and neither begins
//! after a hole, so the first occurrences are in order.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::Service;
use futures::FutureExt;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::member::Quiet;
use super::{KafkaPlace, NO_GROUP, ask};
use crate::bus::publisher::{Ack, Acknowledged, Ends, Published, Publisher, Refused, Session};
use crate::bus::{BusError, Record};
use crate::envelope;

/// How long the brokers may take to answer one question; then the caller tries again.
const WITHIN: Duration = Duration::from_secs(5);
/// The look for a record of the tail.
const LOOK: Duration = Duration::from_millis(100);
/// Records at the end of a partition that are looked at: past the repeats of a restart that are
/// likely, and read within milliseconds.
const TAIL: i64 = 100;
/// Bytes that wait for the brokers, in KiB.
const WAITING_KIB: &str = "65536";
/// The largest record, in bytes: what brokers take by default, and some more than the largest fact
/// of ours. A larger one has to be refused here: refused by the brokers it would end the session.
const MAX_RECORD_BYTES: &str = "1000000";

/// Publishes to the topics of a place.
#[derive(Clone)]
pub struct KafkaPublisher {
    place: KafkaPlace,
}

impl KafkaPublisher {
    /// Connects only when it is used.
    pub fn new(place: KafkaPlace) -> Self {
        Self { place }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&BaseConsumer<Quiet>) -> Result<T, BusError> + Send + 'static,
    ) -> Result<T, BusError> {
        let mut client = self.place.client("relay-check");
        client
            .set("group.id", NO_GROUP)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error");
        ask(client, question).await
    }
}

#[async_trait]
impl Publisher for KafkaPublisher {
    fn topic(&self, service: Service) -> String {
        self.place.topic(service)
    }

    async fn ends(&self, service: Service) -> Result<Option<BTreeMap<i32, Ends>>, BusError> {
        let topic = self.topic(service);
        self.ask(move |consumer| ends_of(consumer, &topic)).await
    }

    async fn newest(
        &self,
        service: Service,
        after: &BTreeMap<i32, i64>,
    ) -> Result<Vec<Published>, BusError> {
        let (topic, after) = (self.topic(service), after.clone());
        self.ask(move |consumer| {
            let mut newest = vec![];
            for (partition, ends) in ends_of(consumer, &topic)?.unwrap_or_default() {
                let after = after.get(&partition).map_or(0, |offset| offset + 1);
                let from = ends.low.max(after).max(ends.high - TAIL);
                let facts = read(consumer, &topic, partition, from, ends.high)?;
                newest.extend(facts.into_iter().max_by_key(|fact| fact.position));
            }
            Ok(newest)
        })
        .await
    }

    fn begin(&self, service: Service) -> Result<Box<dyn Session>, BusError> {
        let mut client = self.place.client("relay");
        client
            .set("enable.idempotence", "true")
            .set("enable.gapless.guarantee", "true")
            .set("acks", "all")
            .set("message.timeout.ms", "0")
            .set("compression.type", "lz4")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "0")
            .set("message.max.bytes", MAX_RECORD_BYTES)
            .set("queue.buffering.max.kbytes", WAITING_KIB);
        Ok(Box::new(KafkaSession {
            producer: Some(client.create_with_context(Quiet).map_err(BusError::from)?),
            topic: self.topic(service),
        }))
    }
}

struct KafkaSession {
    producer: Option<FutureProducer<Quiet>>,
    topic: String,
}

impl Session for KafkaSession {
    fn send(&mut self, record: &Record) -> Result<Ack, Refused> {
        let Some(producer) = &self.producer else {
            return Err(Refused::Over("the producer is closed".to_owned()));
        };
        let room = OwnedHeaders::new_with_capacity(record.headers.len());
        let headers = record.headers.iter().fold(room, |headers, (key, value)| {
            let value = Some(&value[..]);
            headers.insert(Header { key, value })
        });
        let key = record.key.clone().unwrap_or_default();
        let bare: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&self.topic);
        let mut sent = bare.key(&key[..]).headers(headers);
        sent.payload = record.payload.as_deref();
        match producer.send_result(sent) {
            Ok(sent) => Ok(sent.map(acknowledged).boxed()),
            Err((e, _)) => Err(refused(&e)),
        }
    }
}

impl Drop for KafkaSession {
    /// A producer gives up what is under way before it ends, which may take a moment.
    fn drop(&mut self) {
        let producer = self.producer.take();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || drop(producer));
        }
    }
}

fn acknowledged<T, E>(
    answer: Result<Result<rdkafka::producer::future_producer::Delivery, (KafkaError, T)>, E>,
) -> Result<Acknowledged, BusError> {
    match answer {
        Ok(Ok(at)) => Ok(Acknowledged {
            partition: at.partition,
            offset: Some(at.offset).filter(|offset| *offset >= 0),
        }),
        Ok(Err((e, _))) => Err(e.into()),
        Err(_) => Err(BusError("the producer was closed".to_owned())),
    }
}

fn refused(e: &KafkaError) -> Refused {
    match e.rdkafka_error_code() {
        Some(RDKafkaErrorCode::QueueFull) => Refused::Full,
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => Refused::Never(e.to_string()),
        _ => Refused::Over(e.to_string()),
    }
}

fn ends_of(
    consumer: &BaseConsumer<Quiet>,
    topic: &str,
) -> Result<Option<BTreeMap<i32, Ends>>, BusError> {
    let metadata = consumer.fetch_metadata(Some(topic), WITHIN);
    let metadata = metadata.map_err(BusError::from)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let Some(found) = found else {
        return Ok(None);
    };
    match found.error().map(RDKafkaErrorCode::from) {
        None => {}
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            return Ok(None);
        }
        Some(e) => return Err(BusError(format!("{topic}: {e}"))),
    }
    let ends = found.partitions().iter().map(|partition| {
        let marks = consumer.fetch_watermarks(topic, partition.id(), WITHIN);
        let (low, high) = marks.map_err(BusError::from)?;
        Ok((partition.id(), Ends { low, high }))
    });
    ends.collect::<Result<_, _>>().map(Some)
}

/// The facts of a partition from `from` up to `end`.
fn read(
    consumer: &BaseConsumer<Quiet>,
    topic: &str,
    partition: i32,
    from: i64,
    end: i64,
) -> Result<Vec<Published>, BusError> {
    let mut facts = vec![];
    if from >= end {
        return Ok(facts);
    }
    let mut at = TopicPartitionList::new();
    at.add_partition_offset(topic, partition, Offset::Offset(from))
        .and_then(|()| consumer.assign(&at))
        .map_err(BusError::from)?;
    let until = Instant::now() + WITHIN;
    while Instant::now() < until {
        let Some(message) = consumer.poll(LOOK) else {
            continue;
        };
        let message = message.map_err(BusError::from)?;
        // What was fetched for the partition before this one.
        if message.partition() != partition {
            continue;
        }
        facts.extend(published(&message));
        if message.offset() + 1 >= end {
            return Ok(facts);
        }
    }
    Err(BusError(format!(
        "the end of partition {partition} of {topic} cannot be read"
    )))
}

fn published(message: &impl Message) -> Option<Published> {
    let header = |name: &str| {
        let mut all = message.headers()?.iter();
        let value = all.find(|header| header.key == name)?.value?;
        Some((envelope::header_name(name), Bytes::copy_from_slice(value)))
    };
    let record = Record {
        headers: vec![header("ce_id")?],
        ..Record::default()
    };
    let (_, position) = header("ce_position")?;
    Some(Published {
        partition: message.partition(),
        offset: message.offset(),
        id: envelope::id_of(&record)?,
        position: std::str::from_utf8(&position).ok()?.parse().ok()?,
        time: header("ce_time").and_then(|(_, time)| String::from_utf8(time.into()).ok()),
    })
}
