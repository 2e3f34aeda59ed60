//! The event store: one log of facts a service, and what has to change in the same transaction.
//!
//! The store is also the outbox: facts are published from the log and never deleted. Its parts
//! are separate traits, so that a loop can be given only what it needs; every adapter has all of
//! them and passes the one contract suite.

pub mod cqrs;
mod embedded;
mod parked;
mod postgres;
mod requests;
mod rows;

use std::collections::HashSet;
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use domain::values::{OrderId, Timestamp};
use domain::{Category, FactId, Position, Sequence, Service, StreamId};
use tokio::sync::watch;

pub use embedded::{Database, DatabaseError, EmbeddedEventStore};
pub use parked::{
    Ended, How, Original, ParkedId, ParkedRow, Redrive, Replacement, Text, UNKNOWN_VERSION, WAITING,
};
pub use postgres::{
    InvalidPlace, MigrateError, Migrated, PostgresEventStore, PostgresPlace, migrate,
};
pub use requests::{Append, MAX_FACT_BYTES, MAX_FACTS};
pub use rows::{Checkpoint, DueRow, Lease, NewFact, StoredFact, StoredReply, TaskCount};

/// What a store of a service can do.
pub trait EventStore: Log + Leases + DueRows + ParkedRows + Checkpoints + Debug {
    /// Whose facts it keeps.
    fn service(&self) -> Service;
}

/// The facts of one service, in the order in which they became visible.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// Appends facts, or refuses, as a whole: facts, idempotency row and due rows become durable
    /// and visible in one transaction, before this returns. Concurrent callers share a group
    /// commit; the refusal of one does not touch its neighbours.
    ///
    /// Returns the position of the last fact; 0 where the request had none.
    ///
    /// # Errors
    /// [`AppendError`], see there. After `Unavailable` or `Overloaded` nothing is known to have
    /// been appended, and the same request may be sent again.
    async fn append(&self, request: Append) -> Result<Position, AppendError>;

    /// The facts of a stream after `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<StoredFact>, StoreError>;

    /// The last fact of a stream.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn read_last(&self, stream: &StreamId) -> Result<Option<StoredFact>, StoreError>;

    /// The facts of the log after `after`, in position order, at most `limit`. A reader that has
    /// seen a position never misses a smaller one.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn read_log(&self, after: Position, limit: usize) -> Result<Vec<StoredFact>, StoreError>;

    /// The facts of all streams of `category`, by the bytes of the stream's id and then by sequence:
    /// those behind `after`, whether that is there or not, at most `limit`. Fewer than that are all
    /// that are left.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn read_category(
        &self,
        category: Category,
        after: Option<&FactId>,
        limit: usize,
    ) -> Result<Vec<StoredFact>, StoreError>;

    /// The last position of the log; 0 where it is empty.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn last_position(&self) -> Result<Position, StoreError>;

    /// Whether appends can be made now.
    ///
    /// # Errors
    /// [`StoreError`] says what is wrong.
    async fn ready(&self) -> Result<(), StoreError>;

    /// The reply stored under an idempotency key.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn stored_reply(&self, scope: &str, key: &str)
    -> Result<Option<StoredReply>, StoreError>;

    /// Removes replies that were stored before `before`, and says how many.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn purge_replies(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Changes soon after facts or due rows were appended, by this process at once. A reader
    /// also looks by itself from time to time: a change may be missed.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// Who may run what only one process may run: the relay of a log, its due rows, the decider of
/// the stock.
#[async_trait]
pub trait Leases: Send + Sync + 'static {
    /// Takes the lease `name` where it is free or expired, or renews it where `holder` has it,
    /// until `ttl` from now by the store's clock. `None` where somebody else has it. The epoch
    /// grows with every change of holder.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn acquire(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError>;

    /// Gives the lease back, where `holder` still has it.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn release(&self, name: &str, holder: &str) -> Result<(), StoreError>;
}

