//! The bytes of keys and of facts.

use std::ops::Bound;

use bytes::Bytes;
use domain::{Category, FactId, Position, Sequence, Service, StreamId};

use super::super::{NewFact, StoreError, StoredFact};
use super::corrupt;

/// Keys of the log sort by position.
pub fn position(position: Position) -> [u8; 8] {
    position.to_be_bytes()
}

/// Reads [`position`].
pub fn read_position(bytes: &[u8]) -> Result<Position, StoreError> {
    let bytes = bytes.try_into().map_err(|_| corrupt("a position"))?;
    Ok(Position::from_be_bytes(bytes))
}

/// What the keys of a stream begin with. Ids have no NUL, so no stream is a prefix of another.
pub fn stream(stream: &StreamId) -> Vec<u8> {
    let mut key = Vec::with_capacity(stream.id.len() + 10);
    key.push(tag(stream.category));
    key.extend_from_slice(stream.id.as_bytes());
    key.push(0);
    key
}

/// Keys of streams sort by sequence.
pub fn sequence(stream: &StreamId, sequence: Sequence) -> Vec<u8> {
    let mut key = self::stream(stream);
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

/// The keys of all streams of a category: by the bytes of their ids, which have no NUL, and then by
/// sequence. Those behind one, where there is an `after`.
pub fn category_after(
    category: Category,
    after: Option<(&str, Sequence)>,
) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let tag = tag(category);
    let begin = match after {
        None => Bound::Included(vec![tag]),
        Some((id, after)) => {
            let id = id.to_owned();
            Bound::Excluded(sequence(&StreamId { category, id }, after))
        }
    };
    (begin, Bound::Excluded(vec![tag + 1]))
}

/// Keys of the shared keyspaces: the service, then parts that have no NUL in them, each closed by
/// one, so that no part runs into the next.
pub fn shared(service: Service, parts: &[&str]) -> Vec<u8> {
    let mut key = service.name().as_bytes().to_vec();
    for part in parts {
        key.push(0);
        key.extend_from_slice(part.as_bytes());
    }
    key
}

/// What the keys of rows whose parts begin with `parts` begin with.
pub fn shared_prefix(service: Service, parts: &[&str]) -> Vec<u8> {
    let mut key = shared(service, parts);
    key.push(0);
    key
}

const fn tag(category: Category) -> u8 {
    match category {
        Category::Order => 1,
        Category::Reservation => 2,
        Category::Stock => 3,
        Category::Payment => 4,
        Category::Delivery => 5,
    }
}

fn category(of: u8) -> Option<Category> {
    Category::ALL.into_iter().find(|c| tag(*c) == of)
}

/// A fact as the log keeps it: each part behind its length, the metadata last.
pub fn encode(fact: &NewFact) -> Vec<u8> {
    let id = fact.stream.id.as_bytes();
    let size = 32 + id.len() + fact.name.len() + fact.payload.len() + fact.metadata.len();
    let mut row = Vec::with_capacity(size);
    row.push(tag(fact.stream.category));
    row.extend_from_slice(&fact.sequence.to_be_bytes());
    for part in [
        id,
        fact.name.as_bytes(),
        fact.version.as_bytes(),
        &fact.payload,
    ] {
        // Facts are smaller than 4 GiB: see MAX_FACT_BYTES.
        let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
        row.extend_from_slice(&len.to_be_bytes());
        row.extend_from_slice(part);
    }
    row.extend_from_slice(&fact.metadata);
    row
}

/// Reads [`encode`].
pub fn decode(position: Position, row: &[u8]) -> Result<StoredFact, StoreError> {
    let broken = || corrupt(format!("the fact at position {position}"));
    read_fact(position, Bytes::copy_from_slice(row)).ok_or_else(broken)
}

fn read_fact(position: Position, mut row: Bytes) -> Option<StoredFact> {
    let category = category(*row.first()?)?;
    let sequence = Sequence::from_be_bytes(row.get(1..9)?.try_into().ok()?);
    row = row.slice(9..);
    let mut part = || {
        let len = u32::from_be_bytes(row.get(..4)?.try_into().ok()?) as usize;
        let part = row
            .get(4..4 + len)
            .is_some()
            .then(|| row.slice(4..4 + len))?;
        row = row.slice(4 + len..);
        Some(part)
    };
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).ok();
    let (id, name, version, payload) = (part()?, part()?, part()?, part()?);
    Some(StoredFact {
        id: FactId {
            stream: StreamId {
                category,
                id: text(id)?,
            },
            sequence,
        },
        position,
        name: text(name)?,
        version: text(version)?,
        payload,
        metadata: row,
    })
}
