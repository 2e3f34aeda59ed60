//! Keeps one table of one view.
//!
//! A batch of facts is folded cell by cell, written, and only then committed. A crash before the
//! write is as if the batch had not come; between write and commit it comes again, and the stamps
//! of the cells make the second write change nothing. A fact that cannot be read is parked and
//! nothing waits behind it: writes of a view commute. It is written when it is taken up again, each
//! for itself, by whichever process comes first; a second write changes nothing.
//!
//! While the store is away a batch is tried again and again, and nothing is read behind it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::values::Timestamp;
use domain::{Recorded, Service, View};
use infra::bus::{Bus, Delivered, Partition, Polled, Subscription};
use infra::clock;
use infra::codec::Unreadable;
use infra::consumer::Take;
use infra::event_store::{EventStore, ParkedRows};
use infra::failure::{Failure, LONGEST_PAUSE, pauses, until_stopped};
use infra::monitor::{Monitor, Progress};
use infra::redrive::Redriver;
use infra::telemetry::trace::{self, Kind, Work};
use infra::view_store::{RowPatch, Table, ViewStore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::fold::Fold;

/// Facts of one batch: enough to fold an order's burst into one write, few enough to be shown at
/// once.
const BATCH: usize = 512;

/// A member that writes for so long polls meanwhile: a third of what brokers wait for a poll.
const UNHEARD: Duration = Duration::from_secs(5);

/// Keeps one table of one view.
pub struct Projector {
    /// What is projected.
    pub view: &'static dyn View,
    /// Where to.
    pub table: Table,
    /// The consumer group that remembers how far.
    pub group: String,
    /// Where facts come from.
    pub bus: Arc<dyn Bus>,
    /// Where cells go.
    pub store: Arc<dyn ViewStore>,
    /// Where facts are parked that cannot be read.
    pub parked: Arc<dyn ParkedRows>,
    /// Where those are read when they are taken up again.
    pub logs: Vec<Arc<dyn EventStore>>,
}

impl Projector {
    /// Projects until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        until_stopped(&self.group, &stop, || self.project(&stop)).await;
    }

    async fn project(&self, stop: &CancellationToken) -> Result<(), Failure> {
        let schema = self.view.schema();
        self.store.create(schema, &self.table).await?;
        let progress = Progress::default();
        let beside = async {
            let monitor = self.monitor(progress.clone());
            tokio::join!(self.redriver().run(stop.clone()), monitor.run(stop.clone()));
            Ok(())
        };
        tokio::try_join!(self.follow(&progress, stop), beside)?;
        Ok(())
    }

    async fn follow(&self, progress: &Progress, stop: &CancellationToken) -> Result<(), Failure> {
        let group = || self.group.clone();
        let projected = metrics::counter!("waybill_facts_projected_total", "group" => group());
        let took = metrics::histogram!("waybill_projection_seconds", "group" => group());
        let mut subscription = self.bus.subscribe(&self.group, &Service::ALL).await?;
        loop {
            let polled = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                polled = subscription.poll(BATCH) => polled?,
            };
            let records = match polled {
                Polled::Records(records) => records,
                // Nothing is in hand, and what is done is committed.
                Polled::Leaving(_) => continue,
            };
            infra::crash_point!("projector.after-poll");
            if infra::planted!("commit-before-write") {
                commit(subscription.as_mut(), &records).await?;
            }
            let written = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                written = self.write(&records, subscription.as_mut()) => written?,
            };
            if let Some((oldest, newest)) = written {
                took.record(clock::now().ms_since(oldest) as f64 / 1000.0);
                progress.is_at(newest);
            }
            infra::crash_point!("projector.after-write");
            commit(subscription.as_mut(), &records).await?;
            infra::crash_point!("projector.after-commit");
            projected.increment(records.len() as u64);
        }
    }

    /// Writes what the facts write, however long the store is away, and says of what times they are.
    /// Meanwhile no more are read, and the partitions stay here; where some go to another member, the
    /// batch is given up, and comes again from what was committed.
    async fn write(
        &self,
        records: &[Delivered],
        subscription: &mut dyn Subscription,
    ) -> Result<Option<(Timestamp, Timestamp)>, Failure> {
        let schema = self.view.schema();
        let mut pauses = pauses();
        loop {
            let Folded { rows, spans, times } = staying(subscription, self.fold(records)).await??;
            infra::crash_point!("projector.before-write");
            let applied = match rows.is_empty() {
                true => Ok(()),
                false => {
                    let apply = self.store.apply(schema, &self.table, rows);
                    staying(subscription, apply).await?
                }
            };
            drop(spans);
            let reason = match applied.map_err(Failure::from) {
                Ok(()) => return Ok(times),
                Err(Failure::Unavailable(reason)) => reason,
                Err(other) => return Err(other),
            };
            tracing::warn!(group = self.group, reason, "rows cannot be written yet");
            tokio::select! {
                () = sleep(pauses.next().unwrap_or(LONGEST_PAUSE)) => {}
                left = until_some_leave(subscription) => return Err(left),
            }
        }
    }

    fn redriver(&self) -> Redriver {
        let Self {
            view, table, store, ..
        } = self;
        Redriver {
            group: self.group.clone(),
            parked: self.parked.clone(),
            logs: self.logs.clone(),
            bus: self.bus.clone(),
            take: Arc::new(Cells {
                view: *view,
                table: table.clone(),
                store: store.clone(),
            }),
            in_order: false,
        }
    }

    fn monitor(&self, progress: Progress) -> Monitor {
        Monitor {
            group: self.group.clone(),
            topics: Service::ALL.to_vec(),
            bus: self.bus.clone(),
            parked: self.parked.clone(),
            tasks: None,
            progress: Some(progress),
        }
    }

    async fn fold(&self, records: &[Delivered]) -> Result<Folded, Failure> {
        let mut fold = Fold::default();
        let (mut spans, mut times) = (vec![], None);
        for record in records {
            let fact = match record.decode() {
                Ok(fact) => fact,
                Err(e) => {
                    self.park(record, &e).await?;
                    continue;
                }
            };
            let span = trace::of_fact(Kind::Consumer, "project", &fact);
            if span.is_recorded() {
                span.note("waybill.group", self.group.clone());
                spans.push(span);
            }
            let (oldest, newest) = times.unwrap_or((fact.time, fact.time));
            times = Some((fact.time.min(oldest), fact.time.max(newest)));
            fold.add(self.view.project(&fact));
        }
        Ok(Folded {
            rows: fold.rows(),
            spans,
            times,
        })
    }

    async fn park(&self, record: &Delivered, e: &Unreadable) -> Result<(), Failure> {
        tracing::error!(group = self.group, fact = record.fact_id(), error = %e, "parked");
        let row = record.parked(&self.group, e.class(), &e.to_string(), 1);
        infra::crash_point!("projector.before-park");
        self.parked.park(row.clone()).await?;
        infra::crash_point!("projector.after-park");
        self.bus.dead_letter(record, &row).await?;
        infra::crash_point!("projector.after-letter");
        Ok(())
    }
}

