//! The relay: every fact of a log onto the topic of its service, in the order of the log.
//!
//! The log is the outbox. The relay reads what is after its checkpoint, keeps a bounded number of
//! records under way, and moves the checkpoint over those that are acknowledged with all before
//! them. A crash between an acknowledgement and the checkpoint publishes again; so does a holder
//! of the lease that was replaced and does not know it yet. The first occurrences of the facts of
//! a key are in order all the same, and none is missing.
//!
//! While the brokers are away it waits and tries again. Where topic and log do not belong
//! together (a lost tail, a recreated topic, a restored backup) it stops, says so in
//! [`RelayStatus`] and in the checkpoint, where other processes see it, and goes on by itself once
//! that is mended.

mod checks;
mod pump;
mod record;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{Position, Service};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::bus::{BusError, Publisher};
use crate::event_store::{Checkpoint, EventStore, StoreError};
use crate::failure::{LONGEST_PAUSE, pauses};
use pump::Pump;

pub use status::{Halt, RelayState, RelayStatus};

/// The lease under which a log is relayed.
pub const LEASE: &str = "log";
/// What the relay's checkpoint is called.
pub const CHECKPOINT: &str = "relay";
/// How often a relay that has halted, or has nothing to do, looks at the topic: soon enough for a
/// person who waits for the mend.
pub const RECHECK: Duration = Duration::from_secs(10);

/// Relays one log.
pub struct Relay {
    /// Whose log.
    pub store: Arc<dyn EventStore>,
    /// Where to.
    pub publisher: Arc<dyn Publisher>,
    /// Where it says how it is.
    pub status: RelayStatus,
    /// How often it looks whether it is mended; [`RECHECK`] but in tests.
    pub recheck: Duration,
}

/// Why a relay does not go on as it is.
#[derive(Debug)]
enum Trouble {
    /// Somebody else relays this log now.
    Fenced,
    /// A person has to look.
    Halted(Halt),
    /// Trying again helps.
    Failed(String),
}

impl Relay {
    /// Relays under `epoch` of the lease [`LEASE`], until `stop` or until the lease turns out to be
    /// somebody else's.
    pub async fn run(&self, epoch: u64, stop: CancellationToken) {
        let mut growing = pauses();
        while !stop.is_cancelled() {
            let before = self.status.now().position;
            let pause = match self.attempt(epoch, &stop).await {
                Ok(()) => break,
                Err(Trouble::Fenced) => {
                    tracing::warn!(service = %self.service(), epoch, "relayed by somebody else");
                    break;
                }
                Err(Trouble::Halted(halt)) => {
                    self.halt(halt, epoch, &stop).await;
                    self.recheck
                }
                Err(Trouble::Failed(problem)) => {
                    tracing::warn!(service = %self.service(), problem, "the relay starts anew");
                    if self.status.now().position > before {
                        growing = pauses();
                    }
                    self.status.failed(problem);
                    growing.next().unwrap_or(LONGEST_PAUSE)
                }
            };
            stop.run_until_cancelled(sleep(pause)).await;
        }
        self.status.ends(self.service());
    }

    /// Checks, then relays until `stop`.
    async fn attempt(&self, epoch: u64, stop: &CancellationToken) -> Result<(), Trouble> {
        let ready = stop.run_until_cancelled(self.ready(epoch)).await;
        let Some(checkpoint) = ready.transpose()? else {
            return Ok(());
        };
        let session = self.publisher.begin(self.service())?;
        Pump::new(self, epoch, session, checkpoint).run(stop).await
    }

    /// The checkpoint to go on from, once log and topic belong together.
    async fn ready(&self, epoch: u64) -> Result<Checkpoint, Trouble> {
        let stored = self.store.checkpoint(CHECKPOINT).await?.unwrap_or_default();
        let ends = self.check(&stored).await?;
        if stored.halted.is_some() {
            self.next_is_readable(stored.position).await?;
        }
        let none_yet = ends.keys().map(|partition| (*partition, -1));
        let mut checkpoint = Checkpoint {
            offsets: none_yet.collect(),
            halted: None,
            ..stored.clone()
        };
        checkpoint.offsets.extend(stored.offsets.clone());
        if checkpoint != stored {
            let fence = Some((LEASE, epoch));
            let set = self.store.set_checkpoint(CHECKPOINT, &checkpoint, fence);
            set.await?;
        }
        let last = self.store.last_position().await?;
        self.status.runs(self.service(), checkpoint.position, last);
        Ok(checkpoint)
    }

    /// That a row which nobody could read is not what comes next: else the halt stays as it is.
    async fn next_is_readable(&self, after: Position) -> Result<(), Trouble> {
        match self.store.read_log(after, 1).await {
            Err(StoreError::Corrupt(cause)) => Err(Trouble::Halted(Halt::Unreadable {
                service: self.service(),
                after,
                cause,
            })),
            read => Ok(read.map(drop)?),
        }
    }

    async fn halt(&self, halt: Halt, epoch: u64, stop: &CancellationToken) {
        let words = halt.to_string();
        tracing::error!(service = %self.service(), halt = words, "the relay has halted");
        self.status.halts(self.service(), halt);
        let keep = async {
            let mut checkpoint = self.store.checkpoint(CHECKPOINT).await?.unwrap_or_default();
            if checkpoint.halted.as_ref() == Some(&words) {
                return Ok(());
            }
            checkpoint.halted = Some(words);
            let fence = Some((LEASE, epoch));
            let set = self.store.set_checkpoint(CHECKPOINT, &checkpoint, fence);
            set.await
        };
        // It is tried again with the next look.
        if let Some(Err(e)) = stop.run_until_cancelled(keep).await {
            tracing::warn!(service = %self.service(), error = %e, "the halt cannot be kept");
        }
    }

    fn service(&self) -> Service {
        self.store.service()
    }
}

/// Makes the relay of a log that has halted publish again what is after `position`, and take the
/// topic as it is now. What was published before comes again.
///
/// # Errors
/// [`MendError`]
pub async fn republish(
    store: &dyn EventStore,
    publisher: &dyn Publisher,
    position: Position,
) -> Result<(), MendError> {
    let checkpoint = store.checkpoint(CHECKPOINT).await?.unwrap_or_default();
    // A relay that runs would write its own position over it.
    if checkpoint.halted.is_none() {
        return Err(MendError::Runs);
    }
    let service = store.service();
    let ends = publisher.ends(service).await?;
    let ends = ends.ok_or_else(|| MendError::NoTopic(publisher.topic(service)))?;
    let offsets: BTreeMap<i32, i64> = ends
        .into_iter()
        .map(|(partition, ends)| (partition, ends.high - 1))
        .collect();
    let fresh = Checkpoint {
        position,
        offsets,
        halted: None,
    };
    Ok(store.set_checkpoint(CHECKPOINT, &fresh, None).await?)
}

/// Why a relay was not told to publish again.
#[derive(Debug, thiserror::Error)]
pub enum MendError {
    /// It has not halted.
    #[error("the relay of this log has not halted")]
    Runs,
    /// There is nowhere to publish.
    #[error("there is no topic {0}: run `waybill migrate`")]
    NoTopic(String),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The brokers do not answer.
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl From<StoreError> for Trouble {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::Fenced => Self::Fenced,
            StoreError::Unavailable(_) | StoreError::Overloaded | StoreError::Corrupt(_) => {
                Self::Failed(e.to_string())
            }
        }
    }
}

impl From<BusError> for Trouble {
    fn from(e: BusError) -> Self {
        Self::Failed(e.to_string())
    }
}
