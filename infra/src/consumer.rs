//! Takes facts from the bus: in order for each key, many keys at once.
//!
//! A fact is done with once its effect is durable, or once it is parked; only then may the
//! group's offset pass it, and the offset never passes one that is not (the contiguous prefix).
//! So a crash repeats facts and never skips one: before the effect it is as if the fact had not
//! come; between effect and offset it comes again, and the decider takes it as nothing.
//!
//! A partition that goes to another member takes nothing along: what is done is committed, what is
//! in hand is abandoned, and comes to the other member as if it were new.
//!
//! A fact that cannot be taken is parked, and later facts of its topic and key wait behind it in
//! order; all other keys go on. [`crate::redrive`] takes them up again, beside this loop and maybe
//! in another process, and no fact overtakes one that waits:
//!
//! - Before the facts of a poll are queued, the store is asked which of their keys have parked
//!   rows; and a key is known as parked as soon as one of its facts was parked here. So a fact is
//!   taken at once only where, at a moment after all earlier facts of its topic and key were done
//!   with or while they were in its lane before it, none of them had a row that was open; and a
//!   row is ended only after its effect is durable.
//! - What was found to be parked a moment ago may have been taken up since. The fact then waits
//!   needlessly, as the first of its key, and is taken up at the redriver's next look.

mod fetch;
mod lanes;
mod ledger;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{Recorded, Service};
use metrics::{Counter, Gauge};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::bus::{Bus, Delivered, Partition, Polled};
use crate::event_store::{EventStore, ParkedRow, WAITING};
use crate::failure::{Failure, MAX_ATTEMPTS, pauses, unless_it_panics, until_stopped};
use fetch::Fetcher;
use lanes::Lanes;
use ledger::Ledger;

/// Facts that are taken at once, each of another key: enough to fill a group commit while the one
/// before it is written.
const CONCURRENCY: usize = 512;
/// Facts that were polled and are not done with; past this the consumer wants no more.
const PENDING: usize = 2048;
/// Offsets are committed after so many facts, or when nothing is pending, or after the interval.
const COMMIT_EVERY: usize = 512;
const COMMIT_INTERVAL: Duration = Duration::from_millis(200);

/// What a consumer group does with a fact.
#[async_trait]
pub trait Take: Send + Sync + 'static {
    /// Takes a fact; returns once the effect is durable. A fact may come again.
    ///
    /// # Errors
    /// [`Failure`] says whether to try again.
    async fn take(&self, fact: &Recorded) -> Result<(), Failure>;
}

/// A consumer group's member.
pub struct Consumer {
    /// The group.
    pub group: String,
    /// The services whose facts it takes.
    pub topics: Vec<Service>,
    /// Where they come from.
    pub bus: Arc<dyn Bus>,
    /// Where facts are parked that cannot be taken.
    pub store: Arc<dyn EventStore>,
    /// What is done with them.
    pub take: Arc<dyn Take>,
}

impl Consumer {
    /// Takes facts until `stop`; then finishes those in hand and commits what is done.
    pub async fn run(self, stop: CancellationToken) {
        until_stopped(&self.group, &stop, || self.consume(&stop)).await;
    }

    async fn consume(&self, stop: &CancellationToken) -> Result<(), Failure> {
        let subscription = self.bus.subscribe(&self.group, &self.topics).await?;
        let mut fetcher = Fetcher::start(subscription);
        let mut run = Run {
            consumer: self,
            stop,
            parked: HashSet::new(),
            lanes: Lanes::default(),
            ledger: Ledger::default(),
            running: JoinSet::new(),
            stays: HashMap::new(),
            counted: Counted::of(&self.group),
        };
        let mut tick = interval(COMMIT_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(done) = run.running.join_next() => {
                    run.finish(done)?;
                    while let Some(done) = run.running.try_join_next() {
                        run.finish(done)?;
                    }
                }
                _ = tick.tick() => run.commit(&fetcher, 1).await,
                polled = fetcher.next() => match polled? {
                    Polled::Records(records) => run.accept(records).await,
                    Polled::Leaving(partitions) => run.leave(&fetcher, &partitions).await,
                },
            }
            run.start();
            let enough = if run.ledger.pending() == 0 {
                1
            } else {
                COMMIT_EVERY
            };
            run.commit(&fetcher, enough).await;
            fetcher.want(run.ledger.pending() < PENDING);
            run.counted.pending.set(run.ledger.pending() as f64);
            run.counted.running.set(run.running.len() as f64);
        }
        while let Some(done) = run.running.join_next().await {
            run.finish(done)?;
        }
        run.commit(&fetcher, 1).await;
        Ok(fetcher.close().await?)
    }
}

