//! From one end of a topic or a log to the other, page by page. What is dropped while it waits, or
//! fails, goes on where it was.

use std::collections::BTreeMap;

use domain::{Position, Service};
use infra::bus::{Ends, Partition, PartitionReader, Record, TopicReader};
use infra::event_store::{EventStore, StoredFact};

use super::report::TopicError;
use super::{PAGE, page};

/// A record and where it is.
pub type TopicRecord = (Partition, i64, Record);

/// Where the reading of a topic is.
pub struct TopicPass {
    /// Those to come, the one that is read last.
    partitions: Vec<i32>,
    /// The offset that comes next in it.
    next: Option<i64>,
    reader: Option<Box<dyn PartitionReader>>,
    /// The greatest position that its records have shown, as whoever looks at them says.
    pub greatest: Position,
}

/// Where the reading of a log is.
#[derive(Default)]
pub struct LogPass {
    /// The position that was read last.
    pub after: Position,
    /// Whether the row before could not be read.
    unreadable: bool,
}

impl TopicPass {
    /// The beginning.
    pub fn of(ends: &BTreeMap<i32, Ends>) -> Self {
        Self {
            partitions: ends.keys().rev().copied().collect(),
            next: None,
            reader: None,
            greatest: 0,
        }
    }

    /// The next records, all of one partition; `None` at the end of the topic.
    pub async fn page(
        &mut self,
        topics: &dyn TopicReader,
        topic: Service,
        ends: &BTreeMap<i32, Ends>,
    ) -> Result<Option<Vec<TopicRecord>>, TopicError> {
        while let Some(number) = self.partitions.last().copied() {
            let partition = Partition { topic, number };
            let mut reader = match self.reader.take() {
                Some(reader) => reader,
                None => {
                    let (low, high) = ends
                        .get(&number)
                        .map_or((0, 0), |ends| (ends.low, ends.high));
                    topics.read(partition, self.next.unwrap_or(low), high)?
                }
            };
            // A reader that failed is not used again.
            let records = reader.next().await?;
            if let Some((last, _)) = records.last() {
                self.next = Some(last + 1);
                self.reader = Some(reader);
                let placed = records
                    .into_iter()
                    .map(|(offset, record)| (partition, offset, record));
                return Ok(Some(placed.collect()));
            }
            self.partitions.pop();
            (self.next, self.greatest) = (None, 0);
        }
        Ok(None)
    }
}

impl LogPass {
    /// The next facts up to the position `end`; and once for rows that cannot be read, where they
    /// are, for people.
    pub async fn page(
        &mut self,
        log: &dyn EventStore,
        end: Position,
    ) -> Result<(Vec<StoredFact>, Option<String>), TopicError> {
        if self.after >= end {
            return Ok((vec![], None));
        }
        let read = page::after(log, self.after, PAGE).await?;
        let known = std::mem::replace(&mut self.unreadable, read.unreadable.is_some());
        let cause = read.unreadable.as_ref().filter(|_| !known);
        let after = self.after;
        let says = cause.map(|e| format!("the row behind position {after} cannot be read: {e}"));
        let over = read.facts.is_empty() && read.unreadable.is_none();
        self.after = if over { end } else { read.next };
        let mut facts = read.facts;
        facts.retain(|fact| fact.position <= end);
        Ok((facts, says))
    }
}
