//! A cache in this process.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use moka::Expiry;
use moka::ops::compute::{CompResult, Op};
use moka::policy::EvictionPolicy;
use moka::sync::Cache as Entries;

use super::{Away, Cache};

/// Entries of at most some 100 bytes: 10 MB. The oldest go first.
const CAPACITY: u64 = 100_000;

/// Marks and locks that end with the process.
#[derive(Clone)]
pub struct LocalCache {
    entries: Entries<String, Entry>,
}

#[derive(Clone)]
struct Entry {
    owner: String,
    epoch: u64,
    life: Duration,
}

impl LocalCache {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            entries: Entries::builder()
                .max_capacity(CAPACITY)
                // Not the default, which at full capacity turns new entries away.
                .eviction_policy(EvictionPolicy::lru())
                .expire_after(Lives)
                .build(),
        }
    }
}

impl Default for LocalCache {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Cache for LocalCache {
    async fn is_marked(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    async fn mark(&self, key: &str, life: Duration) {
        let mark = Entry {
            owner: String::new(),
            epoch: 0,
            life,
        };
        self.entries.insert(key.to_owned(), mark);
    }

    async fn lock(&self, key: &str, owner: &str, epoch: u64, life: Duration) -> bool {
        let taken = self.entries.entry(key.to_owned()).and_compute_with(|held| {
            let free = held.is_none_or(|held| {
                let held = held.value();
                held.owner == owner || held.epoch < epoch
            });
            if free {
                let owner = owner.to_owned();
                Op::Put(Entry { owner, epoch, life })
            } else {
                Op::Nop
            }
        });
        matches!(taken, CompResult::Inserted(_) | CompResult::ReplacedWith(_))
    }

    async fn unlock(&self, key: &str, owner: &str) {
        self.entries.entry(key.to_owned()).and_compute_with(|held| {
            let ours = held.is_some_and(|held| held.value().owner == owner);
            if ours { Op::Remove } else { Op::Nop }
        });
    }

    async fn ready(&self) -> Result<(), Away> {
        Ok(())
    }
}

struct Lives;

impl Expiry<String, Entry> for Lives {
    fn expire_after_create(&self, _: &String, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.life)
    }

    fn expire_after_update(
        &self,
        _: &String,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.life)
    }
}
