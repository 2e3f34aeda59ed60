//! A record in a few bytes, so that two can be held against each other without being kept.

use std::hash::{DefaultHasher, Hash, Hasher};

use domain::Position;
use infra::bus::Record;
use infra::envelope::REPLAY;
use infra::event_store::StoredFact;
use infra::relay::records_of;

/// A record above this many bytes may be on the topic without its value, or without its metadata
/// too, where it is too large for one (1,000,000 with the brokers' own): of such a record only that
/// it is there is compared. No fact of ours comes near it ([`infra::event_store::MAX_FACT_BYTES`]).
const LARGE: usize = 900_000;

/// The parts of a record. Hashes, by which accidents are told apart, and not somebody's skill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    key: u64,
    payload: u64,
    headers: u64,
}

impl Digest {
    /// Of a record on a topic. Headers of others are passed over, and so is the mark of a replay.
    pub fn of(record: &Record) -> Self {
        let headers = record.headers.iter();
        let mut headers: Vec<_> = headers.filter(|(name, _)| is_ours(name)).collect();
        let parts = [record.key.as_deref(), record.payload.as_deref()];
        let of_parts = parts.into_iter().flatten().map(<[u8]>::len);
        let of_headers = headers.iter().map(|(name, value)| name.len() + value.len());
        if of_parts.chain(of_headers).sum::<usize>() > LARGE {
            return Self::LARGE;
        }
        headers.sort_unstable();
        Self {
            key: hash(&record.key),
            payload: hash(&record.payload),
            headers: hash(&headers),
        }
    }

    /// Of the record that the relay makes of a fact.
    pub fn expected(fact: &StoredFact) -> Self {
        // Every fact has a record, see there.
        let record = records_of(fact).next().unwrap_or_default();
        Self::of(&record)
    }

    const LARGE: Self = Self {
        key: 0,
        payload: 0,
        headers: 0,
    };

    /// Whether a record is as it is expected to be.
    pub fn allows(&self, found: &Self) -> bool {
        *self == Self::LARGE || self == found
    }

    /// Which parts differ, for people.
    pub fn differences(&self, found: &Self) -> Vec<&'static str> {
        let parts = [
            ("key", self.key == found.key),
            ("value", self.payload == found.payload),
            ("headers", self.headers == found.headers),
        ];
        let differ = parts.into_iter().filter(|(_, same)| !same);
        differ.map(|(name, _)| name).collect()
    }

    /// One number for the record of `id`.
    pub fn sum(&self, id: &str) -> u128 {
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, id, self.key, self.payload, self.headers).hash(&mut hasher);
            u128::from(hasher.finish())
        };
        (half(1) << 64) | half(2)
    }
}

/// What a record says about its place in the log.
pub fn position_of(record: &Record) -> Option<Position> {
    let mut headers = record.headers.iter();
    let (_, value) = headers.find(|(name, _)| name == "ce_position")?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn is_ours(name: &str) -> bool {
    let envelope = name.starts_with("ce_") || name == "content-type" || name == "traceparent";
    envelope && name != REPLAY
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
