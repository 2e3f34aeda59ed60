//! Where groups are: what they have committed, and the ends of the partitions. All of this blocks.

use domain::Service;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::member::Quiet;
use super::{ANSWER_WITHIN, KafkaPlace, missing};
use crate::bus::{BusError, Partition};

type Client = BaseConsumer<Quiet>;

/// For each topic how many offsets the client's group has before it.
pub fn lag(
    client: &Client,
    place: &KafkaPlace,
    topics: &[Service],
) -> Result<Vec<(Service, u64)>, BusError> {
    let mut lags = Vec::with_capacity(topics.len());
    for topic in topics {
        let name = place.topic(*topic);
        let mut lag = 0;
        for (number, next) in committed(client, &name)? {
            let (low, high) = client.fetch_watermarks(&name, number, ANSWER_WITHIN)?;
            let next = next.map_or(low, |next| next.max(low));
            lag += u64::try_from(high - next).unwrap_or(0);
        }
        lags.push((*topic, lag));
    }
    Ok(lags)
}

/// Behind the last record of each partition.
pub fn ends(
    client: &Client,
    place: &KafkaPlace,
    topics: &[Service],
) -> Result<Vec<(Partition, i64)>, BusError> {
    let mut ends = vec![];
    for topic in topics {
        let name = place.topic(*topic);
        for number in there(&name, partitions(client, &name)?)? {
            let (_, high) = client.fetch_watermarks(&name, number, ANSWER_WITHIN)?;
            let topic = *topic;
            ends.push((Partition { topic, number }, high));
        }
    }
    Ok(ends)
}

/// What the client's group has committed of each partition; 0 where that is nothing.
pub fn next(
    client: &Client,
    place: &KafkaPlace,
    topics: &[Service],
) -> Result<Vec<(Partition, i64)>, BusError> {
    let mut all = vec![];
    for topic in topics {
        let name = place.topic(*topic);
        for (number, next) in there(&name, committed(client, &name)?)? {
            let topic = *topic;
            all.push((Partition { topic, number }, next.unwrap_or(0)));
        }
    }
    Ok(all)
}

/// Commits offsets for the client's group without being a member of it, which the brokers take
/// while it has none.
pub fn begin_at(
    client: &Client,
    place: &KafkaPlace,
    offsets: &[(Partition, i64)],
) -> Result<(), BusError> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (partition, next) in offsets {
        let name = place.topic(partition.topic);
        list.add_partition_offset(&name, partition.number, Offset::Offset(*next))?;
    }
    if offsets.is_empty() {
        return Ok(());
    }
    client.commit(&list, CommitMode::Sync)?;
    // The library tells of a refused partition only where all are refused.
    let committed = client.committed_offsets(list.clone(), ANSWER_WITHIN)?;
    for element in list.elements() {
        let (name, number) = (element.topic(), element.partition());
        let found = committed.find_partition(name, number).map(|e| e.offset());
        if found != Some(element.offset()) {
            return Err(BusError(format!(
                "partition {number} of {name} did not take an offset: its group is at {found:?}"
            )));
        }
    }
    Ok(())
}

/// The partitions of a topic; none where the brokers do not know it.
fn partitions(client: &Client, name: &str) -> Result<Vec<i32>, BusError> {
    let metadata = client.fetch_metadata(Some(name), ANSWER_WITHIN)?;
    let topics = metadata.topics().iter();
    let partitions = topics.flat_map(|topic| topic.partitions());
    Ok(partitions.map(|partition| partition.id()).collect())
}

/// Those of a topic, which has some.
fn there<T>(name: &str, partitions: Vec<T>) -> Result<Vec<T>, BusError> {
    if partitions.is_empty() {
        return Err(missing(name));
    }
    Ok(partitions)
}

/// What the client's group has committed of each partition of a topic.
fn committed(client: &Client, name: &str) -> Result<Vec<(i32, Option<i64>)>, BusError> {
    let mut asked = TopicPartitionList::new();
    for number in partitions(client, name)? {
        asked.add_partition(name, number);
    }
    let committed = client.committed_offsets(asked, ANSWER_WITHIN)?;
    let next = |offset| match offset {
        Offset::Offset(next) => Some(next),
        _ => None,
    };
    let elements = committed.elements();
    let of_each = elements.iter().map(|e| (e.partition(), next(e.offset())));
    Ok(of_each.collect())
}
