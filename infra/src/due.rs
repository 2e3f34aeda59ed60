//! Runs open tasks when their time has come: calls to the outside, and timers.
//!
//! Only the holder of the log's lease runs them. A task is a row that stays until facts settle
//! it, so it may run again after a crash or beside a zombie: whoever is called knows the row's id
//! as a key, and the decider takes a repeated outcome as nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::values::Timestamp;
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::event_store::{Append, AppendError, DueRow, EventStore, StoreError};
use crate::failure::{Failure, MAX_ATTEMPTS, pause_after, unless_it_panics};
use crate::telemetry::trace::{self, Kind, Work};

/// Tasks that run at once: each waits for somebody else most of its time, and holds a few
/// kilobytes.
const CONCURRENCY: usize = 1024;
/// The look that the runner takes by itself, in case a change was missed.
const SAFETY_POLL: Duration = Duration::from_secs(1);

/// What a task comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Facts were appended that settle it.
    Settled,
    /// There was nothing left to do: it is to be settled as it is.
    Nothing,
    /// It is to run again at that time.
    Again(Timestamp),
}

/// What a service does for its tasks.
#[async_trait]
pub trait RunTask: Send + Sync + 'static {
    /// Runs a task. It may run again.
    ///
    /// # Errors
    /// [`Failure`] says whether to try again.
    async fn run(&self, row: &DueRow) -> Result<Done, Failure>;
}

/// Runs the tasks of one service.
pub struct DueRunner {
    /// Whose tasks.
    pub store: Arc<dyn EventStore>,
    /// How.
    pub run: Arc<dyn RunTask>,
}

impl DueRunner {
    /// Runs tasks until `stop`; those that wait for somebody then are abandoned, and run again
    /// when somebody next holds the lease.
    pub async fn run(self, stop: CancellationToken) {
        let mut changes = self.store.changes();
        let mut busy: HashSet<String> = HashSet::new();
        let mut running: JoinSet<String> = JoinSet::new();
        let service = self.store.service().name();
        let under_way = metrics::gauge!("waybill_tasks_running", "service" => service);
        while !stop.is_cancelled() {
            changes.mark_unchanged();
            let wait = match self.start(&mut busy, &mut running).await {
                Ok(wait) => wait,
                Err(e) => {
                    tracing::warn!(service = %self.store.service(), error = %e, "no tasks");
                    SAFETY_POLL
                }
            };
            under_way.set(busy.len() as f64);
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = running.join_next() => {
                    forget(&mut busy, ended);
                    while let Some(ended) = running.try_join_next() {
                        forget(&mut busy, ended);
                    }
                }
                _ = changes.changed(), if busy.len() < CONCURRENCY => {}
                () = sleep(wait) => {}
            }
        }
        running.shutdown().await;
        under_way.set(0.0);
    }

    /// Starts what is due, and says how long to wait for what is not.
    async fn start(
        &self,
        busy: &mut HashSet<String>,
        running: &mut JoinSet<String>,
    ) -> Result<Duration, StoreError> {
        let now = clock::now();
        let room = CONCURRENCY.saturating_sub(busy.len());
        if room == 0 {
            return Ok(SAFETY_POLL);
        }
        for row in self.store.due(now, room, busy).await? {
            busy.insert(row.id());
            let one = One {
                store: self.store.clone(),
                run: self.run.clone(),
            };
            running.spawn(one.run(row));
        }
        let next = self.store.next_due(now).await?;
        let until = next.map(|next| Duration::from_millis(next.ms_since(clock::now()) + 1));
        Ok(until.map_or(SAFETY_POLL, |until| until.min(SAFETY_POLL)))
    }
}

fn forget(busy: &mut HashSet<String>, ended: Result<String, JoinError>) {
    match ended {
        Ok(id) => drop(busy.remove(&id)),
        // Only where the runner itself is ended.
        Err(e) => tracing::error!(error = %e, "a task was cut off"),
    }
}

struct One {
    store: Arc<dyn EventStore>,
    run: Arc<dyn RunTask>,
}

impl One {
    async fn run(self, row: DueRow) -> String {
        let cause = row.origin.traceparent.as_deref();
        let work = trace::of_cause(Kind::Internal, "task", row.task.name(), cause);
        work.run(self.run_once(row, &work)).await
    }

    async fn run_once(self, mut row: DueRow, work: &Work) -> String {
        let id = row.id();
        crate::crash_point!("due.before-call");
        let result = unless_it_panics(self.run.run(&row)).await;
        crate::crash_point!("due.after-call");
        if let Err(failure) = &result {
            work.failed(failure);
        }
        if let Err(e) = self.conclude(&mut row, result).await {
            // The row is as it was: it is due, and runs again.
            tracing::warn!(task = id, error = %e, "a task's end cannot be stored yet");
            sleep(pause_after(row.failures + 1)).await;
        }
        id
    }

    async fn conclude(
        &self,
        row: &mut DueRow,
        result: Result<Done, Failure>,
    ) -> Result<(), StoreError> {
        let failure = match result {
            Ok(Done::Settled) => return Ok(()),
            Ok(Done::Nothing) => return self.settle(row).await,
            Ok(Done::Again(at)) => {
                row.not_before = at;
                row.failures = 0;
                row.problem = None;
                return self.put_back(row).await;
            }
            Err(failure) => failure,
        };
        row.failures = row.failures.saturating_add(1);
        row.problem = Some(failure.to_string());
        match failure {
            Failure::Permanent { .. } => row.parked = true,
            Failure::Unavailable(_) => {}
            Failure::Unknown(_) => {
                row.attempts += 1;
                row.parked = row.attempts >= MAX_ATTEMPTS;
            }
        }
        let pause = u64::try_from(pause_after(row.failures).as_millis()).unwrap_or(u64::MAX);
        row.not_before = clock::now().plus_ms(pause);
        let (task, problem) = (row.id(), row.problem.as_deref());
        let failures = row.failures;
        if row.parked {
            tracing::error!(task, problem, "a task is parked");
        } else if row.in_trouble() {
            tracing::warn!(task, problem, failures, "a task fails again and again");
        } else {
            tracing::info!(task, problem, "a task is tried again");
        }
        self.put_back(row).await
    }

    async fn put_back(&self, row: &DueRow) -> Result<(), StoreError> {
        crate::crash_point!("due.before-put-back");
        self.store.put_back(row).await?;
        crate::crash_point!("due.after-put-back");
        Ok(())
    }

    async fn settle(&self, row: &DueRow) -> Result<(), StoreError> {
        let request = Append {
            settles: vec![row.id()],
            ..Append::default()
        };
        crate::crash_point!("due.before-settle");
        let settled = self.store.append(request).await;
        crate::crash_point!("due.after-settle");
        match settled {
            Ok(_) => Ok(()),
            Err(AppendError::Store(e)) => Err(e),
            Err(e) => Err(StoreError::Unavailable(e.to_string())),
        }
    }
}
