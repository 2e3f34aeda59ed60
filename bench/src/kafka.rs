//! Records by the thousand: put onto a topic beforehand, and read back to see that all are there.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use infra::bus::Record;
use infra::envelope;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{ClientConfig, Message};

/// The brokers may take so long for one question.
const ANSWER: Duration = Duration::from_secs(10);

/// A record as librdkafka takes it.
pub fn raw<'a>(topic: &'a str, record: &'a Record) -> BaseRecord<'a, [u8], [u8]> {
    let room = OwnedHeaders::new_with_capacity(record.headers.len());
    let headers = record.headers.iter().fold(room, |headers, (key, value)| {
        let value = Some(&value[..]);
        headers.insert(Header { key, value })
    });
    let mut raw = BaseRecord::to(topic).headers(headers);
    raw.key = record.key.as_deref();
    raw.payload = record.payload.as_deref();
    raw
}

/// A consumer of whole topics, in no group.
pub fn reader(brokers: &str) -> anyhow::Result<BaseConsumer> {
    let reader = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "bench-reader")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .create()?;
    Ok(reader)
}

/// Assigns all of a topic from its beginning, and says how many records it has.
pub fn assign(reader: &BaseConsumer, topic: &str) -> anyhow::Result<u64> {
    let metadata = reader.fetch_metadata(Some(topic), ANSWER)?;
    let found = metadata.topics().first().context("the topic")?;
    let (mut all, mut count) = (TopicPartitionList::new(), 0);
    for partition in found.partitions() {
        let (low, high) = reader.fetch_watermarks(topic, partition.id(), ANSWER)?;
        count += u64::try_from(high - low)?;
        all.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    reader.assign(&all)?;
    Ok(count)
}

/// How many records a topic has.
pub fn count(brokers: &str, topic: &str) -> anyhow::Result<u64> {
    assign(&reader(brokers)?, topic)
}

/// Checks that the topic has so many facts, those of each stream from its first on, in order and
/// without a hole. A repeat of what was there is none.
pub fn check_complete(brokers: &str, topic: &str, facts: u64) -> anyhow::Result<()> {
    let reader = reader(brokers)?;
    let count = assign(&reader, topic)?;
    let (mut last, mut seen, mut distinct) = (HashMap::<String, u64>::new(), 0, 0);
    let until = Instant::now() + ANSWER * 6;
    while seen < count {
        ensure!(Instant::now() < until, "{topic} cannot be read to its end");
        let Some(message) = reader.poll(Duration::from_millis(100)) else {
            continue;
        };
        let message = message?;
        seen += 1;
        let headers = message.headers().context("headers")?;
        let mut id = headers.iter().filter(|header| header.key == "ce_id");
        let record = Record {
            headers: id
                .next()
                .and_then(|header| header.value)
                .map(|value| ("ce_id".into(), value.to_vec().into()))
                .into_iter()
                .collect(),
            ..Record::default()
        };
        let id = envelope::id_of(&record).context("the id of a fact")?;
        let before = last.entry(id.stream.to_string()).or_default();
        ensure!(id.sequence <= *before + 1, "a hole before {id}");
        if id.sequence == *before + 1 {
            *before += 1;
            distinct += 1;
        }
    }
    ensure!(distinct == facts, "{topic} has {distinct} facts of {facts}");
    Ok(())
}
