//! Takes parked facts up again, and keeps each key's facts in order.
//!
//! A parked fact is taken up by itself where it only waited and is now the first of its topic and
//! key, or where it was of a version that this program knows by now; any other once somebody asks
//! (`waybill dlq redrive`). The rows of a key are taken one after the other, the oldest first, up
//! to the first that cannot be taken; keys go beside each other.
//!
//! The fact is read from the log of its service by its id, so that what was damaged on its way
//! heals; where somebody gave a replacement, its payload stands in for the log's.
//!
//! **Crashes.** A row is ended after its effect is durable. A crash before that takes the fact
//! again, and the decider takes it as nothing. One process redrives a group, the holder of the
//! log's lease; where two overlap, the later effect is a repeat, and of two changes of a row the
//! second is refused.
//!
//! **Order.** No fact overtakes one of its topic and key that waits, though the consumer goes on
//! meanwhile: see [`crate::consumer`]. What waits needlessly, because the consumer asked before the
//! last row of the key had ended, is the first of its key at the next look. Facts of one key in
//! two partitions, as after a record under a wrong key, have no order among each other.

use std::sync::Arc;
use std::time::Duration;

use domain::values::Timestamp;
use domain::{FactId, Recorded};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::bus::{Bus, kept_reason};
use crate::clock;
use crate::codec::{self, Unreadable};
use crate::consumer::Take;
use crate::envelope;
use crate::event_store::{
    Ended, EventStore, How, ParkedRow, ParkedRows, StoreError, StoredFact, UNKNOWN_VERSION,
};
use crate::failure::{Failure, MAX_ATTEMPTS, pauses, unless_it_panics, until_stopped};

/// Between two looks: how long what waits for nothing waits at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A pause is so many times as long as the look before it, where that was dear: many rows that nobody
/// asks for cost a twentieth of a core.
const IDLE: u32 = 20;
/// The longest pause, whatever that costs: who asks for a redrive follows it for 30 seconds.
const LONGEST: Duration = Duration::from_secs(15);
/// Rows of one read.
const PAGE: usize = 100;
/// Keys that are taken up beside each other: few enough to leave room for what is not late.
const CONCURRENCY: usize = 32;
/// How long the record of an ended row is kept: until the questions about it have been asked.
const KEEP_ENDED: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often older ones are removed.
const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// Takes up the parked facts of one consumer group.
#[derive(Clone)]
pub struct Redriver {
    /// The group.
    pub group: String,
    /// Where its facts are parked.
    pub parked: Arc<dyn ParkedRows>,
    /// Where facts are read; those of a log that is not here are taken as they came.
    pub logs: Vec<Arc<dyn EventStore>>,
    /// Where a fact is published that turns out to be a dead letter.
    pub bus: Arc<dyn Bus>,
    /// What is done with them: the same as the consumer does.
    pub take: Arc<dyn Take>,
    /// Whether facts of a topic and key wait behind each other.
    pub in_order: bool,
}

/// What an attempt came to.
enum Attempt {
    Taken,
    /// Something is down: it is tried again at the next look.
    Down(String),
    Failed {
        class: &'static str,
        reason: String,
        attempts: u32,
    },
}

impl Redriver {
    /// Takes up what is to be until `stop`; what is in hand then is abandoned, and stays parked.
    pub async fn run(self, stop: CancellationToken) {
        let name = format!("redriver of {}", self.group);
        until_stopped(&name, &stop, || self.redrive(&stop)).await;
    }

