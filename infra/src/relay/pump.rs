//! From the log to one session of a publisher. One page is read while another is sent, and the
//! checkpoint is written beside both.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use domain::Position;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::record::records_of;
use super::status;
use super::{CHECKPOINT, Halt, Ready, Relay, Trouble, fence};
use crate::bus::{Ack, Acknowledged, BusError, Refused, Session};
use crate::envelope::REPLAY;
use crate::event_store::{Checkpoint, StoreError, StoredFact};
use crate::telemetry::trace::{self, Kind};

/// Facts a read: larger pages read no faster.
const PAGE: usize = 2000;
/// Records under way: past this many, batches grow no more. With the largest facts the producer's
/// own limit of bytes comes first.
const WINDOW: usize = 10_000;
/// Between two checkpoints: what a crash publishes again.
const SAVE_EVERY: Duration = Duration::from_millis(100);
/// The look that the relay takes by itself, in case a change was missed.
const SAFETY_POLL: Duration = Duration::from_secs(1);
/// How long the brokers may take for the first record under way before that is told as a problem.
const STALLED: Duration = Duration::from_secs(5);
/// At the end, how long to wait for what is under way, and then for the checkpoint.
const LAST_WAIT: Duration = Duration::from_secs(1);

type Reading = BoxFuture<'static, Result<Vec<StoredFact>, StoreError>>;
type Saving = BoxFuture<'static, Result<(), StoreError>>;

pub(super) struct Pump<'a> {
    relay: &'a Relay,
    epoch: u64,
    session: Box<dyn Session>,
    checkpoint: Checkpoint,
    /// Facts up to here were published before: their records are marked.
    replays_to: Position,
    /// The position of the checkpoint that was last asked to be stored.
    saved: Position,
    saved_at: Instant,
    saving: Option<Saving>,
    /// The last position that was read, and the largest that is known of.
    read: Position,
    last: Position,
    reading: Option<Reading>,
    /// Facts of the next read: fewer where a page cannot be read, so that what is before the row
    /// that is broken is published.
    page: usize,
    /// What is wrong with the row after those that were read.
    unreadable: Option<String>,
    /// True until a change or a look by itself, where the last page was not full.
    caught_up: bool,
    waiting: VecDeque<StoredFact>,
    /// Position, metadata and answer.
    under_way: VecDeque<(Position, Bytes, Ack)>,
    /// When there was last an answer, or nothing under way.
    moved_at: Instant,
    checked_at: Instant,
}

impl<'a> Pump<'a> {
    pub fn new(
        relay: &'a Relay,
        epoch: u64,
        session: Box<dyn Session>,
        Ready {
            checkpoint,
            replays_to,
        }: Ready,
    ) -> Self {
        let position = checkpoint.position;
        Self {
            relay,
            epoch,
            session,
            checkpoint,
            replays_to,
            saved: position,
            saved_at: Instant::now(),
            saving: None,
            read: position,
            last: relay.status.now().last,
            reading: None,
            page: PAGE,
            unreadable: None,
            caught_up: false,
            waiting: VecDeque::new(),
            under_way: VecDeque::new(),
            moved_at: Instant::now(),
            checked_at: Instant::now(),
        }
    }

    /// Relays until `stop`. Whatever ends it, what is acknowledged is in the checkpoint, where
    /// the store takes it.
    pub async fn run(mut self, stop: &CancellationToken) -> Result<(), Trouble> {
        let ended = self.relay(stop).await;
        if ended.is_ok() {
            // What the brokers do not take in time comes again.
            timeout(LAST_WAIT, self.settle()).await.ok();
        }
        if !matches!(ended, Err(Trouble::Fenced)) {
            timeout(LAST_WAIT, self.save_last()).await.ok();
        }
        ended
    }

