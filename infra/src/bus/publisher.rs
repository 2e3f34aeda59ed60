//! The port on the other side of a bus: how facts come onto a topic.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{FactId, Position, Service};
use futures::future::BoxFuture;

use super::{BusError, Record};

/// A way to publish.
#[async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// What the topic of a service is called, for people.
    fn topic(&self, service: Service) -> String;

    /// The offsets of every partition; `None` where there is no such topic.
    ///
    /// # Errors
    /// [`BusError`]
    async fn ends(&self, service: Service) -> Result<Option<BTreeMap<i32, Ends>>, BusError>;

    /// Of every partition the newest fact, by its position, among its last records after the
    /// offset in `after`. Records that are not of waybill are passed over.
    ///
    /// # Errors
    /// [`BusError`]
    async fn newest(
        &self,
        service: Service,
        after: &BTreeMap<i32, i64>,
    ) -> Result<Vec<Published>, BusError>;

    /// Begins to publish facts of a service.
    ///
    /// # Errors
    /// [`BusError`]
    fn begin(&self, service: Service) -> Result<Box<dyn Session>, BusError>;
}

/// One producer. Its records of a partition arrive in the order in which they were sent and without
/// a gap: once one has failed, no later one arrives, and the session is over. Those that are still
/// under way when it is dropped may arrive later, in order too.
pub trait Session: Send {
    /// Sends a record, at once.
    ///
    /// # Errors
    /// [`Refused`]
    fn send(&mut self, record: &Record) -> Result<Ack, Refused>;
}

/// Ends when the brokers have the record for good, or never will by this session. Waits as long as
/// they are away.
pub type Ack = BoxFuture<'static, Result<Acknowledged, BusError>>;

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged {
    /// Its partition.
    pub partition: i32,
    /// Its offset; `None` where the broker had it already and does not say where.
    pub offset: Option<i64>,
}

/// Why a record was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Too many are under way: once some have been acknowledged there is room.
    Full,
    /// No session ever sends it: it is too large.
    Never(String),
    /// This session sends nothing any more; another may.
    Over(String),
}

/// The offsets of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Of the oldest record that is kept.
    pub low: i64,
    /// That the next record will have.
    pub high: i64,
}

/// A fact on a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The partition.
    pub partition: i32,
    /// The offset there.
    pub offset: i64,
    /// Which fact.
    pub id: FactId,
    /// Its position in the log that it came from.
    pub position: Position,
    /// Its time, as text, where the record says it.
    pub time: Option<String>,
}