    async fn redrive(&self, stop: &CancellationToken) -> Result<(), Failure> {
        let mut purged: Option<Instant> = None;
        loop {
            let begun = Instant::now();
            let taken = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                taken = self.look() => taken?,
            };
            if purged.is_none_or(|last| last.elapsed() > PURGE_EVERY) {
                self.purge().await?;
                purged = Some(Instant::now());
            }
            // Something may have come to wait behind what was taken.
            let pause = match taken {
                0 => pause_after(begun.elapsed()),
                _ => Duration::ZERO,
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = sleep(pause) => {}
            }
        }
    }

    /// Takes up what is ready, and says how many facts were taken.
    async fn look(&self) -> Result<usize, Failure> {
        let (mut after, mut taken) = (None, 0);
        loop {
            let (group, from) = (&self.group, after.as_ref());
            let page = if self.in_order {
                self.parked.parked_heads(group, from, PAGE).await?
            } else {
                self.parked.parked_after(group, from, PAGE).await?
            };
            let is_last = page.len() < PAGE;
            after = page.last().map(ParkedRow::id);
            let ready = page.into_iter().filter(is_ready);
            let keys = stream::iter(ready.map(|row| self.take_key(row)));
            let add = |sum: usize, more| async move { Ok(sum + more) };
            taken += keys.buffer_unordered(CONCURRENCY).try_fold(0, add).await?;
            if is_last {
                return Ok(taken);
            }
        }
    }

    /// Takes the rows of a key from its first on, as far as they are ready and can be taken.
    async fn take_key(&self, first: ParkedRow) -> Result<usize, Failure> {
        let (topic, key) = (first.topic.clone(), first.key.clone());
        let mut taken = 0;
        let mut next = Some(first);
        while let Some(row) = next {
            let id = row.id();
            if row.topic != topic || row.key != key || !is_ready(&row) || !self.take(row).await? {
                break;
            }
            taken += 1;
            // One at a time, as it is now: somebody may have discarded it.
            let mut behind = match self.in_order {
                true => self.parked.parked_after(&self.group, Some(&id), 1).await?,
                false => vec![],
            };
            next = behind.pop();
        }
        Ok(taken)
    }

    /// Takes a row; true where it has ended.
    async fn take(&self, mut row: ParkedRow) -> Result<bool, Failure> {
        let (group, fact) = (self.group.clone(), row.fact.clone());
        crate::crash_point!("redriver.before-take");
        match self.attempt(&row).await {
            Attempt::Taken => {
                crate::crash_point!("redriver.after-take");
                let how = row.redrive.as_ref().map_or(How::TakenUp, |_| How::Redriven);
                row.ended = Some(Ended {
                    how,
                    at: clock::now(),
                    reason: row.redrive.as_ref().and_then(|asked| asked.reason.clone()),
                });
                let ended = self.parked.replace_parked(&row).await?;
                crate::crash_point!("redriver.after-end");
                if ended {
                    tracing::info!(group, fact, how = how.name(), "a parked fact was taken");
                    count_ended(&self.group, how);
                }
                Ok(ended)
            }
            Attempt::Down(reason) => {
                tracing::info!(group, fact, reason, "a parked fact waits for what is down");
                Ok(false)
            }
            Attempt::Failed {
                class,
                reason,
                attempts,
            } => {
                tracing::error!(group, fact, class, reason, "a parked fact failed again");
                metrics::counter!("waybill_redrives_failed_total", "group" => group).increment(1);
                let waited = row.waits();
                row.class = class.to_owned();
                row.reason = kept_reason(&reason);
                row.attempts = row.attempts.saturating_add(attempts);
                row.redrive = None;
                if waited && let Some(record) = row.delivered() {
                    self.bus.dead_letter(&record, &row).await?;
                }
                self.parked.replace_parked(&row).await?;
                Ok(false)
            }
        }
    }

    async fn attempt(&self, row: &ParkedRow) -> Attempt {
        let fact = match self.fact_of(row).await {
            Ok(fact) => fact,
            Err(failure) => return Attempt::after(failure, 1),
        };
        let mut pauses = pauses();
        let mut attempts = 0;
        loop {
            attempts += 1;
            match unless_it_panics(self.take.take(&fact)).await {
                Ok(()) => return Attempt::Taken,
                Err(Failure::Unknown(_)) if attempts < MAX_ATTEMPTS => {
                    sleep(pauses.next().unwrap_or_default()).await;
                }
                Err(failure) => return Attempt::after(failure, attempts),
            }
        }
    }

    /// The fact of a row: from the log, else from the record; with its replacement's payload.
    async fn fact_of(&self, row: &ParkedRow) -> Result<Recorded, Failure> {
        let mut fact = match stored_fact(&self.logs, row).await? {
            Some(fact) => fact,
            None => match &row.original {
                Some(original) => envelope::fact_of(&original.record())?,
                None => return Err(Unreadable::Broken("it was not kept".to_owned()).into()),
            },
        };
        if let Some(replacement) = &row.replacement {
            fact.name.clone_from(&replacement.name);
            fact.version.clone_from(&replacement.version);
            fact.payload = replacement.payload.clone().into();
        }
        Ok(codec::decode(&fact)?)
    }

    async fn purge(&self) -> Result<(), StoreError> {
        let keep = i64::try_from(KEEP_ENDED.as_micros()).unwrap_or(i64::MAX);
        let before = Timestamp::from_micros(clock::now().as_micros().saturating_sub(keep));
        self.parked.purge_parked(&self.group, before).await?;
        Ok(())
    }
}

