//! A member of a consumer group at the brokers.
//!
//! Offsets are committed by hand, after the effect, each with the position of the last fact below
//! it as metadata. A crash before a commit repeats what was not committed. A commit that comes in
//! the middle of a rebalance is kept and made after it; one for a partition that is another
//! member's is dropped.
//!
//! While no records are wanted the partitions are paused and the client is polled on, so that the
//! group sees a member that lives and the memory of what was fetched is bounded.

use std::collections::{BTreeMap, VecDeque};
use std::future::{pending, poll_fn};
use std::mem::take;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use domain::{Position, Service};
use futures::{FutureExt, Stream, StreamExt};
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until, timeout};

use super::member::{Member, list};
use super::record::record;
use super::{KafkaPlace, Membership};
use crate::bus::{BusError, Delivered, Partition, Polled, Subscription};
use crate::envelope;

/// Records that the client fetches ahead, of each partition; small, with a short wait where they
/// are there, since the default of a second starves a fast consumer.
const FETCHED: &str = "1000";
/// Memory for what is fetched ahead, in KiB.
const FETCHED_KIB: &str = "4096";
const FETCH_AGAIN_MS: &str = "5";
/// How long a commit may take: as long as a request.
const COMMIT_WITHIN: Duration = Duration::from_secs(10);
/// A commit that a rebalance refused is made again after this.
const COMMIT_AGAIN: Duration = Duration::from_millis(100);
/// Nobody wanting records for this long pauses the partitions. Not at once: a pause throws away
/// what was fetched ahead.
const PAUSE_AFTER: Duration = Duration::from_millis(100);

/// Next offsets by partition.
type Offsets = BTreeMap<Partition, i64>;

/// A member of a consumer group.
pub struct KafkaSubscription {
    /// None only while it is dropped.
    consumer: Option<Arc<StreamConsumer<Member>>>,
    /// What the topics are called.
    names: Vec<(Service, String)>,
    /// Records that came and were not handed out yet.
    ahead: VecDeque<Delivered>,
    /// The partitions that were said to leave: the next poll lets them go.
    said: bool,
    paused: bool,
    unwanted_since: Option<Instant>,
    /// Positions of facts that were handed out and not committed, by offset.
    positions: BTreeMap<Partition, VecDeque<(i64, Position)>>,
    /// To be committed.
    owed: Offsets,
    owed_at: Option<Instant>,
    committing: Option<JoinHandle<(Offsets, Result<(), KafkaError>)>>,
}

