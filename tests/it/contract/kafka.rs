//! The bus on Kafka, each test on topics of its own.

mod foreign;
mod large;
mod members;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::{Recorded, Service};
use infra::bus::{Bus, KafkaBus, KafkaPlace, Membership, Record, Topics, create_topics};
use infra::event_store::StoredFact;
use infra::{codec, envelope, ids};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::bus::Buses;
use crate::support::{kafka_brokers, own_prefix};

/// Partitions of each topic.
pub const PARTITIONS: i32 = 4;
/// Brokers of tests allow it; a member that is gone costs no more.
pub const SHORT: Membership = Membership {
    session_timeout: Duration::from_secs(1),
    max_poll_interval: Duration::from_secs(4),
};

/// Topics with a prefix of their own, deleted with it.
pub struct Kafka {
    brokers: String,
    prefix: String,
    producer: FutureProducer,
    /// What the log of a service would count.
    position: AtomicU64,
}

impl Kafka {
    /// None where there are no brokers.
    pub async fn start() -> Option<Self> {
        let brokers = kafka_brokers()?;
        let started = Self {
            prefix: own_prefix(),
            producer: client(&brokers)
                .set("partitioner", "murmur2_random")
                // What is too large, the brokers say.
                .set("message.max.bytes", "2000000")
                .create()
                .unwrap(),
            brokers,
            position: AtomicU64::new(1),
        };
        let like = Topics {
            partitions: PARTITIONS,
            replication: 1,
        };
        create_topics(&started.place(), like).await.unwrap();
        Some(started)
    }

    pub fn place(&self) -> KafkaPlace {
        KafkaPlace::new(&self.brokers, &self.prefix, BTreeMap::new())
    }

    pub fn bus_like(&self, membership: Membership) -> Arc<dyn Bus> {
        Arc::new(KafkaBus::new(self.place(), membership))
    }

    pub fn client(&self) -> ClientConfig {
        client(&self.brokers)
    }

    /// Puts a record on a topic, whatever it is.
    pub async fn put(&self, topic: &str, record: &Record) {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &record.headers {
            let value = Some(value.as_ref());
            headers = headers.insert(Header { key, value });
        }
        let mut to_send = FutureRecord::<[u8], [u8]>::to(topic).headers(headers);
        to_send.key = record.key.as_deref();
        to_send.payload = record.payload.as_deref();
        let sent = self.producer.send(to_send, Duration::from_secs(30)).await;
        sent.unwrap();
    }

    /// The record that the relay makes of a fact.
    pub fn record_of(&self, fact: &Recorded) -> Record {
        let encoded = codec::encode(fact, ids::unique());
        let stored = StoredFact {
            id: fact.id.clone(),
            position: self.position.fetch_add(1, Ordering::Relaxed),
            name: encoded.name.to_string(),
            version: encoded.version.to_string(),
            payload: encoded.payload,
            metadata: encoded.metadata,
        };
        envelope::record_of(&stored).unwrap()
    }
}

fn client(brokers: &str) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", brokers);
    client
}

#[async_trait]
impl Buses for Kafka {
    fn bus(&self) -> Arc<dyn Bus> {
        self.bus_like(SHORT)
    }

    async fn publish(&self, facts: &[Recorded]) {
        let place = self.place();
        let records = facts.iter().map(|fact| {
            let topic = place.topic(fact.fact.category().service());
            (topic, self.record_of(fact))
        });
        let records: Vec<_> = records.collect();
        // All are on their way before the first is waited for.
        let sent = records
            .iter()
            .map(|(topic, record)| self.put(topic, record));
        futures::future::join_all(sent).await;
    }

    /// The brokers stay; members are gone with their handles.
    async fn restart(&mut self) {}
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let (config, place) = (self.client(), self.place());
        // On a thread of its own, since this one may be running the test.
        let cleaned = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
            let of = |service| [place.topic(service), place.dead_letters(service)];
            let topics = Service::ALL.map(of).concat();
            let topics: Vec<_> = topics.iter().map(String::as_str).collect();
            let options = AdminOptions::new();
            let limit = Duration::from_secs(10);
            let deleted =
                async { tokio::time::timeout(limit, admin.delete_topics(&topics, &options)).await };
            runtime.block_on(deleted).is_ok_and(|answer| answer.is_ok())
        });
        if !cleaned.join().is_ok_and(|cleaned| cleaned) {
            println!("topics of {} are left", self.prefix);
        }
    }
}
