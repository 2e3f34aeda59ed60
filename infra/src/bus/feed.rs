//! The bus of the embedded store: the logs themselves. The append is the publish; a topic has one
//! partition, and an offset is a position.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{Position, Service};
use futures::future::select_all;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Bus, BusError, Delivered, Partition, Polled, Subscription};
use crate::codec;
use crate::event_store::{Checkpoint, EventStore, ParkedRow, StoreError, StoredFact};

/// The look that a subscription takes by itself, in case a change was missed.
const SAFETY_POLL: Duration = Duration::from_secs(1);

/// The feeds of the event stores.
#[derive(Clone)]
pub struct FeedBus {
    stores: Vec<Arc<dyn EventStore>>,
}

impl FeedBus {
    /// The feeds of `stores`.
    pub fn new(stores: Vec<Arc<dyn EventStore>>) -> Self {
        Self { stores }
    }

    fn store(&self, topic: Service) -> Result<&Arc<dyn EventStore>, BusError> {
        let of_topic = |store: &&Arc<dyn EventStore>| store.service() == topic;
        let missing = || BusError(format!("there is no store of {topic}"));
        self.stores.iter().find(of_topic).ok_or_else(missing)
    }
}

impl From<StoreError> for BusError {
    fn from(e: StoreError) -> Self {
        Self(e.to_string())
    }
}

/// The name of a group's checkpoint in the store whose log it reads.
fn checkpoint_of(group: &str) -> String {
    format!("group:{group}")
}

fn only_partition(topic: Service) -> Partition {
    Partition { topic, number: 0 }
}

fn offset_of(position: Position) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

/// The offset behind a position.
fn behind(position: Position) -> i64 {
    offset_of(position).saturating_add(1)
}

/// What is done with where `next` is the first that is not.
fn below(next: i64) -> Checkpoint {
    Checkpoint {
        position: Position::try_from(next.saturating_sub(1)).unwrap_or_default(),
        ..Checkpoint::default()
    }
}

#[async_trait]
impl Bus for FeedBus {
    async fn subscribe(
        &self,
        group: &str,
        topics: &[Service],
    ) -> Result<Box<dyn Subscription>, BusError> {
        let mut feeds = Vec::with_capacity(topics.len());
        for topic in topics {
            let store = self.store(*topic)?.clone();
            let checkpoint = store.checkpoint(&checkpoint_of(group)).await?;
            feeds.push(Feed {
                changes: store.changes(),
                read: checkpoint.unwrap_or_default().position,
                ahead: VecDeque::new(),
                store,
            });
        }
        Ok(Box::new(FeedSubscription {
            checkpoint: checkpoint_of(group),
            feeds,
        }))
    }

    async fn lag(&self, group: &str, topics: &[Service]) -> Result<Vec<(Service, u64)>, BusError> {
        let mut lags = Vec::with_capacity(topics.len());
        for topic in topics {
            let store = self.store(*topic)?;
            let done = store.checkpoint(&checkpoint_of(group)).await?;
            let done = done.unwrap_or_default().position;
            lags.push((*topic, store.last_position().await?.saturating_sub(done)));
        }
        Ok(lags)
    }

    async fn ends(&self, topics: &[Service]) -> Result<Vec<(Partition, i64)>, BusError> {
        let mut ends = Vec::with_capacity(topics.len());
        for topic in topics {
            let last = self.store(*topic)?.last_position().await?;
            ends.push((only_partition(*topic), behind(last)));
        }
        Ok(ends)
    }

    async fn offsets(
        &self,
        group: &str,
        topics: &[Service],
    ) -> Result<Vec<(Partition, i64)>, BusError> {
        let mut offsets = Vec::with_capacity(topics.len());
        for topic in topics {
            let done = self
                .store(*topic)?
                .checkpoint(&checkpoint_of(group))
                .await?;
            let next = done.map_or(0, |done| behind(done.position));
            offsets.push((only_partition(*topic), next));
        }
        Ok(offsets)
    }

    /// Who is subscribed is not known here: a member goes on where it is, and its next commit counts.
    async fn begin_at(&self, group: &str, offsets: &[(Partition, i64)]) -> Result<(), BusError> {
        for (partition, next) in offsets {
            let store = self.store(partition.topic)?;
            let name = checkpoint_of(group);
            store.set_checkpoint(&name, &below(*next), None).await?;
        }
        Ok(())
    }

    async fn dead_letter(&self, _: &Delivered, _: &ParkedRow) -> Result<(), BusError> {
        Ok(())
    }

    async fn ready(&self) -> Result<(), BusError> {
        Ok(())
    }
}

struct FeedSubscription {
    checkpoint: String,
    feeds: Vec<Feed>,
}

struct Feed {
    store: Arc<dyn EventStore>,
    changes: watch::Receiver<u64>,
    read: Position,
    /// Facts that were read and not handed out yet.
    ahead: VecDeque<StoredFact>,
}

impl Feed {
    async fn fill(&mut self, max: usize) -> Result<(), BusError> {
        if self.ahead.is_empty() {
            // Before the read, so that what is appended during it is seen next time.
            self.changes.mark_unchanged();
            let facts = self.store.read_log(self.read, max).await?;
            self.read = facts.last().map_or(self.read, |fact| fact.position);
            self.ahead.extend(facts);
        }
        Ok(())
    }

    fn take(&mut self, max: usize) -> impl Iterator<Item = Delivered> + '_ {
        let partition = only_partition(self.store.service());
        let some = self.ahead.len().min(max);
        self.ahead.drain(..some).map(move |fact| Delivered {
            partition,
            offset: offset_of(fact.position),
            key: codec::key_of(&fact.id).to_owned(),
            fact: Ok(fact),
            record: None,
        })
    }
}

#[async_trait]
impl Subscription for FeedSubscription {
    async fn poll(&mut self, max: usize) -> Result<Polled, BusError> {
        if max == 0 {
            return pending().await;
        }
        loop {
            for feed in &mut self.feeds {
                feed.fill(max).await?;
            }
            // No await from here to the return: what is taken is handed out.
            // Each feed has its share, and another is the first each time.
            let share = max.div_ceil(self.feeds.len().max(1));
            let one = self.feeds.len().min(1);
            self.feeds.rotate_left(one);
            let mut records = vec![];
            for feed in &mut self.feeds {
                let room = max - records.len();
                records.extend(feed.take(share.min(room)));
            }
            if !records.is_empty() {
                return Ok(Polled::Records(records));
            }
            let changed = self
                .feeds
                .iter_mut()
                .map(|feed| Box::pin(feed.changes.changed()));
            // Whatever woke us, the next look tells.
            drop(timeout(SAFETY_POLL, select_all(changed)).await);
        }
    }

    async fn commit(&mut self, done: &[(Partition, i64)]) -> Result<(), BusError> {
        for (partition, next) in done {
            let checkpoint = below(*next);
            for feed in &self.feeds {
                if feed.store.service() == partition.topic {
                    let name = &self.checkpoint;
                    feed.store.set_checkpoint(name, &checkpoint, None).await?;
                }
            }
        }
        Ok(())
    }
}