impl KafkaSubscription {
    /// Joins `group`.
    pub fn join(
        place: &KafkaPlace,
        membership: Membership,
        group: &str,
        topics: &[Service],
    ) -> Result<Self, BusError> {
        let session = membership.session_timeout.as_millis();
        let consumer: StreamConsumer<Member> = place
            .client(group)
            .set("group.id", place.group(group))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session.to_string())
            .set("heartbeat.interval.ms", (session / 3).to_string())
            .set(
                "max.poll.interval.ms",
                membership.max_poll_interval.as_millis().to_string(),
            )
            .set("queued.min.messages", FETCHED)
            .set("queued.max.messages.kbytes", FETCHED_KIB)
            .set("fetch.queue.backoff.ms", FETCH_AGAIN_MS)
            .create_with_context(Member::default())?;
        let names: Vec<_> = topics.iter().map(|of| (*of, place.topic(*of))).collect();
        let topics: Vec<_> = names.iter().map(|(_, name)| name.as_str()).collect();
        consumer.subscribe(&topics)?;
        Ok(Self {
            consumer: Some(Arc::new(consumer)),
            names,
            ahead: VecDeque::new(),
            said: false,
            paused: false,
            unwanted_since: None,
            positions: BTreeMap::new(),
            owed: Offsets::new(),
            owed_at: None,
            committing: None,
        })
    }

    fn consumer(&self) -> Result<Arc<StreamConsumer<Member>>, BusError> {
        let closed = || BusError("the subscription is closed".to_owned());
        self.consumer.clone().ok_or_else(closed)
    }

    fn name(&self, topic: Service) -> &str {
        let named = self.names.iter().find(|(of, _)| *of == topic);
        named.map_or("", |(_, name)| name)
    }

    fn partition(&self, name: &str, number: i32) -> Option<Partition> {
        let named = self.names.iter().find(|(_, known)| known == name);
        named.map(|(topic, _)| Partition {
            topic: *topic,
            number,
        })
    }

    /// Lets those partitions go that were said to leave.
    fn let_go(&mut self, consumer: &StreamConsumer<Member>) {
        if take(&mut self.said) {
            consumer.context().let_go(consumer);
        }
    }

    /// Those that are to leave, with nothing of them kept.
    fn leaving(&mut self, consumer: &StreamConsumer<Member>) -> Vec<Partition> {
        let leaving = consumer.context().leaving();
        let known = leaving
            .iter()
            .filter_map(|(name, number)| self.partition(name, *number));
        let leaving: Vec<_> = known.collect();
        self.ahead
            .retain(|record| !leaving.contains(&record.partition));
        leaving
    }

    /// Pauses what is ours, or lets it go on.
    fn pause(&mut self, consumer: &StreamConsumer<Member>, paused: bool) -> Result<(), BusError> {
        let partitions = list(&consumer.context().staying());
        if paused {
            consumer.pause(&partitions)?;
        } else {
            consumer.resume(&partitions)?;
        }
        self.paused = paused;
        Ok(())
    }

    /// Up to `max` records: those that came, then those that the client has by now.
    fn hand_out(&mut self, consumer: &StreamConsumer<Member>, max: usize) -> Vec<Delivered> {
        let mut stream = consumer.stream();
        while self.ahead.len() < max && consumer.context().leaving().is_empty() {
            match stream.next().now_or_never().flatten() {
                Some(Ok(message)) => self.ahead.extend(self.read(&message)),
                // It comes again with the next poll where it lasts.
                Some(Err(_)) | None => break,
            }
        }
        let leaving = self.leaving(consumer);
        let some = self.ahead.len().min(max);
        let records: Vec<_> = self.ahead.drain(..some).collect();
        debug_assert!(records.iter().all(|r| !leaving.contains(&r.partition)));
        for record in &records {
            if let Ok(fact) = &record.fact {
                let positions = self.positions.entry(record.partition).or_default();
                positions.push_back((record.offset, fact.position));
            }
        }
        records
    }

    fn read(&self, message: &BorrowedMessage<'_>) -> Option<Delivered> {
        let record = record(message);
        Some(Delivered {
            partition: self.partition(message.topic(), message.partition())?,
            offset: message.offset(),
            key: envelope::subject_of(&record),
            fact: envelope::fact_of(&record),
            record: Some(record),
        })
    }

    /// Commits what is owed, one commit after another. May be dropped while it waits: the commit
    /// goes on, and is waited for with the next.
    async fn settle(&mut self) -> Result<(), BusError> {
        let consumer = self.consumer()?;
        loop {
            if let Some(committing) = &mut self.committing {
                let ended = timeout(COMMIT_WITHIN, committing).await;
                let ended = ended.map_err(|_| {
                    BusError(format!("no answer to a commit within {COMMIT_WITHIN:?}"))
                })?;
                self.committing = None;
                let (offsets, ended) = ended.map_err(|e| BusError(e.to_string()))?;
                match ended {
                    Ok(()) => self.committed(&offsets),
                    Err(e) if is_of_a_rebalance(&e) => {
                        tracing::debug!(error = %e, "offsets are committed later");
                        for (partition, next) in offsets {
                            self.owed.entry(partition).or_insert(next);
                        }
                        self.owed_at = Some(Instant::now() + COMMIT_AGAIN);
                        return Ok(());
                    }
                    Err(e) => return Err(e.into()),
                }
            }
            let offsets = self.owned(&consumer);
            if offsets.is_empty() {
                self.owed_at = None;
                return Ok(());
            }
            let list = self.with_positions(&offsets)?;
            let consumer = consumer.clone();
            self.committing = Some(spawn_blocking(move || {
                let committed = consumer.commit(&list, CommitMode::Sync);
                (offsets, committed)
            }));
        }
    }

    /// What is owed and ours to commit.
    fn owned(&mut self, consumer: &StreamConsumer<Member>) -> Offsets {
        let mut owed = take(&mut self.owed);
        let member = consumer.context();
        owed.retain(|partition, _| member.owns(self.name(partition.topic), partition.number));
        owed
    }

    fn with_positions(&self, offsets: &Offsets) -> Result<TopicPartitionList, BusError> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (partition, next) in offsets {
            let mut element = list.add_partition(self.name(partition.topic), partition.number);
            element.set_offset(Offset::Offset(*next))?;
            let below = self.positions.get(partition).into_iter().flatten();
            let last = below.take_while(|(offset, _)| offset < next).last();
            if let Some((_, position)) = last {
                element.set_metadata(position.to_string());
            }
        }
        Ok(list)
    }

    /// Forgets the positions below those offsets, but for the last: it may be committed again.
    fn committed(&mut self, offsets: &Offsets) {
        for (partition, next) in offsets {
            if let Some(positions) = self.positions.get_mut(partition) {
                let below = positions.partition_point(|(offset, _)| offset < next);
                positions.drain(..below.saturating_sub(1));
            }
        }
    }
}

