//! The port through which a topic is looked at as it is, by whoever checks it: no consumer group,
//! nothing committed, nothing changed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::Service;

use super::{BusError, Ends, Partition, Record};

/// A way to read topics.
#[async_trait]
pub trait TopicReader: Send + Sync + 'static {
    /// What the topic of a service is called, for people.
    fn topic(&self, service: Service) -> String;

    /// The offsets of every partition; `None` where there is no such topic.
    ///
    /// # Errors
    /// [`BusError`]
    async fn ends(&self, service: Service) -> Result<Option<BTreeMap<i32, Ends>>, BusError>;

    /// Which of so many partitions a publisher puts the records of `key` into.
    fn partition_of(&self, key: &[u8], partitions: usize) -> i32;

    /// Begins to read a partition at the offset `from`, up to those before `end`, which is no later
    /// than where the partition ends by now.
    ///
    /// # Errors
    /// [`BusError`]
    fn read(
        &self,
        partition: Partition,
        from: i64,
        end: i64,
    ) -> Result<Box<dyn PartitionReader>, BusError>;
}

/// A partition that is being read.
#[async_trait]
pub trait PartitionReader: Send {
    /// The next records with their offsets, in order, a bounded number of them; none at the end.
    /// What it has not returned comes again from a reader that begins there.
    ///
    /// # Errors
    /// [`BusError`], also where the topic no longer keeps what comes next.
    async fn next(&mut self) -> Result<Vec<(i64, Record)>, BusError>;
}