/// One stay in the group.
struct Run<'a> {
    consumer: &'a Consumer,
    stop: &'a CancellationToken,
    /// Topics and keys that were parked when they were last heard of.
    parked: HashSet<(String, String)>,
    lanes: Lanes,
    ledger: Ledger,
    running: JoinSet<Finished>,
    /// What ends the work on a partition once that is another member's.
    stays: HashMap<Partition, CancellationToken>,
    counted: Counted,
}

/// The metrics of a stay; at its end nothing is in hand.
struct Counted {
    taken: Counter,
    parked: Counter,
    pending: Gauge,
    running: Gauge,
}

impl Counted {
    fn of(group: &str) -> Self {
        let group = || group.to_owned();
        Self {
            taken: metrics::counter!("waybill_facts_taken_total", "group" => group()),
            parked: metrics::counter!("waybill_facts_parked_total", "group" => group()),
            pending: metrics::gauge!("waybill_consumer_pending", "group" => group()),
            running: metrics::gauge!("waybill_consumer_running", "group" => group()),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.pending.set(0.0);
        self.running.set(0.0);
    }
}

struct Finished {
    partition: Partition,
    offset: i64,
    key: String,
    end: End,
}

enum End {
    Taken,
    Parked,
    /// The process is stopping, or the partition is another member's: the fact will come again.
    Abandoned,
}

impl Run<'_> {
    async fn accept(&mut self, records: Vec<Delivered>) {
        let stop = self.stop;
        tokio::select! {
            () = self.hear_of_parked(&records) => {}
            // They come again.
            () = stop.cancelled() => return,
        }
        for record in records {
            self.ledger.begin(record.partition, record.offset);
            self.lanes.push(record);
        }
    }

    /// Commits what is done of partitions that go to another member, and forgets the rest.
    async fn leave(&mut self, fetcher: &Fetcher, partitions: &[Partition]) {
        for partition in partitions {
            if let Some(stay) = self.stays.remove(partition) {
                stay.cancel();
            }
        }
        let done = self.ledger.prefixes();
        self.ledger.committed();
        for partition in partitions {
            self.lanes.drop_of(*partition);
            self.ledger.forget(*partition);
        }
        fetcher.let_go(done).await;
    }

    /// Brings up to date which keys of `records` are parked.
    async fn hear_of_parked(&mut self, records: &[Delivered]) {
        let keys: HashSet<_> = records.iter().map(lane_of).collect();
        let Consumer { group, store, .. } = self.consumer;
        let mut pauses = pauses();
        let parked = loop {
            match store.parked_among(group, &keys).await {
                Ok(parked) => break parked,
                Err(e) => tracing::warn!(group, error = %e, "what is parked is not known yet"),
            }
            sleep(pauses.next().unwrap_or_default()).await;
        };
        self.parked.retain(|key| !keys.contains(key));
        self.parked.extend(parked);
    }

    fn start(&mut self) {
        // Behind a fact that was abandoned at the stop nothing of its key may be taken.
        while !self.stop.is_cancelled() && self.running.len() < CONCURRENCY {
            let Some(record) = self.lanes.next() else {
                return;
            };
            let stay = self.stays.entry(record.partition);
            let stay = stay.or_insert_with(|| self.stop.child_token()).clone();
            let at = lane_of(&record);
            let one = One {
                take: self.consumer.take.clone(),
                bus: self.consumer.bus.clone(),
                store: self.consumer.store.clone(),
                group: self.consumer.group.clone(),
                behind_parked: self.parked.contains(&at),
                stop: stay,
            };
            self.running.spawn(one.run(record));
        }
    }