/// A batch, folded.
struct Folded {
    rows: Vec<RowPatch>,
    /// One a fact, until the rows are written.
    spans: Vec<Work>,
    /// Of the oldest fact and the newest.
    times: Option<(Timestamp, Timestamp)>,
}

/// Does that, and stays a member of the group however long it takes, unless partitions go to another
/// member.
async fn staying<T>(
    subscription: &mut dyn Subscription,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    let left = async {
        sleep(UNHEARD).await;
        until_some_leave(subscription).await
    };
    tokio::select! {
        done = work => Ok(done),
        left = left => Err(left),
    }
}

/// Stays a member of the group, and wants no records.
async fn until_some_leave(subscription: &mut dyn Subscription) -> Failure {
    loop {
        match subscription.poll(0).await {
            Ok(Polled::Records(_)) => {}
            Ok(Polled::Leaving(_)) => {
                return Failure::Unavailable("partitions go to another member".to_owned());
            }
            Err(e) => return e.into(),
        }
    }
}

async fn commit(subscription: &mut dyn Subscription, records: &[Delivered]) -> Result<(), Failure> {
    let mut done: BTreeMap<Partition, i64> = BTreeMap::new();
    for record in records {
        done.insert(record.partition, record.offset + 1);
    }
    let done: Vec<_> = done.into_iter().collect();
    Ok(subscription.commit(&done).await?)
}

/// Writes the cells of one fact.
struct Cells {
    view: &'static dyn View,
    table: Table,
    store: Arc<dyn ViewStore>,
}

#[async_trait]
impl Take for Cells {
    async fn take(&self, fact: &Recorded) -> Result<(), Failure> {
        let _until_written = trace::of_fact(Kind::Consumer, "project", fact);
        let mut fold = Fold::default();
        fold.add(self.view.project(fact));
        let rows = fold.rows();
        if !rows.is_empty() {
            self.store
                .apply(self.view.schema(), &self.table, rows)
                .await?;
        }
        Ok(())
    }
}
