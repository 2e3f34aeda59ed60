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
mod replay;
mod status;

use std::sync::Arc;
use std::time::Duration;

use domain::{Position, Service};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::bus::{BusError, Publisher};
use crate::event_store::{Checkpoint, EventStore, StoreError};
use crate::failure::{LONGEST_PAUSE, pauses};
use pump::Pump;

pub use record::records_of;
pub use replay::{ReplayError, Which, mend, replay};
pub use status::{Halt, RelayState, RelayStatus};

/// The lease under which a log is relayed.
pub const LEASE: &str = "log";
/// What the relay's checkpoint is called.
pub const CHECKPOINT: &str = "relay";
/// The checkpoint from which a halted relay is to go on, written by who mended what it halted for;
/// its `halted` tells one mend from another.
const MEND: &str = "relay-mend";
/// How far the log was published when the relay last took a mend; its `halted` says which.
const PUBLISHED: &str = "relay-published";
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

/// Where a relay goes on.
struct Ready {
    checkpoint: Checkpoint,
    /// Facts up to here were published before.
    replays_to: Position,
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
            stop.run_until_cancelled(self.look()).await;
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
        let Some(ready) = ready.transpose()? else {
            return Ok(());
        };
        let session = self.publisher.begin(self.service())?;
        Pump::new(self, epoch, session, ready).run(stop).await
    }

    /// Says how far behind it is, by its checkpoint, while no pump does.
    async fn look(&self) {
        let looked: Result<_, StoreError> = async {
            let checkpoint = self.store.checkpoint(CHECKPOINT).await?.unwrap_or_default();
            let last = self.store.last_position().await?;
            // Maybe that is what cannot be read.
            let next = self.store.read_log(checkpoint.position, 1).await;
            Ok((checkpoint.position, last, next.unwrap_or_default()))
        }
        .await;
        // A store that does not answer is told by who needs it.
        if let Ok((position, last, next)) = looked {
            self.status.is_behind(self.service(), position, last);
            let oldest = next.first().map(|fact| &fact.metadata[..]);
            status::is_behind(self.service(), oldest);
        }
    }

    /// Where to go on, once log and topic belong together.
    async fn ready(&self, epoch: u64) -> Result<Ready, Trouble> {
        let stored = self.store.checkpoint(CHECKPOINT).await?.unwrap_or_default();
        let mut published = self.store.checkpoint(PUBLISHED).await?.unwrap_or_default();
        let mend = match stored.halted {
            Some(_) => self.store.checkpoint(MEND).await?,
            None => None,
        };
        let mend = mend.filter(|mend| mend.halted != published.halted);
        let from = mend.as_ref().unwrap_or(&stored);
        let ends = self.check(from).await?;
        if stored.halted.is_some() {
            self.next_is_readable(from.position).await?;
        }
        let none_yet = ends.keys().map(|partition| (*partition, -1));
        let mut checkpoint = Checkpoint {
            offsets: none_yet.collect(),
            halted: None,
            position: from.position,
        };
        checkpoint.offsets.extend(from.offsets.clone());
        let last = self.store.last_position().await?;
        if checkpoint != stored {
            self.set(CHECKPOINT, &checkpoint, epoch).await?;
        }
        if let Some(mend) = mend {
            // A log that was restored from a backup may have lost what was published.
            published.position = published.position.max(stored.position).min(last);
            published.halted = mend.halted;
            self.set(PUBLISHED, &published, epoch).await?;
        }
        self.status.runs(self.service(), checkpoint.position, last);
        Ok(Ready {
            checkpoint,
            replays_to: published.position,
        })
    }

    async fn set(&self, name: &str, checkpoint: &Checkpoint, epoch: u64) -> Result<(), StoreError> {
        let store = &self.store;
        store.set_checkpoint(name, checkpoint, fence(epoch)).await
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
            self.set(CHECKPOINT, &checkpoint, epoch).await
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

/// What a checkpoint is set under: that of a holder who comes late is refused.
fn fence(epoch: u64) -> Option<(&'static str, u64)> {
    (!crate::planted!("lease-by-clock")).then_some((LEASE, epoch))
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
