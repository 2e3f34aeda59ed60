//! Reads partitions from one offset to another, outside of any group.
//!
//! A reader holds nothing but its place: one that is cut off is begun again there.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use domain::Service;
use futures::{FutureExt, StreamExt};
use rdkafka::Message;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::member::Quiet;
use super::record::record;
use super::{KafkaPlace, KafkaPublisher, NO_GROUP};
use crate::bus::{BusError, Ends, Partition, PartitionReader, Publisher, Record, TopicReader};

/// Records that are returned at once: some megabytes, and larger pages read no faster.
const PAGE: usize = 1000;
/// Records that the client fetches ahead, and memory for them in KiB: a few pages. The wait where so
/// much is there; the default of a second starves a fast reader.
const FETCHED: &str = "2000";
const FETCHED_KIB: &str = "4096";
const FETCH_AGAIN_MS: &str = "5";
/// How long the brokers may take for the next record. Who waits for it begins again.
const WITHIN: Duration = Duration::from_secs(10);

/// Reads the topics of a place.
#[derive(Clone)]
pub struct KafkaReader {
    place: KafkaPlace,
    publisher: KafkaPublisher,
}

impl KafkaReader {
    /// Connects only when it is used.
    pub fn new(place: KafkaPlace) -> Self {
        Self {
            publisher: KafkaPublisher::new(place.clone()),
            place,
        }
    }
}

#[async_trait]
impl TopicReader for KafkaReader {
    fn topic(&self, service: Service) -> String {
        self.place.topic(service)
    }

    async fn ends(&self, service: Service) -> Result<Option<BTreeMap<i32, Ends>>, BusError> {
        self.publisher.ends(service).await
    }

    fn partition_of(&self, key: &[u8], partitions: usize) -> i32 {
        let positive = murmur2(key) & 0x7fff_ffff;
        let partitions = u32::try_from(partitions).unwrap_or(u32::MAX).max(1);
        i32::try_from(positive % partitions).unwrap_or_default()
    }

    fn read(
        &self,
        partition: Partition,
        from: i64,
        end: i64,
    ) -> Result<Box<dyn PartitionReader>, BusError> {
        let consumer: StreamConsumer<Quiet> = self
            .place
            .client("reader")
            .set("group.id", NO_GROUP)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // What is gone is told, and not jumped over.
            .set("auto.offset.reset", "error")
            // Offsets may have holes, the last ones too.
            .set("enable.partition.eof", "true")
            .set("queued.min.messages", FETCHED)
            .set("queued.max.messages.kbytes", FETCHED_KIB)
            .set("fetch.queue.backoff.ms", FETCH_AGAIN_MS)
            .create_with_context(Quiet)?;
        let mut at = TopicPartitionList::new();
        let topic = self.topic(partition.topic);
        at.add_partition_offset(&topic, partition.number, Offset::Offset(from))?;
        consumer.assign(&at)?;
        Ok(Box::new(KafkaPartition {
            consumer: Some(consumer),
            end,
            over: from >= end,
        }))
    }
}

struct KafkaPartition {
    /// None only while it is dropped.
    consumer: Option<StreamConsumer<Quiet>>,
    end: i64,
    over: bool,
}

#[async_trait]
impl PartitionReader for KafkaPartition {
    async fn next(&mut self) -> Result<Vec<(i64, Record)>, BusError> {
        let mut page = vec![];
        let Some(consumer) = &self.consumer else {
            return Ok(page);
        };
        let mut stream = consumer.stream();
        while !self.over && page.len() < PAGE {
            let answer = match page.is_empty() {
                true => match timeout(WITHIN, stream.next()).await {
                    Ok(answer) => answer,
                    Err(_) => return Err(BusError(format!("no record within {WITHIN:?}"))),
                },
                false => match stream.next().now_or_never() {
                    Some(answer) => answer,
                    None => break,
                },
            };
            match answer {
                Some(Ok(message)) if message.offset() < self.end => {
                    page.push((message.offset(), record(&message)));
                    self.over = message.offset() + 1 >= self.end;
                }
                Some(Ok(_)) | None | Some(Err(KafkaError::PartitionEOF(_))) => self.over = true,
                Some(Err(e)) if mends_itself(&e) => {
                    tracing::debug!(error = %e, "the client goes on by itself");
                }
                Some(Err(e))
                    if e.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) =>
                {
                    let gone = "the topic no longer keeps the records that come next";
                    return Err(BusError(gone.to_owned()));
                }
                Some(Err(e)) => return Err(e.into()),
            }
        }
        Ok(page)
    }
}

impl Drop for KafkaPartition {
    /// A consumer ends its threads before it is gone, which may take a moment.
    fn drop(&mut self) {
        let consumer = self.consumer.take();
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn_blocking(move || drop(consumer)));
        }
    }
}

fn mends_itself(e: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve};
    matches!(
        e.rdkafka_error_code(),
        Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut | Resolve)
    )
}

/// The hash of a key as the partitioner `murmur2_random` and Kafka's own clients have it.
fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    // Keys are far shorter than 4 GiB.
    let mut hash = SEED ^ u32::try_from(key.len()).unwrap_or(u32::MAX);
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(M);
        word ^= word >> 24;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (n, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * n);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hash_as_they_do_in_kafkas_own_clients() {
        for (key, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }
}
