//! A fact that nobody can read, as something that is not ours would have written it.

use bytes::Bytes;
use domain::values::OrderId;
use domain::{Category, StreamId, Task};
use infra::event_store::{Append, DueRow, EventStore, NewFact};
use infra::{clock, ids};
use serde_json::Value;

/// What is wrong with a `delivery.delivered` in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// It does not say what it has to say.
    Incomplete,
    /// The payload ends too early.
    CutOff,
    /// There are NUL bytes in it.
    Nul,
    /// It is no UTF-8.
    NotUtf8,
    /// It is JSON of another shape.
    OtherShape,
    /// It is nearly as large as a fact may be (512 KiB), and means nothing.
    Huge,
    /// Nobody knows this fact.
    UnknownType,
    /// It was written by a newer program.
    NewerVersion,
}

impl Way {
    pub const ALL: [Self; 8] = [
        Self::Incomplete,
        Self::CutOff,
        Self::Nul,
        Self::NotUtf8,
        Self::OtherShape,
        Self::Huge,
        Self::UnknownType,
        Self::NewerVersion,
    ];

    /// The class under which it is set aside, and what is said of it.
    pub fn says(self) -> (&'static str, &'static str) {
        match self {
            Self::Incomplete => ("undecodable", "missing field"),
            Self::CutOff => ("undecodable", "EOF while parsing"),
            Self::Nul => ("undecodable", "control character"),
            Self::NotUtf8 => ("undecodable", "invalid utf-8"),
            Self::OtherShape => ("undecodable", "invalid type"),
            Self::Huge => ("undecodable", "expected value"),
            Self::UnknownType => ("unknown-version", "delivery.teleported of version 1"),
            Self::NewerVersion => ("unknown-version", "of version 99 is not known"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::UnknownType => "delivery.teleported",
            Self::Incomplete
            | Self::CutOff
            | Self::Nul
            | Self::NotUtf8
            | Self::OtherShape
            | Self::Huge
            | Self::NewerVersion => "delivery.delivered",
        }
    }

    fn version(self) -> &'static str {
        if self == Self::NewerVersion {
            "99"
        } else {
            "1"
        }
    }

    fn payload(self, good: &str) -> Bytes {
        let cut = &good[..good.len() - 5];
        match self {
            Self::Incomplete => r#"{"type":"delivery.delivered"}"#.into(),
            Self::CutOff => cut.to_owned().into(),
            Self::Nul => good.replacen("ty", "ty\0\0", 1).into(),
            Self::NotUtf8 => [b"\xff\xfe", good.as_bytes()].concat().into(),
            Self::OtherShape => r#"{"type":{"is":"delivery.delivered"}}"#.into(),
            Self::Huge => vec![b'x'; 500 * 1024].into(),
            Self::UnknownType => r#"{"type":"delivery.teleported","to":"the moon"}"#.into(),
            Self::NewerVersion => good.to_owned().into(),
        }
    }
}

/// Appends an incomplete `delivery.delivered` to an order's dispatched delivery; returns the fact's
/// id and the payload that it should have.
pub async fn deliver_unreadably(store: &dyn EventStore, order: &str) -> (String, String) {
    let delivered = deliver_in(Way::Incomplete, store, order).await;
    delivered.expect("a delivery that has left")
}

/// The same in any way, where a courier may be about to say so too; none where it was not on its way.
pub async fn deliver_in(way: Way, store: &dyn EventStore, order: &str) -> Option<(String, String)> {
    let order: OrderId = order.parse().unwrap();
    let stream = StreamId::of(Category::Delivery, order);
    let last = store.read_last(&stream).await.unwrap()?;
    if last.name != "delivery.dispatched" {
        return None;
    }
    let payload = String::from_utf8(last.payload.to_vec()).unwrap();
    let good = payload.replace("delivery.dispatched", "delivery.delivered");
    let mut metadata: Value = serde_json::from_slice(&last.metadata).unwrap();
    let command = ids::unique().to_string();
    metadata["time"] = clock::now().to_string().into();
    metadata["commandId"] = command.clone().into();
    metadata["causationId"] = command.into();
    let id = stream.fact(last.id.sequence + 1);
    let fact = NewFact {
        stream: stream.clone(),
        sequence: id.sequence,
        name: way.name(),
        version: way.version(),
        payload: way.payload(&good),
        metadata: metadata.to_string().into(),
    };
    let request = Append {
        expect: vec![(stream, last.id.sequence)],
        facts: vec![fact],
        settles: vec![DueRow::id_of(order, Task::Courier)],
        ..Append::default()
    };
    store.append(request).await.ok()?;
    Some((id.to_string(), good))
}
