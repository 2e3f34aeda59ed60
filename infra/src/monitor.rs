//! Keeps the metrics that have to be asked for: how far a consumer group is behind, what it has
//! parked, and which tasks of its service are open.
//!
//! They are asked for from time to time and not when somebody reads the metrics, so that many
//! readers cost no more than one. Those of a service are kept where the lease of its log is held,
//! and those of a view by each process that projects it. Where there is no answer, a metric stays
//! as it was and the look is counted as failed. Nothing is durable here, and a crash loses nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::values::Timestamp;
use domain::{Service, Task};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::bus::Bus;
use crate::clock;
use crate::event_store::{EventStore, ParkedRow, ParkedRows};
use crate::failure::Failure;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A pause is so many times as long as the look before it, where that was dear: a twentieth of a
/// core at most. A look without an answer has only waited.
const IDLE: u32 = 20;
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);
/// Parked facts that are counted: who has more has them for one reason, and it is not their number.
pub const COUNTED: usize = 500;
/// A task is overdue when its time came so long ago: longer than any call takes.
pub const OVERDUE: Duration = Duration::from_secs(30);

/// Keeps the metrics of a consumer group.
pub struct Monitor {
    /// The group.
    pub group: String,
    /// Whose facts it takes.
    pub topics: Vec<Service>,
    /// Where they come from.
    pub bus: Arc<dyn Bus>,
    /// Where it parks what it cannot take.
    pub parked: Arc<dyn ParkedRows>,
    /// Whose tasks are counted.
    pub tasks: Option<Arc<dyn EventStore>>,
    /// How far a projector is; kept for those whose delay people see.
    pub progress: Option<Progress>,
}

/// The time of the newest fact that a projector has written.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicI64>);

