//! How far behind a group is: what it committed, held against the ends of its partitions.

use domain::Service;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::ANSWER_WITHIN;
use super::KafkaPlace;
use super::member::Quiet;
use crate::bus::BusError;

/// For each topic how many offsets the client's group has before it. Blocks.
pub fn of(
    client: &BaseConsumer<Quiet>,
    place: &KafkaPlace,
    topics: &[Service],
) -> Result<Vec<(Service, u64)>, BusError> {
    let mut lags = Vec::with_capacity(topics.len());
    for topic in topics {
        let name = place.topic(*topic);
        let metadata = client.fetch_metadata(Some(&name), ANSWER_WITHIN)?;
        let partitions = metadata
            .topics()
            .iter()
            .flat_map(|topic| topic.partitions());
        let mut asked = TopicPartitionList::new();
        for partition in partitions {
            asked.add_partition(&name, partition.id());
        }
        let committed = client.committed_offsets(asked, ANSWER_WITHIN)?;
        let mut lag = 0;
        for element in committed.elements() {
            let (low, high) = client.fetch_watermarks(&name, element.partition(), ANSWER_WITHIN)?;
            let next = match element.offset() {
                Offset::Offset(next) => next.max(low),
                _ => low,
            };
            lag += u64::try_from(high - next).unwrap_or(0);
        }
        lags.push((*topic, lag));
    }
    Ok(lags)
}