impl Attempt {
    fn after(failure: Failure, attempts: u32) -> Self {
        let (class, reason) = match failure {
            Failure::Unavailable(reason) => return Self::Down(reason),
            Failure::Permanent { class, reason } => (class, reason),
            Failure::Unknown(reason) => ("unknown", reason),
        };
        Self::Failed {
            class,
            reason,
            attempts,
        }
    }
}

/// Counts a parked fact of `group` that has ended.
pub fn count_ended(group: &str, how: How) {
    let (group, how) = (group.to_owned(), how.name());
    metrics::counter!("waybill_parked_ended_total", "group" => group, "how" => how).increment(1);
}

/// The fact of a row as it stands in the log of its service, where that is one of `logs`: the one
/// that its record names, or where that is missing or of another key the one at its position.
///
/// # Errors
/// [`StoreError`]
pub async fn stored_fact(
    logs: &[Arc<dyn EventStore>],
    row: &ParkedRow,
) -> Result<Option<StoredFact>, StoreError> {
    let Some(log) = logs.iter().find(|log| log.service().name() == row.topic) else {
        return Ok(None);
    };
    // A record that names a fact of another service is not taken at its word.
    let of_log = |id: &FactId| id.sequence > 0 && id.stream.category.service() == log.service();
    let named = match row.fact_id().filter(of_log) {
        Some(id) => {
            let found = log.read_stream(&id.stream, id.sequence - 1, 1).await?;
            found.into_iter().find(|fact| fact.id == id)
        }
        None => None,
    };
    let is_of_row = |fact: &StoredFact| codec::key_of(&fact.id) == row.key;
    if named.as_ref().is_some_and(is_of_row) {
        return Ok(named);
    }
    let position = row.original.as_ref();
    let position = position.and_then(|original| envelope::position_of(&original.record()));
    let Some(position) = position.filter(|position| *position > 0) else {
        return Ok(named);
    };
    let found = log.read_log(position - 1, 1).await?;
    let found = found.into_iter().find(|fact| fact.position == position);
    // Under a wrong key both name one fact; a fact of another order is not taken for this one.
    Ok(found.filter(|fact| is_of_row(fact) || Some(fact) == named.as_ref()))
}

/// How long nobody looks after a look that took so long and found nothing to take.
fn pause_after(look: Duration) -> Duration {
    look.saturating_mul(IDLE).clamp(LOOK_EVERY, LONGEST)
}

/// True for a row that may be taken up now, if it is the first of its topic and key.
fn is_ready(row: &ParkedRow) -> bool {
    let known_by_now = || {
        let known = |e: &Unreadable| !matches!(e, Unreadable::Unknown { .. });
        let decoded = row.delivered().map(|record| record.decode());
        decoded.is_some_and(|decoded| decoded.as_ref().err().is_none_or(known))
    };
    row.waits() || row.redrive.is_some() || (row.class == UNKNOWN_VERSION && known_by_now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_with_the_look_before_it_and_is_never_longer_than_anybody_waits() {
        for (look, pause) in [(0, 1_000), (40, 1_000), (200, 4_000), (60_000, 15_000)] {
            let paused = pause_after(Duration::from_millis(look));
            assert_eq!(paused, Duration::from_millis(pause));
        }
        assert_eq!(pause_after(Duration::MAX), LONGEST);
    }
}
