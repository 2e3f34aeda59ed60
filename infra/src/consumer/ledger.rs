//! What is done with, and so which offsets may be committed.

use std::collections::{BTreeSet, HashMap};

use crate::bus::Partition;

/// The facts in hand, by partition and offset.
#[derive(Default)]
pub struct Ledger {
    partitions: HashMap<Partition, Open>,
    pending: usize,
    ended: usize,
}

#[derive(Default)]
struct Open {
    /// Begun and not ended.
    offsets: BTreeSet<i64>,
    /// One past the last that was begun.
    next: i64,
}

impl Ledger {
    /// A fact is in hand.
    pub fn begin(&mut self, partition: Partition, offset: i64) {
        let open = self.partitions.entry(partition).or_default();
        if open.offsets.insert(offset) {
            self.pending += 1;
        }
        open.next = open.next.max(offset + 1);
    }

    /// A fact is done with.
    pub fn end(&mut self, partition: Partition, offset: i64) {
        if let Some(open) = self.partitions.get_mut(&partition)
            && open.offsets.remove(&offset)
        {
            self.pending -= 1;
            self.ended += 1;
        }
    }

    /// The partition is another member's: nothing of it is in hand any more. Should it come back,
    /// its offsets may begin anew.
    pub fn forget(&mut self, partition: Partition) {
        if let Some(open) = self.partitions.remove(&partition) {
            self.pending -= open.offsets.len();
        }
    }

    /// How many are in hand.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// How many ended since the last commit.
    pub fn ended(&self) -> usize {
        self.ended
    }

    /// For each partition the offset below which everything is done with.
    pub fn prefixes(&self) -> Vec<(Partition, i64)> {
        let prefix = |open: &Open| open.offsets.first().copied().unwrap_or(open.next);
        self.partitions
            .iter()
            .map(|(partition, open)| (*partition, prefix(open)))
            .collect()
    }

    /// What [`Ledger::prefixes`] said has been committed.
    pub fn committed(&mut self) {
        self.ended = 0;
    }
}
