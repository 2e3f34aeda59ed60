//! The embedded engine by itself: batches of the rows that an append makes, each with one sync,
//! from one thread, and nothing looked up.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

/// As ours.
const MEMTABLE_BYTES: u64 = 8 * 1024 * 1024;
const JOURNAL_BYTES: u64 = 64 * 1024 * 1024;
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// What ours keeps of a fact beside its payload and metadata: lengths, name, version, id.
const ROW_REST: usize = 90;
/// The length of a key of a stream: a tag, an order id, a zero and a sequence.
const STREAM_KEY: usize = 46;

/// An engine with the two keyspaces that a fact goes to.
pub struct Engine {
    database: Database,
    log: Keyspace,
    streams: Keyspace,
    position: u64,
}

impl Engine {
    /// In an empty folder.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let database = Database::builder(folder)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .open()?;
        let keyspace = |name| {
            database.keyspace(name, || {
                KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES)
            })
        };
        Ok(Self {
            log: keyspace("log")?,
            streams: keyspace("streams")?,
            database,
            position: 0,
        })
    }

    /// Commits batches of `size` facts of `bytes` each for `round`, and says how many facts a
    /// second. Blocks its thread.
    pub fn run(&mut self, size: usize, bytes: usize, round: Duration) -> anyhow::Result<f64> {
        let row = vec![b'x'; bytes + ROW_REST];
        let (begun, first) = (Instant::now(), self.position);
        while begun.elapsed() < round {
            let mut batch = self
                .database
                .batch()
                .durability(Some(PersistMode::SyncData));
            for _ in 0..size {
                self.position += 1;
                let position = self.position.to_be_bytes();
                // New streams come in the order of their ids, v7, as ours do.
                let mut key = vec![b'0'; STREAM_KEY];
                key[1..9].copy_from_slice(&position);
                batch.insert(&self.log, position, row.as_slice());
                batch.insert(&self.streams, key, position);
            }
            batch.commit()?;
        }
        Ok((self.position - first) as f64 / begun.elapsed().as_secs_f64())
    }

    /// That there are as many facts as were committed.
    pub fn check(&self) -> anyhow::Result<()> {
        let (mut count, position) = (0, self.position);
        for entry in self.log.iter() {
            entry.key()?;
            count += 1;
        }
        ensure!(count == position, "{count} rows are there of {position}");
        Ok(())
    }
}
