use std::collections::BTreeMap;
use std::time::Duration;

use infra::bus::Record;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// How long the brokers may take to answer.
const WITHIN: Duration = Duration::from_secs(10);

/// Everything on a topic, by partition. Blocks.
pub fn read(brokers: &str, topic: &str) -> BTreeMap<i32, Vec<Record>> {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", brokers)
        .set("group.id", "unused");
    let consumer: BaseConsumer = client.create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), WITHIN).unwrap();
    let partitions = metadata.topics()[0].partitions().iter();
    let read = |number| (number, read_partition(&client, topic, number));
    partitions.map(|partition| read(partition.id())).collect()
}

fn read_partition(client: &ClientConfig, topic: &str, number: i32) -> Vec<Record> {
    let consumer: BaseConsumer = client.create().unwrap();
    let (mut at, high) = consumer.fetch_watermarks(topic, number, WITHIN).unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic, number, Offset::Offset(at))
        .unwrap();
    consumer.assign(&from).unwrap();
    let mut records = vec![];
    while at < high {
        let message = consumer.poll(WITHIN);
        let message = message.unwrap_or_else(|| panic!("{topic} {number}: no {at} of {high}"));
        let message = message.unwrap();
        at = message.offset() + 1;
        let bytes = |bytes: &[u8]| bytes.to_vec().into();
        let headers = message.headers().unwrap().iter();
        records.push(Record {
            key: message.key().map(bytes),
            payload: message.payload().map(bytes),
            headers: headers
                .map(|header| (header.key.to_owned().into(), bytes(header.value.unwrap())))
                .collect(),
        });
    }
    records
}
