//! What lies about on servers, as plain data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fact::Service;

/// A record on a topic of facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Whose topic.
    pub service: Service,
    /// Where on it.
    pub partition: i32,
    /// Where in there.
    pub offset: i64,
    /// Its key.
    pub key: Option<String>,
    /// Its value; bytes that are no UTF-8 are replaced.
    pub value: Option<String>,
    /// Its headers; of a name that is there twice the last.
    pub headers: BTreeMap<String, String>,
}

impl Record {
    /// The id of the fact that it says it is.
    pub fn fact_id(&self) -> Option<&str> {
        self.headers.get("ce_id").map(String::as_str)
    }
}

/// How far a consumer group is on a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offset {
    /// The group, without a prefix.
    pub group: String,
    /// Whose facts.
    pub service: Service,
    /// Of which partition; none where the log itself is read, and offsets are positions.
    pub partition: Option<i32>,
    /// The first that it has not committed.
    pub next: i64,
}

/// A record on a topic of dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Where it came from.
    pub from: Origin,
    /// Its key.
    pub key: Option<String>,
    /// Why, in kebab case.
    pub class: String,
    /// The id of the fact that it says it is.
    pub fact: Option<String>,
}

/// A fact that a group has set aside: the row that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parked {
    /// Where it came from.
    pub from: Origin,
    /// What waits behind it has the same.
    pub key: String,
    /// Why, in kebab case.
    pub class: String,
    /// The id of the fact, where that could be read.
    pub fact: Option<String>,
    /// It still holds up what is behind it.
    pub open: bool,
}

/// Where a record was, and which group could not take it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The group, without a prefix.
    pub group: String,
    /// Whose topic.
    pub service: Service,
    /// Where on it.
    pub partition: i32,
    /// Where in there.
    pub offset: i64,
}

/// The class of what is not broken itself, and waits behind something that is.
pub const WAITING: &str = "waiting";

/// A record that was broken on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poison {
    /// Whose topic.
    pub service: Service,
    /// Where on it.
    pub partition: i32,
    /// Where in there.
    pub offset: i64,
    /// The order, or the SKU, that it is about.
    pub key: String,
    /// Which groups cannot take it; none for all that read the topic.
    pub groups: Option<Vec<String>>,
    /// The id of the fact in whose place it is; none where it was put beside the others.
    #[serde(default)]
    pub instead_of: Option<String>,
}

/// An open task.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Due {
    /// The order.
    pub order: String,
    /// What is to be done, in kebab case.
    pub task: String,
}

/// What is kept under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredReply {
    /// Method and path, as in `POST /api/orders`.
    pub scope: String,
    /// The key.
    pub key: String,
    /// The HTTP status.
    pub status: u16,
    /// The body, byte for byte.
    pub body: String,
    /// The header `Location`.
    pub location: Option<String>,
    /// The consistency token.
    pub token: Option<String>,
}

/// A table of a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Of which view.
    pub view: String,
    /// What it is called, without a prefix.
    pub name: String,
    /// It is the one that readers read.
    pub live: bool,
    /// Its rows, by their keys.
    pub rows: Vec<Row>,
}

/// A row of a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The values of the key: UUIDs in lower case, times in microseconds since 1970.
    pub key: Vec<Value>,
    /// Its cells by column; a cell that nobody has written is missing. `items` is JSON, not a text.
    pub cells: BTreeMap<String, Cell>,
}

/// A cell of a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What it holds.
    pub value: Value,
    /// Its timestamp, where the store tells it.
    pub stamp: Option<i64>,
}