impl Progress {
    /// A fact of that time is written.
    pub fn is_at(&self, time: Timestamp) {
        self.0.fetch_max(time.as_micros(), Ordering::Relaxed);
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl Monitor {
    /// Looks until `stop`. Whoever is next is to tell then, and these metrics are 0.
    pub async fn run(self, stop: CancellationToken) {
        let mut delay = Delay::default();
        while !stop.is_cancelled() {
            let begun = Instant::now();
            let pause = match stop.run_until_cancelled(self.look(&mut delay)).await {
                None => break,
                Some(Ok(())) => (begun.elapsed() * IDLE).clamp(LOOK_EVERY, LONGEST),
                Some(Err(e)) => {
                    let group = self.group.clone();
                    tracing::debug!(group, error = %e, "no answer for the metrics");
                    metrics::counter!("waybill_looks_failed_total", "group" => group).increment(1);
                    LOOK_EVERY
                }
            };
            stop.run_until_cancelled(sleep(pause)).await;
        }
        self.forget();
    }

    /// One that has no answer does not keep the others from being asked.
    async fn look(&self, delay: &mut Delay) -> Result<(), Failure> {
        let (lag, parked, tasks) = tokio::join!(
            self.bus.lag(&self.group, &self.topics),
            self.parked.parked(&self.group, None, COUNTED),
            self.count_tasks(),
        );
        let lag = lag.map(|lag| self.tell_lag(&lag, delay));
        let parked = parked.map(|rows| self.tell_parked(&rows));
        tasks
            .and(lag.map_err(Into::into))
            .and(parked.map_err(Into::into))
    }

    fn tell_lag(&self, lag: &[(Service, u64)], delay: &mut Delay) {
        for (topic, facts) in lag {
            self.lag_of(*topic, *facts as f64);
        }
        if let Some(progress) = &self.progress {
            let behind = lag.iter().any(|(_, facts)| *facts > 0);
            self.delayed(delay.after(behind, progress.at(), clock::now()));
        }
    }

    fn tell_parked(&self, rows: &[ParkedRow]) {
        let waiting = rows.iter().filter(|row| row.waits()).count();
        self.parked_are("failed", rows.len() - waiting);
        self.parked_are("waiting", waiting);
    }

    async fn count_tasks(&self) -> Result<(), Failure> {
        let has_tasks = |store: &&Arc<dyn EventStore>| tasks_of(store.service()).next().is_some();
        let Some(store) = self.tasks.as_ref().filter(has_tasks) else {
            return Ok(());
        };
        let counts = store.count_tasks(overdue_before()).await?;
        for task in tasks_of(store.service()) {
            let of_task = counts.iter().find(|count| count.task == task);
            let (open, overdue) = of_task.map_or((0, 0), |count| (count.open, count.overdue));
            tasks_are(store.service(), task, open, overdue);
        }
        Ok(())
    }

    fn forget(&self) {
        for topic in &self.topics {
            self.lag_of(*topic, 0.0);
        }
        self.tell_parked(&[]);
        if self.progress.is_some() {
            self.delayed(Duration::ZERO);
        }
        if let Some(store) = &self.tasks {
            for task in tasks_of(store.service()) {
                tasks_are(store.service(), task, 0, 0);
            }
        }
    }

    fn lag_of(&self, topic: Service, facts: f64) {
        let (group, topic) = (self.group.clone(), topic.name());
        metrics::gauge!("waybill_consumer_lag_facts", "group" => group, "topic" => topic)
            .set(facts);
    }

    fn delayed(&self, by: Duration) {
        metrics::gauge!("waybill_projector_lag_seconds", "group" => self.group.clone())
            .set(by.as_secs_f64());
    }

    fn parked_are(&self, class: &'static str, count: usize) {
        metrics::gauge!("waybill_parked_facts", "group" => self.group.clone(), "class" => class)
            .set(count as f64);
    }
}

/// Tasks whose time came before this are overdue.
pub fn overdue_before() -> Timestamp {
    let before = i64::try_from(OVERDUE.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(clock::now().as_micros().saturating_sub(before))
}

fn tasks_of(service: Service) -> impl Iterator<Item = Task> {
    let own = move |task: &Task| task.service() == service;
    Task::ALL.into_iter().filter(own)
}

fn tasks_are(service: Service, task: Task, open: u64, overdue: u64) {
    let (service, task) = (service.name(), task.name());
    metrics::gauge!("waybill_tasks_open", "service" => service, "task" => task).set(open as f64);
    metrics::gauge!("waybill_tasks_overdue", "service" => service, "task" => task)
        .set(overdue as f64);
}

/// How far a reader is behind, by what is seen of it from time to time. Facts that it has not read
/// have times that nobody knows; but those of facts are nearly in order.
#[derive(Default)]
struct Delay {
    /// The newest fact that it had read, when that was looked at, and how far behind it was.
    last: Option<(Timestamp, Timestamp, Duration)>,
}

impl Delay {
    /// What is not read is newer than what is: while it goes on, it is no further behind than the
    /// last that it read is old. Where it stands still, it is behind since it was last seen not to.
    fn after(&mut self, behind: bool, newest: Timestamp, now: Timestamp) -> Duration {
        let since = |time| Duration::from_millis(now.ms_since(time));
        let by = match self.last {
            _ if !behind => Duration::ZERO,
            Some((at, seen, by)) if newest <= at => by + since(seen),
            Some(_) => since(newest),
            // Nothing is known of how long that has been so.
            None => Duration::ZERO,
        };
        self.last = Some((newest, now, by));
        by
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: i64) -> Timestamp {
        Timestamp::from_micros(n * 1_000_000)
    }

    #[test]
    fn who_has_read_everything_is_not_behind_however_long_ago() {
        let mut delay = Delay::default();
        assert_eq!(delay.after(false, second(0), second(3600)), Duration::ZERO);
        // The first fact after an hour is on its way.
        let by = delay.after(true, second(0), second(3605));
        assert_eq!(by, Duration::from_secs(5));
    }

    #[test]
    fn who_goes_on_is_behind_as_far_as_the_last_fact_is_old() {
        let mut delay = Delay::default();
        delay.after(true, second(10), second(100));
        let by = delay.after(true, second(95), second(105));
        assert_eq!(by, Duration::from_secs(10));
    }

    #[test]
    fn who_stands_still_is_further_behind_with_every_second() {
        let mut delay = Delay::default();
        delay.after(false, second(10), second(100));
        delay.after(true, second(10), second(105));
        let by = delay.after(true, second(10), second(110));
        assert_eq!(by, Duration::from_secs(10));
    }
}
