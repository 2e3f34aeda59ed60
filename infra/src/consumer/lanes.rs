//! One queue a key: the order of its facts, without holding up others.

use std::collections::{HashMap, VecDeque};

use crate::bus::{Delivered, Partition};

/// Records that wait, by key; of each key at most one is out.
#[derive(Default)]
pub struct Lanes {
    /// Keys that have a record out, with what waits behind it.
    busy: HashMap<String, VecDeque<Delivered>>,
    /// Records whose key has none out.
    ready: VecDeque<Delivered>,
}

impl Lanes {
    /// Adds a record behind those of its key.
    pub fn push(&mut self, record: Delivered) {
        match self.busy.get_mut(&record.key) {
            Some(behind) => behind.push_back(record),
            None => {
                self.busy.insert(record.key.clone(), VecDeque::new());
                self.ready.push_back(record);
            }
        }
    }

    /// Hands out a record; the others of its key wait until [`Lanes::free`].
    pub fn next(&mut self) -> Option<Delivered> {
        self.ready.pop_front()
    }

    /// Drops the records of a partition that wait. Those that are out keep their key until
    /// [`Lanes::free`].
    pub fn drop_of(&mut self, partition: Partition) {
        for behind in self.busy.values_mut() {
            behind.retain(|record| record.partition != partition);
        }
        let (gone, kept): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.ready)
            .into_iter()
            .partition(|record| record.partition == partition);
        self.ready = kept;
        for record in gone {
            self.free(&record.key);
        }
    }

    /// The record of `key` that was out is done with.
    pub fn free(&mut self, key: &str) {
        let next = self.busy.get_mut(key).and_then(VecDeque::pop_front);
        match next {
            Some(record) => self.ready.push_back(record),
            None => drop(self.busy.remove(key)),
        }
    }
}
