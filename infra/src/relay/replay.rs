//! Publishes facts again: the same ids under the same keys, each marked in the header [`crate::envelope::REPLAY`].
//! Consumers that have seen a fact take it as nothing.
//!
//! Beside a relay that runs, [`replay`] publishes by itself, for a new consumer. A crash leaves some
//! of the facts published, and a second replay publishes them once more. Where a relay has halted
//! the topic may lack facts, and only one may publish to it, in the order of the log: [`mend`] tells
//! the relay to.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use domain::values::OrderId;
use domain::{Category, Position, Sequence, StreamId};
use tokio::time::{Instant, sleep_until};

use super::pump::send;
use super::{CHECKPOINT, MEND, Relay, Trouble};
use crate::bus::{Ack, BusError, Publisher, Refused, Session};
use crate::event_store::{Checkpoint, EventStore, StoreError, StoredFact};
use crate::ids;

/// Facts a read.
const PAGE: usize = 1000;
/// Records under way: enough to fill the brokers' batches.
const WINDOW: usize = 2000;

/// Which facts of a log are published again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those after this position, up to the last that there is when it begins.
    After(Position),
    /// Those of this order.
    Order(OrderId),
}

/// Why a replay ended early, or a relay was not mended.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The topic does not belong to the log; see [`mend`].
    #[error("the relay has halted, or is about to: {0}")]
    Halted(String),
    /// There is nowhere to publish.
    #[error("there is no topic {0}: run `waybill migrate`")]
    NoTopic(String),
    /// It can never be published.
    #[error("the fact {fact} cannot be published: {cause}")]
    Refused {
        /// Which.
        fact: String,
        /// Why.
        cause: String,
    },
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The brokers do not answer.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// A replay under way.
struct Replay<'a> {
    session: Box<dyn Session>,
    under_way: VecDeque<Ack>,
    published: u64,
    begun: Instant,
    /// Facts a second, at most.
    rate: Option<u32>,
    told: &'a mut (dyn FnMut(u64) + Send),
}

/// Publishes facts of the log of `relay` again, at most `rate` a second; `told` is told how many the
/// brokers have, from time to time. Returns how many there were.
///
/// # Errors
/// [`ReplayError`]; some are then published.
pub async fn replay(
    relay: &Relay,
    which: Which,
    rate: Option<u32>,
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<u64, ReplayError> {
    let Relay {
        store, publisher, ..
    } = relay;
    let service = store.service();
    let checkpoint = store.checkpoint(CHECKPOINT).await?.unwrap_or_default();
    if let Some(halted) = checkpoint.halted {
        return Err(ReplayError::Halted(halted));
    }
    // Records of a replay would hide that the topic lost some.
    relay.check(&checkpoint).await.map_err(not_now)?;
    let mut replay = Replay {
        session: publisher.begin(service)?,
        under_way: VecDeque::new(),
        published: 0,
        begun: Instant::now(),
        rate: rate.filter(|rate| *rate > 0),
        told,
    };
    let last = store.last_position().await?;
    match which {
        Which::After(position) => replay.log(store.as_ref(), position, last).await?,
        Which::Order(order) => {
            let categories = Category::ALL.into_iter();
            let own = categories.filter(|c| c.service() == service && *c != Category::Stock);
            for category in own {
                let stream = StreamId::of(category, order);
                replay.stream(store.as_ref(), &stream).await?;
            }
        }
    }
    replay.settle(0).await?;
    Ok(replay.published)
}

/// Makes a relay that has halted publish again what is after `position`, and take the topic as it is
/// now; false where it has not halted. It begins within [`super::RECHECK`].
///
/// # Errors
/// [`ReplayError`]
pub async fn mend(
    store: &dyn EventStore,
    publisher: &dyn Publisher,
    position: Position,
) -> Result<bool, ReplayError> {
    let checkpoint = store.checkpoint(CHECKPOINT).await?.unwrap_or_default();
    if checkpoint.halted.is_none() {
        return Ok(false);
    }
    let service = store.service();
    let ends = publisher.ends(service).await?;
    let ends = ends.ok_or_else(|| ReplayError::NoTopic(publisher.topic(service)))?;
    let offsets: BTreeMap<i32, i64> = ends
        .into_iter()
        .map(|(partition, ends)| (partition, ends.high - 1))
        .collect();
    // The relay alone writes its own checkpoint: while it is halted it looks for this one.
    let from = Checkpoint {
        position,
        offsets,
        halted: Some(ids::unique().to_string()),
    };
    store.set_checkpoint(MEND, &from, None).await?;
    Ok(true)
}

/// What a relay would halt for.
fn not_now(trouble: Trouble) -> ReplayError {
    match trouble {
        Trouble::Halted(halt) => ReplayError::Halted(halt.to_string()),
        Trouble::Failed(problem) => BusError(problem).into(),
        Trouble::Fenced => StoreError::Fenced.into(),
    }
}

impl Replay<'_> {
    async fn log(
        &mut self,
        store: &dyn EventStore,
        after: Position,
        last: Position,
    ) -> Result<(), ReplayError> {
        let mut after = after;
        while after < last {
            let page = store.read_log(after, PAGE).await?;
            let Some(end) = page.last().map(|fact| fact.position) else {
                break;
            };
            for fact in page.iter().filter(|fact| fact.position <= last) {
                self.publish(fact).await?;
            }
            after = end;
        }
        Ok(())
    }

    async fn stream(
        &mut self,
        store: &dyn EventStore,
        stream: &StreamId,
    ) -> Result<(), ReplayError> {
        let mut after: Sequence = 0;
        loop {
            let page = store.read_stream(stream, after, PAGE).await?;
            let Some(fact) = page.last() else {
                return Ok(());
            };
            after = fact.id.sequence;
            for fact in &page {
                self.publish(fact).await?;
            }
        }
    }

    async fn publish(&mut self, fact: &StoredFact) -> Result<(), ReplayError> {
        self.settle(WINDOW - 1).await?;
        if let Some(rate) = self.rate {
            let sent = self.published + self.under_way.len() as u64;
            let due = Duration::from_secs_f64(sent as f64 / f64::from(rate));
            sleep_until(self.begun + due).await;
        }
        loop {
            match send(self.session.as_mut(), fact, true) {
                Ok(ack) => {
                    self.under_way.push_back(ack);
                    return Ok(());
                }
                // The producer's own limit of bytes.
                Err(Refused::Full) if !self.under_way.is_empty() => {
                    self.settle(self.under_way.len() - 1).await?;
                }
                Err(Refused::Full) => tokio::task::yield_now().await,
                Err(Refused::Never(cause)) => {
                    let fact = fact.id.to_string();
                    return Err(ReplayError::Refused { fact, cause });
                }
                Err(Refused::Over(cause)) => return Err(BusError(cause).into()),
            }
        }
    }

    /// Waits until at most `left` are under way.
    async fn settle(&mut self, left: usize) -> Result<(), ReplayError> {
        while self.under_way.len() > left {
            if let Some(ack) = self.under_way.pop_front() {
                ack.await?;
                self.published += 1;
                if self.published.is_multiple_of(PAGE as u64) {
                    (self.told)(self.published);
                }
            }
        }
        Ok(())
    }
}
