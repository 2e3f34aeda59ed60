//! The bus on Kafka: a topic a service, `raw.order-events` and so on, and beside each one
//! `dlq.order-events` for the facts of it that some group could not take.
//!
//! Brokers that are down stop nothing: who subscribes is told within [`ANSWER_WITHIN`] and tries
//! again, and who is subscribed waits until they are back.

mod letters;
mod member;
mod offsets;
mod place;
mod publisher;
mod reader;
mod record;
mod subscription;
mod topics;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use domain::Service;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::FutureProducer;
use tokio::task::spawn_blocking;

use super::{Bus, BusError, Delivered, Partition, Subscription};
use crate::event_store::ParkedRow;
use member::Quiet;
use subscription::KafkaSubscription;

pub use place::{InvalidProperty, KafkaPlace};
pub use publisher::KafkaPublisher;
pub use reader::KafkaReader;
pub use topics::{TopicError, Topics, create_topics};

/// How long brokers may take to answer a question. Who waits for it tries again.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The group of a client that is in none. An empty name is refused, and a prefix may be empty.
const NO_GROUP: &str = "unused";

/// How the members of consumer groups show that they live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// A member that is not heard of for so long has lost its partitions. The brokers bound it.
    pub session_timeout: Duration,
    /// A member whose process does not poll for so long has lost its partitions; at least the
    /// session's. Also how long a member waits for the answer to its joining, which comes when all
    /// others have joined, or never where its connection is dead and does not say so.
    pub max_poll_interval: Duration,
}

/// Members poll also while they write, wait or want no records, and so join within seconds. What they do
/// without polling is a commit, of at most ten.
const POLL_INTERVAL: Duration = Duration::from_secs(15);

impl Membership {
    /// With a session of so long.
    pub fn of(session_timeout: Duration) -> Self {
        Self {
            session_timeout,
            max_poll_interval: POLL_INTERVAL.max(session_timeout),
        }
    }
}

impl Default for Membership {
    fn default() -> Self {
        Self::of(Duration::from_secs(10))
    }
}

/// The brokers.
#[derive(Clone)]
pub struct KafkaBus {
    place: KafkaPlace,
    membership: Membership,
    /// Publishes dead letters; made with the first.
    letters: Arc<OnceLock<FutureProducer<Quiet>>>,
}

impl KafkaBus {
    /// The brokers at `place`. Nothing is asked of them yet.
    pub fn new(place: KafkaPlace, membership: Membership) -> Self {
        Self {
            place,
            membership,
            letters: Arc::default(),
        }
    }

    /// Asks as a client of this group.
    async fn ask<T: Send + 'static>(
        &self,
        group: &str,
        question: impl FnOnce(&BaseConsumer<Quiet>) -> Result<T, BusError> + Send + 'static,
    ) -> Result<T, BusError> {
        let mut client = self.place.client("admin");
        client
            .set("group.id", self.place.group(group))
            // How long a commit waits for the group's coordinator.
            .set("session.timeout.ms", ANSWER_WITHIN.as_millis().to_string());
        ask(client, question).await
    }

    /// That the brokers answer and have these topics.
    async fn has(&self, topics: &[Service]) -> Result<(), BusError> {
        let names: Vec<_> = topics
            .iter()
            .map(|topic| self.place.topic(*topic))
            .collect();
        let look = move |client: &BaseConsumer<Quiet>| {
            let metadata = client.fetch_metadata(None, ANSWER_WITHIN)?;
            let known = |name: &str| metadata.topics().iter().any(|topic| topic.name() == name);
            match names.iter().find(|name| !known(name)) {
                Some(name) => Err(missing(name)),
                None => Ok(()),
            }
        };
        self.ask(NO_GROUP, look).await
    }
}

/// Asks the brokers something with a client of its own, on a thread that may block.
async fn ask<T: Send + 'static>(
    client: ClientConfig,
    question: impl FnOnce(&BaseConsumer<Quiet>) -> Result<T, BusError> + Send + 'static,
) -> Result<T, BusError> {
    let asked = spawn_blocking(move || question(&client.create_with_context(Quiet)?));
    asked.await.map_err(|e| BusError(e.to_string()))?
}

fn missing(topic: &str) -> BusError {
    BusError(format!(
        "the topic {topic} is missing: run `waybill migrate`"
    ))
}

impl From<KafkaError> for BusError {
    fn from(e: KafkaError) -> Self {
        Self(e.to_string())
    }
}

#[async_trait]
impl Bus for KafkaBus {
    async fn subscribe(
        &self,
        group: &str,
        topics: &[Service],
    ) -> Result<Box<dyn Subscription>, BusError> {
        self.has(topics).await?;
        let joined = KafkaSubscription::join(&self.place, self.membership, group, topics)?;
        Ok(Box::new(joined))
    }

    async fn lag(&self, group: &str, topics: &[Service]) -> Result<Vec<(Service, u64)>, BusError> {
        let (place, topics) = (self.place.clone(), topics.to_vec());
        self.ask(group, move |client| offsets::lag(client, &place, &topics))
            .await
    }

    async fn ends(&self, topics: &[Service]) -> Result<Vec<(Partition, i64)>, BusError> {
        let (place, topics) = (self.place.clone(), topics.to_vec());
        self.ask(NO_GROUP, move |client| {
            offsets::ends(client, &place, &topics)
        })
        .await
    }

    async fn offsets(
        &self,
        group: &str,
        topics: &[Service],
    ) -> Result<Vec<(Partition, i64)>, BusError> {
        let (place, topics) = (self.place.clone(), topics.to_vec());
        self.ask(group, move |client| offsets::next(client, &place, &topics))
            .await
    }

    async fn begin_at(&self, group: &str, offsets: &[(Partition, i64)]) -> Result<(), BusError> {
        let (place, offsets) = (self.place.clone(), offsets.to_vec());
        self.ask(group, move |client| {
            offsets::begin_at(client, &place, &offsets)
        })
        .await
    }

    async fn dead_letter(&self, record: &Delivered, row: &ParkedRow) -> Result<(), BusError> {
        letters::publish(self, record, row).await
    }

    async fn ready(&self) -> Result<(), BusError> {
        self.has(&Service::ALL).await
    }
}
