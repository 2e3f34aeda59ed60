//! Whether a topic is the one that the checkpoint speaks of, and holds nothing that the log lacks.
//!
//! Only records after the last acknowledged offsets are held against the log: what is before them
//! was there when the checkpoint was written. A crash before the checkpoint leaves records there
//! that the log has; a restored backup leaves records that it does not have.

use std::collections::BTreeMap;

use super::{Halt, Relay, Trouble};
use crate::bus::{Ends, Published};
use crate::event_store::{Checkpoint, StoreError, StoredFact};

impl Relay {
    /// The offsets of the topic, where it belongs to the log.
    pub(super) async fn check(
        &self,
        checkpoint: &Checkpoint,
    ) -> Result<BTreeMap<i32, Ends>, Trouble> {
        let (service, topic) = (self.service(), self.publisher.topic(self.service()));
        let known = &checkpoint.offsets;
        let Some(ends) = self.publisher.ends(service).await? else {
            return Err(match known.is_empty() {
                true => {
                    Trouble::Failed(format!("there is no topic {topic}: run `waybill migrate`"))
                }
                false => Trouble::Halted(Halt::NoTopic { service, topic }),
            });
        };
        if !known.is_empty() && known.len() != ends.len() {
            return Err(Trouble::Halted(Halt::Partitions {
                service,
                topic,
                known: known.len(),
                found: ends.len(),
            }));
        }
        for (partition, ends) in &ends {
            let acknowledged = known.get(partition).copied().unwrap_or(-1);
            if ends.high <= acknowledged {
                return Err(Trouble::Halted(Halt::LostTail {
                    service,
                    topic,
                    partition: *partition,
                    acknowledged,
                    end: ends.high,
                }));
            }
        }
        for newest in self.publisher.newest(service, known).await? {
            self.compare(newest, &topic).await?;
        }
        Ok(ends)
    }

    async fn compare(&self, newest: Published, topic: &str) -> Result<(), Trouble> {
        let before = newest.position.saturating_sub(1);
        let there = match self.store.read_log(before, 1).await {
            // The row there, or the next one, is no fact; the relay halts before it if it must.
            Err(StoreError::Corrupt(_)) => return Ok(()),
            read => read?.into_iter().next(),
        };
        let there = there.filter(|fact| fact.position == newest.position);
        // A stream that went on after a restore may have given the same id at the same position.
        let same = |fact: &StoredFact| {
            let times = newest.time.as_deref().zip(time_of(fact));
            fact.id == newest.id && times.is_none_or(|(published, stored)| published == stored)
        };
        if there.as_ref().is_some_and(same) {
            return Ok(());
        }
        Err(Trouble::Halted(Halt::Ahead {
            service: self.service(),
            topic: topic.to_owned(),
            partition: newest.partition,
            offset: newest.offset,
            published: newest.id,
            position: newest.position,
            stored: there.map_or_else(|| "nothing".to_owned(), |fact| fact.id.to_string()),
        }))
    }
}

/// The time of a fact as its metadata has it, and so its record.
fn time_of(fact: &StoredFact) -> Option<String> {
    let metadata: serde_json::Value = serde_json::from_slice(&fact.metadata).ok()?;
    Some(metadata.get("time")?.as_str()?.to_owned())
}
