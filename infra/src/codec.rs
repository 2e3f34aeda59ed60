//! Bytes to facts and back, for the store, the bus and the tools alike.
//!
//! A payload is one JSON object that names itself (`{"type":"order.created", ..}`); the metadata
//! is a flat JSON object of strings. Facts are written in the version of [`VERSIONS`] and read in
//! every version that was ever published. Readers ignore fields that they do not know; a name or a
//! version that they do not know is [`Unreadable::Unknown`], which parks its key.

mod metadata;
mod upcast;
mod versions;

use std::borrow::Cow;

use domain::view::order_timeline::Entry;
use domain::{Category, Fact, FactId, Recorded, Written, delivery, inventory, order, payment};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::event_store::{NewFact, StoredFact};
use metadata::Metadata;

pub use upcast::{STEPS, Step, knows};
pub use versions::{VERSIONS, version_of};

/// Why a stored fact cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Written by a newer version of the program.
    #[error("the fact {name} of version {version} is not known here")]
    Unknown {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
    },
    /// Broken.
    #[error("the fact cannot be decoded: {0}")]
    Broken(String),
    /// Published under a key that is not its stream's.
    #[error("the fact {fact} was published under the key {key:?}")]
    WrongKey {
        /// The key of the record.
        key: String,
        /// Which fact.
        fact: String,
    },
}

impl Unreadable {
    /// Which kind of failure it is, in kebab case.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "unknown-version",
            Self::Broken(_) => "undecodable",
            Self::WrongKey { .. } => "wrong-key",
        }
    }
}

/// Encodes a fact that `command_id` yielded.
pub fn encode(recorded: &Recorded, command_id: Uuid) -> NewFact {
    let payload = match &recorded.fact {
        Fact::Order(event) => json(event),
        Fact::Reservation(event) => json(event),
        Fact::Stock(event) => json(event),
        Fact::Payment(event) => json(event),
        Fact::Delivery(event) => json(event),
    };
    let name = recorded.fact.name();
    NewFact {
        stream: recorded.id.stream.clone(),
        sequence: recorded.id.sequence,
        name,
        version: version_of(name).unwrap_or("1"),
        payload: payload.into(),
        metadata: json(&Metadata::of(recorded, command_id)).into(),
    }
}

/// Facts and metadata are plain structs of strings and numbers, whose JSON cannot fail.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// Decodes a fact.
///
/// # Errors
/// [`Unreadable`]
pub fn decode(stored: &StoredFact) -> Result<Recorded, Unreadable> {
    let written = Written {
        version: stored.version.clone(),
        payload: String::from_utf8(stored.payload.to_vec())
            .map_err(|e| Unreadable::Broken(e.to_string()))?,
    };
    let fact = decode_payload(stored.id.stream.category, &stored.name, &written)?;
    let metadata: Metadata = serde_json::from_slice(&stored.metadata).map_err(broken)?;
    metadata.recorded(stored.id.clone(), stored.position, fact, written)
}

/// What a fact of `category` says, without what stands beside its payload.
fn decode_payload(category: Category, name: &str, written: &Written) -> Result<Fact, Unreadable> {
    let payload: Cow<'_, [u8]> = match version_of(name) {
        Some(version) if version == written.version => Cow::Borrowed(written.payload.as_bytes()),
        _ => Cow::Owned(upcast::to_current(name, written)?),
    };
    let fact = fact_of(category, &payload)?;
    if fact.name() != name {
        let names = format!("it is stored as {name} and calls itself {}", fact.name());
        return Err(Unreadable::Broken(names));
    }
    Ok(fact)
}

/// Decodes a row of a timeline, which has all of a fact but the order's context and its trace.
///
/// # Errors
/// [`Unreadable`]
pub fn decode_entry(entry: &Entry) -> Result<Recorded, Unreadable> {
    let fact = decode_payload(entry.place.category, &entry.name, &entry.written)?;
    Ok(Recorded {
        id: entry.id.clone(),
        position: entry.position,
        time: entry.place.occurred_at,
        correlation: entry.correlation.clone(),
        causation: entry.causation.clone(),
        order: None,
        traceparent: None,
        fact,
        written: Some(entry.written.clone()),
    })
}

/// The fact of a payload of today's version, in a stream of `category`.
fn fact_of(category: Category, payload: &[u8]) -> Result<Fact, Unreadable> {
    Ok(match category {
        Category::Order => read::<order::Event>(payload)?.into(),
        Category::Reservation => read::<inventory::reservation::Event>(payload)?.into(),
        Category::Stock => read::<inventory::stock::Event>(payload)?.into(),
        Category::Payment => read::<payment::Event>(payload)?.into(),
        Category::Delivery => read::<delivery::Event>(payload)?.into(),
    })
}

fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(payload).map_err(broken)
}

fn broken(e: serde_json::Error) -> Unreadable {
    Unreadable::Broken(e.to_string())
}

/// The key that a fact is published and consumed under: the order id, or for stock facts the SKU.
pub fn key_of(id: &FactId) -> &str {
    &id.stream.id
}

#[cfg(test)]
pub(crate) mod tests;