    fn finish(&mut self, done: Result<Finished, tokio::task::JoinError>) -> Result<(), Failure> {
        let done = done.map_err(|e| Failure::Unknown(e.to_string()))?;
        match done.end {
            End::Taken => &self.counted.taken,
            End::Parked => {
                let topic = done.partition.topic.name().to_owned();
                self.parked.insert((topic, done.key.clone()));
                &self.counted.parked
            }
            End::Abandoned => {
                self.lanes.free(&done.key);
                return Ok(());
            }
        }
        .increment(1);
        self.ledger.end(done.partition, done.offset);
        self.lanes.free(&done.key);
        Ok(())
    }

    async fn commit(&mut self, fetcher: &Fetcher, enough: usize) {
        if self.ledger.ended() >= enough {
            fetcher.commit(self.ledger.prefixes()).await;
            self.ledger.committed();
        }
    }
}

/// What a record waits behind: facts of its topic and key.
fn lane_of(record: &Delivered) -> (String, String) {
    (record.partition.topic.name().to_owned(), record.key.clone())
}

/// One fact on its way.
struct One {
    take: Arc<dyn Take>,
    bus: Arc<dyn Bus>,
    store: Arc<dyn EventStore>,
    group: String,
    behind_parked: bool,
    stop: CancellationToken,
}

impl One {
    async fn run(self, record: Delivered) -> Finished {
        let end = tokio::select! {
            end = self.take_or_park(&record) => end,
            // What is being appended will be appended; the fact comes again and is a repeat.
            () = self.stop.cancelled() => End::Abandoned,
        };
        Finished {
            partition: record.partition,
            offset: record.offset,
            key: record.key,
            end,
        }
    }

    async fn take_or_park(&self, record: &Delivered) -> End {
        if self.behind_parked {
            return self
                .park(record, WAITING, "a fact before it is parked", 0)
                .await;
        }
        let fact = match record.decode() {
            Ok(fact) => fact,
            Err(e) => return self.park(record, e.class(), &e.to_string(), 1).await,
        };
        let mut attempts = 0;
        let mut pauses = pauses();
        loop {
            crate::crash_point!("consumer.before-effect");
            let (class, reason) = match unless_it_panics(self.take.take(&fact)).await {
                Ok(()) => {
                    crate::crash_point!("consumer.after-effect");
                    return End::Taken;
                }
                Err(Failure::Permanent { class, reason }) => (Some(class), reason),
                Err(Failure::Unavailable(reason)) => (None, reason),
                Err(Failure::Unknown(reason)) => {
                    attempts += 1;
                    ((attempts >= MAX_ATTEMPTS).then_some("unknown"), reason)
                }
            };
            if let Some(class) = class {
                return self.park(record, class, &reason, attempts.max(1)).await;
            }
            tracing::debug!(group = self.group, fact = %fact.id, reason, "to be tried again");
            sleep(pauses.next().unwrap_or_default()).await;
        }
    }

    async fn park(&self, record: &Delivered, class: &str, reason: &str, attempts: u32) -> End {
        let row = record.parked(&self.group, class, reason, attempts);
        let mut pauses = pauses();
        while let Err(e) = self.keep(record, &row).await {
            tracing::warn!(group = self.group, error = %e, "a fact cannot be parked yet");
            sleep(pauses.next().unwrap_or_default()).await;
        }
        let (group, fact) = (&self.group, record.fact_id());
        if row.waits() {
            tracing::debug!(group, fact, "waits behind a parked fact");
        } else {
            tracing::error!(group, fact, class, reason, "parked");
        }
        End::Parked
    }

    /// In the store, and what does not only wait also on the bus, both before the offset moves.
    async fn keep(&self, record: &Delivered, row: &ParkedRow) -> Result<(), Failure> {
        // What comes again after it was cut off in between is to wait, for itself or for another. It
        // may have been taken up by now, and where it is parked anew its row says nothing of that.
        if row.waits()
            && let Some(before) = self.store.parked_row(&row.id()).await?
            && !before.waits()
        {
            self.publish(record, &before).await?;
        }
        crate::crash_point!("consumer.before-park");
        self.store.park(row.clone()).await?;
        crate::crash_point!("consumer.after-park");
        match row.waits() {
            true => Ok(()),
            false => self.publish(record, row).await,
        }
    }

    async fn publish(&self, record: &Delivered, row: &ParkedRow) -> Result<(), Failure> {
        self.bus.dead_letter(record, row).await?;
        crate::crash_point!("consumer.after-letter");
        Ok(())
    }
}

#[cfg(test)]
mod tests;
