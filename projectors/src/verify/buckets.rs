//! Which rows two readings have in common, in memory that does not grow with them.
//!
//! Every key goes into one of some buckets by its hash; a bucket has the number of its keys and their
//! hashes, added up. Two readings with one bucket alike have the same keys in it, but for a chance of
//! 2^-64.

use std::hash::{DefaultHasher, Hash, Hasher};

use domain::view::Value;

use crate::fold::sort_key;

/// Buckets: a million rows have some fifteen in each, and all take 1 MiB.
const BUCKETS: usize = 1 << 16;

/// A reading of keys.
#[derive(Clone, PartialEq)]
pub struct Buckets(Vec<(u64, u64)>);

impl Default for Buckets {
    fn default() -> Self {
        Self(vec![(0, 0); BUCKETS])
    }
}

impl Buckets {
    /// Takes a key, which was not taken before.
    pub fn add(&mut self, key: &[Value]) {
        let (at, hash) = place(key);
        if let Some((number, sum)) = self.0.get_mut(at) {
            *number += 1;
            *sum = sum.wrapping_add(hash);
        }
    }

    /// Whether the bucket of a key is the same in both readings.
    pub fn agree_on(&self, other: &Self, key: &[Value]) -> bool {
        let (at, _) = place(key);
        self.0.get(at) == other.0.get(at)
    }
}

fn place(key: &[Value]) -> (usize, u64) {
    let mut hasher = DefaultHasher::new();
    sort_key(key).hash(&mut hasher);
    let hash = hasher.finish();
    let at = usize::try_from(hash % BUCKETS as u64).unwrap_or(0);
    (at, hash)
}
