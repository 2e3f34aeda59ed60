//! The bus: facts of one service on their way to consumers of others.
//!
//! A topic carries the facts of one service, in partitions; facts of one key are in one partition
//! and in order. A consumer group takes each fact at least once: what it has not committed comes
//! again after a crash or a rebalance.

mod feed;

use async_trait::async_trait;
use domain::Service;

use crate::clock;
use crate::event_store::{ParkedRow, StoredFact};

pub use feed::FeedBus;

/// Where a record came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// Whose facts the topic carries.
    pub topic: Service,
    /// Its number there.
    pub number: i32,
}

/// A record that a consumer group is to take.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// Where it came from.
    pub partition: Partition,
    /// Its number there.
    pub offset: i64,
    /// What it is about: records of one key are taken in order.
    pub key: String,
    /// The fact, still encoded.
    pub fact: StoredFact,
}

impl Delivered {
    /// The row that keeps it for `group`, which could not take it.
    pub fn parked(&self, group: &str, class: &str, reason: &str, attempts: u32) -> ParkedRow {
        ParkedRow {
            group: group.to_owned(),
            topic: self.partition.topic.name().to_owned(),
            key: self.key.clone(),
            partition: self.partition.number,
            offset: self.offset,
            fact: Some(self.fact.id.to_string()),
            class: class.to_owned(),
            reason: reason.to_owned(),
            attempts,
            parked_at: clock::now(),
        }
    }
}

/// A way to subscribe.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Joins the consumer group `group` on the topics of `topics`. A group that is new begins
    /// with the first fact there is.
    ///
    /// # Errors
    /// [`BusError`]
    async fn subscribe(
        &self,
        group: &str,
        topics: &[Service],
    ) -> Result<Box<dyn Subscription>, BusError>;

    /// How many facts of each topic the group has yet to take.
    ///
    /// # Errors
    /// [`BusError`]
    async fn lag(&self, group: &str, topics: &[Service]) -> Result<Vec<(Service, u64)>, BusError>;
}

/// A member of a consumer group.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for records, and returns at most `max` of them, those of a partition in order. May
    /// be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// [`BusError`]; polling again later may help.
    async fn poll(&mut self, max: usize) -> Result<Vec<Delivered>, BusError>;

    /// Says that of each partition everything below an offset is done with.
    ///
    /// # Errors
    /// [`BusError`]
    async fn commit(&mut self, done: &[(Partition, i64)]) -> Result<(), BusError>;
}

/// Why the bus did not answer; trying later may help.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the bus is unavailable: {0}")]
pub struct BusError(pub String);