#[async_trait]
impl Subscription for KafkaSubscription {
    async fn poll(&mut self, max: usize) -> Result<Polled, BusError> {
        let consumer = self.consumer()?;
        self.let_go(&consumer);
        if max > 0 {
            self.unwanted_since = None;
            if self.paused {
                self.pause(&consumer, false)?;
            }
        }
        loop {
            let leaving = self.leaving(&consumer);
            if !leaving.is_empty() {
                for partition in &leaving {
                    self.positions.remove(partition);
                }
                self.said = true;
                return Ok(Polled::Leaving(leaving));
            }
            if max > 0 && !self.ahead.is_empty() {
                return Ok(Polled::Records(self.hand_out(&consumer, max)));
            }
            if max == 0 && (!self.paused || consumer.context().came()) {
                let since = *self.unwanted_since.get_or_insert_with(Instant::now);
                sleep_until(since + PAUSE_AFTER).await;
                self.pause(&consumer, true)?;
            }
            let owed_at = self.owed_at;
            let again = async {
                match owed_at {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                message = next(&consumer) => match message {
                    Some(Ok(message)) => self.ahead.extend(self.read(&message)),
                    Some(Err(e)) => passing(e)?,
                    None => {}
                },
                () = again => self.settle().await?,
            }
        }
    }

    async fn commit(&mut self, done: &[(Partition, i64)]) -> Result<(), BusError> {
        self.owed.extend(done.iter().copied());
        self.settle().await
    }
}

impl Drop for KafkaSubscription {
    fn drop(&mut self) {
        let Some(consumer) = self.consumer.take() else {
            return;
        };
        consumer.context().close();
        consumer.context().let_go(consumer.as_ref());
        // It says goodbye to the group, and waits for that.
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn_blocking(move || drop(consumer)));
        }
    }
}

/// The next message; or nothing, as soon as there are partitions that are to leave.
async fn next(
    consumer: &StreamConsumer<Member>,
) -> Option<Result<BorrowedMessage<'_>, KafkaError>> {
    let mut stream = pin!(consumer.stream());
    poll_fn(|context| match stream.as_mut().poll_next(context) {
        Poll::Ready(message) => Poll::Ready(message),
        Poll::Pending if consumer.context().leaving().is_empty() => Poll::Pending,
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// An error that the client mends by itself is none.
fn passing(e: KafkaError) -> Result<(), BusError> {
    let lasting = matches!(e, KafkaError::MessageConsumptionFatal(_))
        || matches!(
            e.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::GroupAuthorizationFailed
            )
        );
    if lasting {
        return Err(e.into());
    }
    tracing::debug!(error = %e, "the client goes on by itself");
    Ok(())
}

/// Whether a commit came while the group was handing out partitions anew.
fn is_of_a_rebalance(e: &KafkaError) -> bool {
    matches!(
        e.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::RebalanceInProgress
                | RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::AssignmentLost
        )
    )
}
