//! A log, a topic and a relay between them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use domain::Service;
use infra::bus::{KafkaPlace, KafkaPublisher, Publisher, Record, Topics, create_topics};
use infra::envelope;
use infra::event_store::{Append, Checkpoint, EventStore, StoredFact};
use infra::relay::{CHECKPOINT, LEASE, Relay, RelayStatus};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::Running;
use crate::contract::{ALL, Embedded, Stores, stream, to};
use crate::support::{eventually, kafka_brokers, own_prefix};

pub const PARTITIONS: i32 = 3;

pub struct Given {
    pub store: Arc<dyn EventStore>,
    pub publisher: Arc<KafkaPublisher>,
    pub status: RelayStatus,
    pub place: KafkaPlace,
    pub brokers: String,
    _folder: Embedded,
}

impl Given {
    /// None where there are no brokers.
    pub async fn start() -> Option<Self> {
        Some(Self::start_at(&kafka_brokers()?).await)
    }

    pub async fn start_at(brokers: &str) -> Self {
        let folder = Embedded::start().await;
        let place = KafkaPlace::new(brokers, &own_prefix(), BTreeMap::new());
        make_topics(&place).await;
        Self {
            store: folder.of(Service::Payment),
            publisher: Arc::new(KafkaPublisher::new(place.clone())),
            status: RelayStatus::default(),
            place,
            brokers: brokers.to_owned(),
            _folder: folder,
        }
    }

    /// From now on nobody listens where the brokers should be.
    pub fn away(&mut self) {
        let nobody = KafkaPlace::new("127.0.0.1:1", "away_", BTreeMap::new());
        self.publisher = Arc::new(KafkaPublisher::new(nobody));
    }

    pub fn relay(&self) -> Relay {
        Relay {
            store: self.store.clone(),
            publisher: self.publisher.clone(),
            status: self.status.clone(),
            recheck: Duration::from_millis(200),
        }
    }

    pub async fn run(&self) -> Running {
        let lasts = Duration::from_secs(600);
        let lease = self.store.acquire(LEASE, "test", lasts).await.unwrap();
        Running::of(self.relay(), lease.unwrap().epoch)
    }

    pub async fn checkpoint(&self) -> Checkpoint {
        let stored = self.store.checkpoint(CHECKPOINT).await.unwrap();
        stored.unwrap_or_default()
    }

    pub async fn log(&self) -> Vec<StoredFact> {
        self.store.read_log(0, ALL).await.unwrap()
    }

    /// Waits until the checkpoint is at the end of the log, and the relay has not halted.
    pub async fn relayed(&self) {
        let last = self.store.last_position().await.unwrap();
        eventually(
            || async { (self.checkpoint().await, self.status.now()) },
            |(at, _)| at.position == last && at.halted.is_none(),
        )
        .await;
    }

    pub async fn halted(&self) -> String {
        let seen = eventually(|| self.checkpoint(), |seen| seen.halted.is_some()).await;
        seen.halted.unwrap()
    }

    /// The facts on the topic, partition by partition.
    pub async fn topic(&self) -> Vec<StoredFact> {
        let records = self.read().await;
        records
            .iter()
            .map(|record| envelope::fact_of(record).unwrap())
            .collect()
    }

    /// The ids on the topic, and whether there is a value.
    pub async fn records(&self) -> Vec<(String, bool)> {
        let records = self.read().await;
        let id = |record: &Record| envelope::id_of(record).unwrap().to_string();
        records
            .iter()
            .map(|record| (id(record), record.payload.is_some()))
            .collect()
    }

    pub fn admin(&self) -> (AdminClient<DefaultClientContext>, AdminOptions) {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.brokers);
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
        (client.create().unwrap(), options)
    }

    /// The topic is gone, and there is another of its name.
    pub async fn make_anew(&self) {
        let (client, options) = self.admin();
        let topic = self.publisher.topic(Service::Payment);
        client.delete_topics(&[&topic], &options).await.unwrap();
        let ends = || self.publisher.ends(Service::Payment);
        eventually(ends, |seen| matches!(seen, Ok(None)))
            .await
            .unwrap();
        make_topics(&self.place).await;
    }

    pub async fn read(&self) -> Vec<Record> {
        // A topic that is new is not known everywhere for a moment.
        let look = || self.publisher.ends(Service::Payment);
        let ends = eventually(look, |seen| matches!(seen, Ok(Some(_))))
            .await
            .unwrap();
        let topic = self.publisher.topic(Service::Payment);
        let brokers = self.brokers.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut records = vec![];
            for (partition, ends) in ends.unwrap() {
                let mut client = ClientConfig::new();
                client
                    .set("bootstrap.servers", &brokers)
                    .set("group.id", "unused");
                let consumer: BaseConsumer = client.create().unwrap();
                let mut at = TopicPartitionList::new();
                at.add_partition_offset(&topic, partition, Offset::Offset(ends.low))
                    .unwrap();
                consumer.assign(&at).unwrap();
                for _ in ends.low..ends.high {
                    let message = consumer.poll(Duration::from_secs(10)).unwrap().unwrap();
                    let bytes = |bytes: &[u8]| bytes.to_vec().into();
                    let headers = message.headers().unwrap().iter();
                    records.push(Record {
                        key: message.key().map(bytes),
                        payload: message.payload().map(bytes),
                        headers: headers
                            .map(|header| {
                                (header.key.to_owned().into(), bytes(header.value.unwrap()))
                            })
                            .collect(),
                    });
                }
            }
            records
        });
        read.await.unwrap()
    }
}

pub async fn make_topics(place: &KafkaPlace) {
    let like = Topics {
        partitions: PARTITIONS,
        replication: 1,
    };
    eventually(|| create_topics(place, like), Result::is_ok)
        .await
        .unwrap();
}

/// Appends some facts, to a few streams.
pub async fn batch(given: &Given, count: u64) {
    let mut all = Append::default();
    for _ in 0..count / 10 {
        let one = to(&stream(), 0, 10);
        all.expect.extend(one.expect);
        all.facts.extend(one.facts);
    }
    given.store.append(all).await.unwrap();
}

/// That no fact is missing, that of each stream the first occurrences are in order, and that every
/// fact reads as it is in the log.
pub async fn assert_first_occurrences_are_the_log(given: &Given, topic: &[StoredFact]) {
    let mut seen = HashSet::new();
    let mut at = BTreeMap::new();
    for fact in topic.iter().filter(|fact| seen.insert(fact.id.clone())) {
        let last = at.insert(fact.id.stream.to_string(), fact.id.sequence);
        assert_eq!(last.unwrap_or(0) + 1, fact.id.sequence, "{}", fact.id);
    }
    let mut first: Vec<_> = topic.to_vec();
    first.sort_by_key(|fact| fact.position);
    first.dedup();
    assert!(first == given.log().await, "topic and log differ");
}
