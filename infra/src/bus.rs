//! The bus: facts of one service on their way to consumers of others.
//!
//! A topic carries the facts of one service, in partitions; facts of one key are in one partition
//! and in order. A consumer group takes each fact at least once: what it has not committed comes
//! again after a crash or a rebalance.

mod feed;
mod kafka;
mod publisher;
mod reader;

use std::borrow::Cow;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{Recorded, Service};

use crate::clock;
use crate::codec::{self, Unreadable};
use crate::envelope;
use crate::event_store::{Original, ParkedRow, StoredFact};

pub use feed::FeedBus;
pub use kafka::{
    InvalidProperty, KafkaBus, KafkaPlace, KafkaPublisher, KafkaReader, Membership, TopicError,
    Topics, create_topics,
};
pub use publisher::{Ack, Acknowledged, Ends, Published, Publisher, Refused, Session};
pub use reader::{PartitionReader, TopicReader};

/// Where a record came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// Whose facts the topic carries.
    pub topic: Service,
    /// Its number there.
    pub number: i32,
}

/// How much of a reason is kept: it repeats what the record says, which may be as large as a record.
const REASON_CHARS: usize = 1000;

/// A record that a consumer group is to take.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// Where it came from.
    pub partition: Partition,
    /// Its number there.
    pub offset: i64,
    /// What it is about: records of one key are taken in order.
    pub key: String,
    /// The fact, still encoded; or what is wrong with the record.
    pub fact: Result<StoredFact, Unreadable>,
    /// The record as the broker has it; none where the log itself is the bus.
    pub record: Option<Record>,
}

/// A record of a broker: bytes that anybody may have put there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// What decides its partition.
    pub key: Option<Bytes>,
    /// The value.
    pub payload: Option<Bytes>,
    /// Names and values, in their order. The names of ours are not copied.
    pub headers: Vec<(Cow<'static, str>, Bytes)>,
}

impl Delivered {
    /// The fact.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn decode(&self) -> Result<Recorded, Unreadable> {
        match &self.fact {
            Ok(fact) => codec::decode(fact),
            Err(e) => Err(e.clone()),
        }
    }

    /// The id of the fact, where that can be read.
    pub fn fact_id(&self) -> Option<String> {
        let of_record = || self.record.as_ref().and_then(envelope::id_of);
        let id = self.fact.as_ref().ok().map(|fact| fact.id.clone());
        id.or_else(of_record).map(|id| id.to_string())
    }

    /// The row that keeps it for `group`, which could not take it.
    pub fn parked(&self, group: &str, class: &str, reason: &str, attempts: u32) -> ParkedRow {
        ParkedRow {
            group: group.to_owned(),
            topic: self.partition.topic.name().to_owned(),
            key: self.key.clone(),
            partition: self.partition.number,
            offset: self.offset,
            fact: self.fact_id(),
            class: class.to_owned(),
            reason: kept_reason(reason),
            attempts,
            parked_at: clock::now(),
            original: Original::of(self.record.as_ref(), &self.fact),
            replacement: None,
            redrive: None,
            ended: None,
            revision: 0,
        }
    }
}

/// As much of a reason as is kept.
pub(crate) fn kept_reason(reason: &str) -> String {
    reason.chars().take(REASON_CHARS).collect()
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

    /// Behind the last record of each partition there is.
    ///
    /// # Errors
    /// [`BusError`]
    async fn ends(&self, topics: &[Service]) -> Result<Vec<(Partition, i64)>, BusError>;

    /// Where the group goes on in each partition there is; 0 where it has not committed.
    ///
    /// # Errors
    /// [`BusError`]
    async fn offsets(
        &self,
        group: &str,
        topics: &[Service],
    ) -> Result<Vec<(Partition, i64)>, BusError>;

    /// Says where a group begins that has no members.
    ///
    /// # Errors
    /// [`BusError`], also where it has members.
    async fn begin_at(&self, group: &str, offsets: &[(Partition, i64)]) -> Result<(), BusError>;

    /// Publishes a copy of a record that a group could not take, and why; it is durable when this
    /// returns. The parked row is the truth: where there are no topics this does nothing.
    ///
    /// # Errors
    /// [`BusError`]; the copy may be there all the same.
    async fn dead_letter(&self, record: &Delivered, row: &ParkedRow) -> Result<(), BusError>;

    /// Whether facts can flow: the brokers answer, and have the topics.
    ///
    /// # Errors
    /// [`BusError`] says what is missing.
    async fn ready(&self) -> Result<(), BusError>;
}

/// What a poll brought.
#[derive(Debug)]
pub enum Polled {
    /// Records, those of a partition in order.
    Records(Vec<Delivered>),
    /// Partitions that another member is to have. None of their records comes any more, unless they
    /// come back: then from what was committed. Until the next poll, which lets them go, what is
    /// done can still be committed; what is not is abandoned, and comes to the other member.
    Leaving(Vec<Partition>),
}

/// A member of a consumer group. To stay one it has to be polled all the time: without a wish for
/// records, for none.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for at most `max` records; with none wished for, only for partitions that leave. May
    /// be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// [`BusError`]; polling again later may help.
    async fn poll(&mut self, max: usize) -> Result<Polled, BusError>;

    /// Says that of each partition everything below an offset is done with. Partitions that are
    /// another member's by now are passed over.
    ///
    /// # Errors
    /// [`BusError`]
    async fn commit(&mut self, done: &[(Partition, i64)]) -> Result<(), BusError>;
}

/// Why the bus did not answer; trying later may help.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the bus is unavailable: {0}")]
pub struct BusError(pub String);
