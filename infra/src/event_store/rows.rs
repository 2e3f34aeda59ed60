//! What a store keeps, as its readers see it.

use bytes::Bytes;
use domain::values::{OrderId, Timestamp};
use domain::{FactId, Position, Sequence, StreamId, Task};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::origin::Origin;

/// A fact to be appended, encoded.
#[derive(Debug, Clone)]
pub struct NewFact {
    /// Its stream.
    pub stream: StreamId,
    /// Its number there: the expected version + 1, + 2, ...
    pub sequence: Sequence,
    /// Its name, as in `order.created`.
    pub name: &'static str,
    /// The version of its payload's shape, a whole number as text.
    pub version: &'static str,
    /// One JSON object that names itself.
    pub payload: Bytes,
    /// A flat JSON object of strings.
    pub metadata: Bytes,
}

/// A fact as it stands in the log, still encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFact {
    /// Stream and sequence.
    pub id: FactId,
    /// Its number within the log.
    pub position: Position,
    /// Its name, as in `order.created`.
    pub name: String,
    /// The version of its payload's shape, a whole number as text.
    pub version: String,
    /// One JSON object that names itself.
    pub payload: Bytes,
    /// A flat JSON object of strings.
    pub metadata: Bytes,
}

/// What a request with an idempotency key was answered, kept in the transaction of its facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredReply {
    /// Method and path, for a key means nothing elsewhere.
    pub scope: String,
    /// The caller's key.
    pub key: String,
    /// SHA-256 of the canonical body: another body under the same key is a mistake.
    pub hash: [u8; 32],
    /// The HTTP status.
    pub status: u16,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// The `Location` header.
    pub location: Option<String>,
    /// The consistency token.
    pub token: Option<String>,
    /// When it was stored.
    pub stored_at: Timestamp,
}

/// An open task: an outside call to be made, or a timer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueRow {
    /// Whose.
    pub order: OrderId,
    /// What to do.
    #[serde(with = "task_name")]
    pub task: Task,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When to do it.
    pub not_before: Timestamp,
    /// How often it failed since it last went well.
    pub failures: u32,
    /// How many of these failures were of an unknown kind; a few of them park it.
    pub attempts: u32,
    /// What went wrong the last time.
    pub problem: Option<String>,
    /// A person has to look: it is not tried any more.
    pub parked: bool,
    /// What the facts that come of it will say about their cause.
    pub origin: Origin,
}

impl DueRow {
    /// The row's id: there is at most one task of a kind open for an order. It is also the key
    /// under which a provider knows the call.
    pub fn id(&self) -> String {
        Self::id_of(self.order, self.task)
    }

    /// True where a person should look: it is parked, or has failed three times in a row. A call
    /// that times out once is nobody's concern.
    pub fn in_trouble(&self) -> bool {
        self.parked || self.failures >= 3
    }

    /// The id of the row of `task` for `order`.
    pub fn id_of(order: OrderId, task: Task) -> String {
        format!("{order}:{task}")
    }

    /// Whose id it is.
    pub(super) fn task_of(id: &str) -> Option<Task> {
        id.rsplit_once(':')?.1.parse().ok()
    }
}

/// How many rows of a task there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskCount {
    /// The task.
    pub task: Task,
    /// All of them.
    pub open: u64,
    /// Those whose time came long ago.
    pub overdue: u64,
}

mod task_name {
    use domain::Task;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(task: &Task, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(task.name())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Task, D::Error> {
        let name = String::deserialize(from)?;
        name.parse().map_err(D::Error::custom)
    }
}

/// A lease that is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who has it.
    pub holder: String,
    /// Grows with every change of holder.
    pub epoch: u64,
    /// Until when, by the store's clock.
    pub until: Timestamp,
}

/// How far a reader is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The last position that is done with.
    pub position: Position,
    /// For the relay: the last acknowledged offset of every partition; -1 where there is none yet.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub offsets: BTreeMap<i32, i64>,
    /// For the relay: why it has stopped until a person has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted: Option<String>,
}