/// Open tasks of a service: outside calls to be made and timers to go off.
#[async_trait]
pub trait DueRows: Send + Sync + 'static {
    /// The rows whose time has come by `now`, the longest waiting first, at most `limit`; without
    /// those that are parked and those whose ids are in `busy`.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn due(
        &self,
        now: Timestamp,
        limit: usize,
        busy: &HashSet<String>,
    ) -> Result<Vec<DueRow>, StoreError>;

    /// The earliest time later than `after` at which a row that is not parked becomes due.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// Writes back a row that is to be tried again later, or parked; nothing where it was settled
    /// meanwhile.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn put_back(&self, row: &DueRow) -> Result<(), StoreError>;

    /// The open rows of an order.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn due_of(&self, order: OrderId) -> Result<Vec<DueRow>, StoreError>;

    /// Open rows in trouble ([`DueRow::in_trouble`]), at most `limit`; and how many rows are open in
    /// all.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn troubled(&self, limit: usize) -> Result<(Vec<DueRow>, u64), StoreError>;

    /// How many rows of each task are open; and how many of these, without those that are parked,
    /// have a time before `overdue`. Tasks without rows may be left out.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn count_tasks(&self, overdue: Timestamp) -> Result<Vec<TaskCount>, StoreError>;
}

/// Facts that a consumer could not take, and those of the same key that wait behind them. A row is
/// open until it ends; then it is kept for a while as a record of how, and holds nothing up.
#[async_trait]
pub trait ParkedRows: Send + Sync + 'static {
    /// Keeps a fact, durably; nothing where it is kept already, or was given up before.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn park(&self, row: ParkedRow) -> Result<(), StoreError>;

    /// The open rows of `group`, and where given of `key`, in the order of topic, key, partition
    /// and offset, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn parked(
        &self,
        group: &str,
        key: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError>;

    /// The open rows of `group` behind `after`, in the same order, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn parked_after(
        &self,
        group: &str,
        after: Option<&ParkedId>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError>;

    /// Of each topic and key of `group` behind those of `after` the first open row, at most
    /// `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn parked_heads(
        &self,
        group: &str,
        after: Option<&ParkedId>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError>;

    /// Which of these topics and keys have open rows for `group`.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn parked_among(
        &self,
        group: &str,
        keys: &HashSet<(String, String)>,
    ) -> Result<HashSet<(String, String)>, StoreError>;

    /// A row, open or ended.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn parked_row(&self, id: &ParkedId) -> Result<Option<ParkedRow>, StoreError>;

    /// Writes an open row back, durably, and ends it where it says so; false, and nothing is done,
    /// where somebody else has changed it since it was read.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn replace_parked(&self, row: &ParkedRow) -> Result<bool, StoreError>;

    /// The ended rows of `group`, and where given of `key`, in the same order, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn ended_parked(
        &self,
        group: &str,
        key: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError>;

    /// Forgets rows of `group` that ended before `before`, and says how many. Those with a
    /// replacement stay: they are the only record of what was taken.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn purge_parked(&self, group: &str, before: Timestamp) -> Result<u64, StoreError>;
}

/// How far a reader of the log is.
#[async_trait]
pub trait Checkpoints: Send + Sync + 'static {
    /// What was last set under `name`.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn checkpoint(&self, name: &str) -> Result<Option<Checkpoint>, StoreError>;

    /// Sets it; under a `fence`, a lease's name and epoch, only while that lease has that epoch
    /// (else [`StoreError::Fenced`]). A crash may lose the last ones, never their order.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn set_checkpoint(
        &self,
        name: &str,
        checkpoint: &Checkpoint,
        fence: Option<(&str, u64)>,
    ) -> Result<(), StoreError>;
}

/// Why an append was refused.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A stream is not at the version that the request expects.
    #[error("{0} is not at the expected version")]
    Conflict(StreamId),
    /// The idempotency key has been used; the stored reply is given back.
    #[error("the idempotency key has been used before")]
    Repeated(Box<StoredReply>),
    /// The request can never be appended.
    #[error("the request is not fit to be appended: {0}")]
    Invalid(String),
    /// The store could not say.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a store did not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or cannot write. Trying later may help.
    #[error("the event store is unavailable: {0}")]
    Unavailable(String),
    /// Too many requests wait already. Trying later helps.
    #[error("the event store has too many requests waiting")]
    Overloaded,
    /// What is stored cannot be read. A person has to look.
    #[error("the event store holds something unreadable: {0}")]
    Corrupt(String),
    /// The lease behind the request has a new holder.
    #[error("the lease was lost")]
    Fenced,
}

impl StoreError {
    /// True where trying again later may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Overloaded => true,
            Self::Corrupt(_) | Self::Fenced => false,
        }
    }
}