    async fn relay(&mut self, stop: &CancellationToken) -> Result<(), Trouble> {
        let mut changes = self.relay.store.changes();
        let mut tick = Instant::now() + SAFETY_POLL;
        loop {
            self.send()?;
            let room = self.reading.is_none() && self.waiting.len() < PAGE;
            if room && !self.caught_up && self.unreadable.is_none() {
                changes.mark_unchanged();
                self.read_ahead();
            }
            self.end_before_unreadable()?;
            let unsaved = self.saving.is_none() && self.checkpoint.position > self.saved;
            let under_way = !self.under_way.is_empty();
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                answer = front(&mut self.under_way), if under_way => self.acknowledged(answer)?,
                stored = slot(&mut self.saving) => stored?,
                page = slot(&mut self.reading) => self.take(page)?,
                () = sleep_until(self.saved_at + SAVE_EVERY), if unsaved => self.save(),
                Ok(()) = changes.changed(), if self.caught_up => self.caught_up = false,
                () = sleep_until(tick) => {
                    tick = Instant::now() + SAFETY_POLL;
                    self.caught_up = false;
                    stop.run_until_cancelled(self.look()).await.unwrap_or(Ok(()))?;
                }
            }
        }
    }

    /// Sends what there is room for.
    fn send(&mut self) -> Result<(), Trouble> {
        let mut sent = 0_u32;
        if self.under_way.is_empty() {
            self.moved_at = Instant::now();
        }
        while self.under_way.len() < WINDOW {
            let Some(fact) = self.waiting.front() else {
                break;
            };
            crate::crash_point!("relay.before-produce");
            match send(&mut *self.session, fact, fact.position <= self.replays_to) {
                Ok(ack) => {
                    crate::crash_point!("relay.after-produce");
                    if crate::planted!("checkpoint-before-ack") {
                        self.checkpoint.position = fact.position;
                    }
                    let metadata = fact.metadata.clone();
                    let ack = traced(fact, ack);
                    self.under_way.push_back((fact.position, metadata, ack));
                }
                Err(Refused::Full) => break,
                // What is before it is to be published all the same.
                Err(Refused::Never(_)) if !self.under_way.is_empty() => break,
                Err(Refused::Never(cause)) => {
                    let service = self.relay.service();
                    return Err(Trouble::Halted(Halt::Refused {
                        service,
                        topic: self.relay.publisher.topic(service),
                        fact: fact.id.clone(),
                        position: fact.position,
                        cause,
                    }));
                }
                Err(Refused::Over(cause)) => return Err(Trouble::Failed(cause)),
            }
            self.waiting.pop_front();
            sent += 1;
        }
        if sent > 0 {
            let service = self.relay.service().name();
            metrics::histogram!("waybill_relay_batch_size", "service" => service)
                .record(f64::from(sent));
        }
        Ok(())
    }

    fn read_ahead(&mut self) {
        let (store, after, page) = (self.relay.store.clone(), self.read, self.page);
        self.reading = Some(async move { store.read_log(after, page).await }.boxed());
    }

    fn take(&mut self, page: Result<Vec<StoredFact>, StoreError>) -> Result<(), Trouble> {
        let page = match page {
            Ok(page) => page,
            Err(StoreError::Corrupt(_)) if self.page > 1 => {
                self.page /= 2;
                return Ok(());
            }
            Err(StoreError::Corrupt(what)) => {
                self.unreadable = Some(what);
                return Ok(());
            }
            Err(e) => return Err(e.into()),
        };
        self.caught_up = page.len() < self.page;
        self.page = PAGE;
        if let Some(fact) = page.last() {
            crate::crash_point!("relay.after-read");
            self.read = fact.position;
            self.last = self.last.max(fact.position);
        }
        self.waiting.extend(page);
        Ok(())
    }

    /// Halts before a row that cannot be read, once all before it is acknowledged.
    fn end_before_unreadable(&self) -> Result<(), Trouble> {
        match &self.unreadable {
            Some(what) if self.waiting.is_empty() && self.under_way.is_empty() => {
                Err(Trouble::Halted(Halt::Unreadable {
                    service: self.relay.service(),
                    after: self.read,
                    cause: what.clone(),
                }))
            }
            _ => Ok(()),
        }
    }

    /// Takes the answer for the first record under way, and those behind it that are there.
    fn acknowledged(&mut self, first: Result<Acknowledged, BusError>) -> Result<(), Trouble> {
        let mut answer = Some(first);
        let mut count = 0;
        while let Some(at) = answer {
            let at = at?;
            if let Some((position, ..)) = self.under_way.pop_front() {
                self.is_at(position, at)?;
            }
            count += 1;
            crate::crash_point!("relay.after-ack");
            let next = self.under_way.front_mut();
            answer = next.and_then(|(.., ack)| ack.now_or_never());
        }
        self.moved_at = Instant::now();
        let service = self.relay.service();
        metrics::counter!("waybill_relay_facts_total", "service" => service.name())
            .increment(count);
        let status = &self.relay.status;
        status.is_at(service, self.checkpoint.position, self.last);
        Ok(())
    }

    fn is_at(&mut self, position: Position, at: Acknowledged) -> Result<(), Trouble> {
        if let Some(offset) = at.offset {
            let service = self.relay.service();
            let before = self.checkpoint.offsets.insert(at.partition, offset);
            if let Some(before) = before.filter(|before| *before >= offset) {
                self.checkpoint.offsets.insert(at.partition, before);
                return Err(Trouble::Halted(Halt::LostTail {
                    service,
                    topic: self.relay.publisher.topic(service),
                    partition: at.partition,
                    acknowledged: before,
                    end: offset,
                }));
            }
        }
        self.checkpoint.position = position;
        Ok(())
    }

    fn save(&mut self) {
        self.saved = self.checkpoint.position;
        self.saved_at = Instant::now();
        let (store, checkpoint) = (self.relay.store.clone(), self.checkpoint.clone());
        let fence = fence(self.epoch);
        let save = async move {
            store.set_checkpoint(CHECKPOINT, &checkpoint, fence).await?;
            crate::crash_point!("relay.after-checkpoint");
            Ok(())
        };
        self.saving = Some(save.boxed());
    }

    /// From time to time: how far behind it is, and when it has nothing to do, whether the topic
    /// is still the one.
    async fn look(&mut self) -> Result<(), Trouble> {
        let (relay, service) = (self.relay, self.relay.service());
        self.last = self.last.max(relay.store.last_position().await?);
        relay
            .status
            .is_at(service, self.checkpoint.position, self.last);
        let waits = self.waiting.front().map(|fact| &fact.metadata);
        let oldest = self.under_way.front().map(|(_, of, _)| of).or(waits);
        status::is_behind(service, oldest.map(|metadata| &metadata[..]));
        if self.moved_at.elapsed() >= STALLED && !self.under_way.is_empty() {
            let problem = "the brokers have not acknowledged anything for some seconds";
            relay.status.failed(problem.to_owned());
        }
        let idle = self.under_way.is_empty() && self.waiting.is_empty();
        if idle && self.checked_at.elapsed() >= relay.recheck {
            self.checked_at = Instant::now();
            relay.check(&self.checkpoint).await?;
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Trouble> {
        while !self.under_way.is_empty() {
            let answer = front(&mut self.under_way).await;
            self.acknowledged(answer)?;
        }
        Ok(())
    }

    async fn save_last(&mut self) {
        if self.saving.is_some() {
            // It must not arrive after the last one.
            slot(&mut self.saving).await.ok();
        }
        if self.checkpoint.position > self.saved {
            self.save();
        }
        if self.saving.is_some()
            && let Err(e) = slot(&mut self.saving).await
        {
            tracing::warn!(error = %e, "the last facts will be published again");
        }
    }
}

/// Sends a fact, marked where it was published before; one that is too large for a record without what makes it so. Its key is parked by
/// whoever reads it, and no other is.
pub(super) fn send(
    session: &mut dyn Session,
    fact: &StoredFact,
    again: bool,
) -> Result<Ack, Refused> {
    let mut answer = Err(Refused::Never("it has no record".to_owned()));
    for mut record in records_of(fact) {
        if again {
            record.headers.push((REPLAY.into(), "true".into()));
        }
        answer = session.send(&record);
        if !matches!(answer, Err(Refused::Never(_))) {
            break;
        }
        let (fact, position) = (&fact.id, fact.position);
        tracing::error!(%fact, position, "too large for a record: its value is left out");
    }
    answer
}

/// With a span that ends with the answer.
fn traced(fact: &StoredFact, ack: Ack) -> Ack {
    let work = trace::of_stored(Kind::Producer, "publish", fact);
    match work.is_recorded() {
        false => ack,
        true => ack.inspect(move |_| drop(work)).boxed(),
    }
}

/// What is in the slot, once it is ready; the slot is empty then.
async fn slot<T>(slot: &mut Option<BoxFuture<'static, T>>) -> T {
    let Some(running) = slot else {
        return pending().await;
    };
    let done = running.await;
    *slot = None;
    done
}

async fn front(under_way: &mut VecDeque<(Position, Bytes, Ack)>) -> Result<Acknowledged, BusError> {
    match under_way.front_mut() {
        Some((.., ack)) => ack.await,
        None => pending().await,
    }
}
