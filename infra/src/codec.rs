//! Bytes to facts and back, for the store, the bus and the tools alike.
//!
//! A payload is one JSON object that names itself (`{"type":"order.created", ..}`); the metadata
//! is a flat JSON object of strings. Readers ignore fields that they do not know; a name or a
//! version that they do not know is [`Unreadable::Unknown`], which parks its key.

mod metadata;
mod versions;

use domain::{Category, Fact, FactId, Recorded, delivery, inventory, order, payment};
use serde::Serialize;
use uuid::Uuid;

use crate::event_store::{NewFact, StoredFact};
use metadata::Metadata;

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
    if version_of(&stored.name) != Some(stored.version.as_str()) {
        return Err(Unreadable::Unknown {
            name: stored.name.clone(),
            version: stored.version.clone(),
        });
    }
    let broken = |e: serde_json::Error| Unreadable::Broken(e.to_string());
    let payload = &stored.payload;
    let fact: Fact = match stored.id.stream.category {
        Category::Order => serde_json::from_slice::<order::Event>(payload)
            .map_err(broken)?
            .into(),
        Category::Reservation => serde_json::from_slice::<inventory::reservation::Event>(payload)
            .map_err(broken)?
            .into(),
        Category::Stock => serde_json::from_slice::<inventory::stock::Event>(payload)
            .map_err(broken)?
            .into(),
        Category::Payment => serde_json::from_slice::<payment::Event>(payload)
            .map_err(broken)?
            .into(),
        Category::Delivery => serde_json::from_slice::<delivery::Event>(payload)
            .map_err(broken)?
            .into(),
    };
    if fact.name() != stored.name {
        let names = format!(
            "it is stored as {} and calls itself {}",
            stored.name,
            fact.name()
        );
        return Err(Unreadable::Broken(names));
    }
    let metadata: Metadata = serde_json::from_slice(&stored.metadata).map_err(broken)?;
    metadata.recorded(stored.id.clone(), stored.position, fact)
}

/// The key that a fact is published and consumed under: the order id, or for stock facts the SKU.
pub fn key_of(id: &FactId) -> &str {
    &id.stream.id
}

#[cfg(test)]
pub(crate) mod tests;
