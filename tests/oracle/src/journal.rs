//! What customers asked and were told, as lines of JSON in any order.
//!
//! ```json
//! {"kind": "command", "client": "customer-3", "askedAt": 1780000000000000, "answeredAt": 1780000000000900,
//!  "path": "/api/orders", "key": "order-3", "body": {"customerId": "customer-3"},
//!  "reply": {"status": 201, "body": "{\"orderId\":\"01a1..\"}", "token": "order-01a1..-1", "location": "/api/orders/01a1.."}}
//! {"kind": "read", "client": "customer-3", "askedAt": 1780000000001000, "answeredAt": 1780000000001900,
//!  "order": "01a1..", "versions": {"order": 1, "reservation": 0, "payment": 0, "delivery": 0}}
//! {"kind": "mark", "at": 1780000000002000, "what": "fault", "note": "killed a projector"}
//! ```
//!
//! Each attempt is a line of its own: a command that was sent three times under one key is three. A
//! reply that is missing means that nobody knows what came of it. Times are microseconds since 1970,
//! of one machine's clock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// All lines.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Journal {
    /// What was asked for.
    pub commands: Vec<Command>,
    /// What was seen of orders.
    pub reads: Vec<Read>,
    /// What was done to the pipeline.
    pub marks: Vec<Mark>,
}

impl Journal {
    /// Adds a line.
    pub fn add(&mut self, line: Line) {
        match line {
            Line::Command(command) => self.commands.push(command),
            Line::Read(read) => self.reads.push(read),
            Line::Mark(mark) => self.marks.push(mark),
        }
    }

    /// All of it, line by line.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        let commands = self.commands.iter().cloned().map(Line::Command);
        let reads = self.reads.iter().cloned().map(Line::Read);
        let marks = self.marks.iter().cloned().map(Line::Mark);
        commands.chain(reads).chain(marks)
    }

    /// The times of marks that say so.
    pub fn marked(&self, what: What) -> impl Iterator<Item = i64> {
        let marks = self.marks.iter().filter(move |mark| mark.what == what);
        marks.map(|mark| mark.at)
    }
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Line {
    /// A command was sent.
    Command(Command),
    /// An order was read.
    Read(Read),
    /// Something was done to the pipeline.
    Mark(Mark),
}

/// One attempt to have a command carried out: a POST.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Command {
    /// Who.
    pub client: String,
    /// When it was sent.
    pub asked_at: i64,
    /// When it was answered, or given up.
    pub answered_at: i64,
    /// Where, without the host.
    pub path: String,
    /// Its idempotency key.
    #[serde(default)]
    pub key: Option<String>,
    /// What was sent.
    pub body: Value,
    /// What came back; none where nothing did.
    #[serde(default)]
    pub reply: Option<Reply>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, byte for byte.
    pub body: String,
    /// The header `Waybill-Token`.
    #[serde(default)]
    pub token: Option<String>,
    /// The header `Location`.
    #[serde(default)]
    pub location: Option<String>,
}

/// An order as it was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Read {
    /// Who.
    pub client: String,
    /// When it was asked for.
    pub asked_at: i64,
    /// When it was shown.
    pub answered_at: i64,
    /// Which order.
    pub order: String,
    /// The versions of its streams, by their names.
    pub versions: BTreeMap<String, i64>,
}

/// Something that was done to the pipeline on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When it was over.
    pub at: i64,
    /// What.
    pub what: What,
    /// The same for people.
    #[serde(default)]
    pub note: String,
}

/// What was done to the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Something was killed, stopped or cut. From the last one on, orders have a minute to end.
    Fault,
    /// The store of the views was killed, or another generation went live: what readers see may
    /// once be older than before.
    ViewBreak,
}
