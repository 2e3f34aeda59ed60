//! How fast a rebuild may be.
//!
//! A probe of its own reads one row of each store again and again. The slowest of a hundred reads
//! (about the 99th percentile) is held against what it was before the rebuild began: where it is more
//! than twice that, the rebuild halves its rate and looks anew, and otherwise the rate grows by a tenth
//! every quarter of a second. So it takes what commands leave, and gives it back within two seconds.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::values::OrderId;
use domain::view::{Kind, Value};
use domain::{Category, StreamId, View};
use infra::event_store::EventStore;
use infra::ids;
use infra::tasks::Tasks;
use infra::view_store::{Table, ViewStore};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Rebuild, RebuildError};
use crate::orders::Orders;

/// Reads of a store that are held against each other.
const WINDOW: usize = 100;
/// Reads that are enough to tell something: half a window.
const ENOUGH: usize = 50;
/// Between two reads of each store: a window is two seconds.
const PROBE_EVERY: Duration = Duration::from_millis(20);
/// How long the first measuring may take, where a store hardly answers.
const MEASURED_WITHIN: Duration = Duration::from_secs(10);
/// How much slower than at the beginning the stores may get.
const FACTOR: f64 = 2.0;
/// Below this nobody notices.
const UNNOTICED: Duration = Duration::from_millis(5);
/// What a read that failed counts as, at least.
const FAILED: Duration = Duration::from_secs(1);
/// Between two decisions.
const DECIDE_EVERY: Duration = Duration::from_millis(250);
/// Facts a second at the beginning, and at least.
const FIRST_RATE: f64 = 20_000.0;
const LEAST_RATE: f64 = 200.0;

/// What slows a rebuild down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pressure {
    /// Which store.
    pub store: String,
    /// The slowest of its last reads, in milliseconds.
    pub now_ms: f64,
    /// The slowest before the rebuild, in milliseconds.
    pub before_ms: f64,
}

/// Spends time so that a rate is kept.
pub struct Throttle {
    /// Facts a second; none where there is no limit.
    rate: Option<f64>,
    most: f64,
    probe: Option<Probe>,
    next: Instant,
    decided: Instant,
    pressure: Option<Pressure>,
    begun: Instant,
    spent: usize,
    /// Since the last decision.
    spent_lately: usize,
}

impl Throttle {
    /// Measures how the stores answer before a rebuild begins.
    pub async fn start(rebuild: &Rebuild) -> Result<Self, RebuildError> {
        let most = rebuild.rate.map_or(f64::INFINITY, f64::from);
        let probe = match rebuild.throttled {
            true => Some(Probe::start(rebuild).await?),
            false => None,
        };
        Ok(Self {
            rate: match &probe {
                Some(_) => Some(FIRST_RATE.min(most)),
                None => rebuild.rate.map(f64::from),
            },
            most,
            probe,
            next: Instant::now(),
            decided: Instant::now(),
            pressure: None,
            begun: Instant::now(),
            spent: 0,
            spent_lately: 0,
        })
    }

    /// Waits until so many facts more may be read.
    pub async fn spend(&mut self, facts: usize) {
        self.spent += facts;
        self.spent_lately += facts;
        if self.decided.elapsed() >= DECIDE_EVERY {
            self.decide();
        }
        let Some(rate) = self.rate else { return };
        // What was not spent while something else was slow is not made up for.
        self.next = self.next.max(Instant::now()) + Duration::from_secs_f64(facts as f64 / rate);
        sleep_until(self.next).await;
    }

    fn decide(&mut self) {
        let achieved = self.spent_lately as f64 / self.decided.elapsed().as_secs_f64().max(0.001);
        (self.decided, self.spent_lately) = (Instant::now(), 0);
        let (Some(probe), Some(rate)) = (&self.probe, self.rate) else {
            return;
        };
        let Some(pressure) = probe.pressure() else {
            return;
        };
        self.rate = Some(next_rate(rate, achieved, pressure.is_some()).min(self.most));
        self.pressure = pressure;
    }

    /// Facts a second, so far.
    pub fn achieved(&self) -> f64 {
        self.spent as f64 / self.begun.elapsed().as_secs_f64().max(0.001)
    }

    /// What slows it down now.
    pub fn pressure(&self) -> Option<Pressure> {
        self.pressure.clone()
    }
}

/// Half the rate under pressure, and a tenth more without; never far above what is achieved, so that the
/// next half is felt at once.
fn next_rate(rate: f64, achieved: f64, pressed: bool) -> f64 {
    let next = match pressed {
        true => rate.min(achieved) / 2.0,
        false => (rate * 1.1)
            .min(achieved.max(LEAST_RATE) * 1.5)
            .max(rate.min(achieved)),
    };
    next.max(LEAST_RATE)
}

/// Reads that tell how busy the stores are. They end with it.
struct Probe {
    measured: Arc<Mutex<Vec<Measured>>>,
    tasks: Tasks,
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

/// How long reads of a store took.
struct Measured {
    store: String,
    before: Duration,
    lately: VecDeque<Duration>,
}

impl Measured {
    fn add(&mut self, took: Duration) {
        self.lately.push_back(took);
        if self.lately.len() > WINDOW {
            self.lately.pop_front();
        }
    }

    /// All but the very slowest: one read in a hundred may meet anything.
    fn slowest(&self) -> Duration {
        let mut all: Vec<_> = self.lately.iter().copied().collect();
        all.sort_unstable();
        all.into_iter().rev().nth(1).unwrap_or_default()
    }
}

impl Probe {
    async fn start(rebuild: &Rebuild) -> Result<Self, RebuildError> {
        let reads = Reads::of(rebuild).await?;
        let measured = reads.names().map(|store| Measured {
            store,
            before: Duration::ZERO,
            lately: VecDeque::new(),
        });
        let measured = Arc::new(Mutex::new(measured.collect::<Vec<_>>()));
        let probe = Self {
            measured: measured.clone(),
            tasks: Tasks::new(),
        };
        let begun = Instant::now();
        for _ in 0..WINDOW {
            reads.once(&measured).await;
            if begun.elapsed() > MEASURED_WITHIN {
                break;
            }
        }
        for store in &mut *lock(&measured) {
            store.before = store.slowest();
            store.lately.clear();
        }
        let stop = probe.tasks.stopping();
        probe.tasks.spawn("rebuild probe", async move {
            let forever = async {
                loop {
                    reads.once(&measured).await;
                    sleep(PROBE_EVERY).await;
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = forever => {}
            }
        });
        Ok(probe)
    }

    /// The store that has become slow, where one has, which is measured anew then; `None` where that
    /// is not known yet.
    fn pressure(&self) -> Option<Option<Pressure>> {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let mut measured = lock(&self.measured);
        if measured.iter().any(|store| store.lately.len() < ENOUGH) {
            return None;
        }
        let mut slow = measured
            .iter()
            .filter(|store| store.slowest() > store.before.max(UNNOTICED).mul_f64(FACTOR));
        let slow = slow.next().map(|store| Pressure {
            store: store.store.clone(),
            now_ms: ms(store.slowest()),
            before_ms: ms(store.before),
        });
        if slow.is_some() {
            measured.iter_mut().for_each(|store| store.lately.clear());
        }
        Some(slow)
    }
}

fn lock(measured: &Mutex<Vec<Measured>>) -> std::sync::MutexGuard<'_, Vec<Measured>> {
    measured.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One read of each store.
struct Reads {
    logs: Vec<Arc<dyn EventStore>>,
    views: Arc<dyn ViewStore>,
    view: &'static dyn View,
    table: Table,
    /// One that is there, where there is any.
    order: OrderId,
}

/// A read that failed at once, for somebody refused it, has taken as long as one that is slow.
fn took(begun: Instant, failed: bool) -> Duration {
    match failed {
        true => begun.elapsed().max(FAILED),
        false => begun.elapsed(),
    }
}

impl Reads {
    async fn of(rebuild: &Rebuild) -> Result<Self, RebuildError> {
        let Rebuild { views, view, .. } = rebuild;
        let mut orders = Orders::behind(&views.logs, None);
        let first = orders.next().await?.and_then(|order| order.id.parse().ok());
        Ok(Self {
            order: first.unwrap_or(OrderId(ids::unique())),
            logs: views.logs.clone(),
            views: views.store.clone(),
            view: *view,
            table: views.live(*view).await?.table(view.schema()),
        })
    }

    fn names(&self) -> impl Iterator<Item = String> + '_ {
        let logs = self.logs.iter();
        let logs = logs.map(|log| format!("event store of {}", log.service()));
        logs.chain(std::iter::once("view store".to_owned()))
    }

    /// A read that fails has taken the time until then, which is long where a store is overwhelmed.
    async fn once(&self, measured: &Mutex<Vec<Measured>>) {
        let order = self.order;
        for (at, log) in self.logs.iter().enumerate() {
            let mut of_orders = Category::OF_ORDERS.into_iter();
            let Some(category) = of_orders.find(|of| of.service() == log.service()) else {
                continue;
            };
            let begun = Instant::now();
            let read = log.read_last(&StreamId::of(category, order)).await;
            if let Some(of) = lock(measured).get_mut(at) {
                of.add(took(begun, read.is_err()));
            }
        }
        let key = self
            .view
            .schema()
            .key
            .iter()
            .map(|(_, kind)| some(*kind, order));
        let key: Vec<_> = key.collect();
        let begun = Instant::now();
        let read = self.views.get(self.view.schema(), &self.table, &key).await;
        if let Some(of) = lock(measured).last_mut() {
            of.add(took(begun, read.is_err()));
        }
    }
}

/// A value of a key that is in no row.
fn some(kind: Kind, order: OrderId) -> Value {
    match kind {
        Kind::Uuid => Value::Uuid(order.0),
        Kind::Text | Kind::Items => Value::Text(order.to_string()),
        Kind::Int => Value::Int(0),
        Kind::Time => Value::Time(domain::values::Timestamp::from_micros(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_long_it_was_quiet_the_first_pressure_is_felt() {
        let mut rate = FIRST_RATE;
        for _ in 0..10_000 {
            rate = next_rate(rate, 40_000.0, false);
        }
        assert!((40_000.0..=60_000.0).contains(&rate), "{rate}");
        let pressed = next_rate(rate, 40_000.0, true);
        assert!(pressed <= 20_000.0, "{pressed}");
    }

    #[test]
    fn under_pressure_it_comes_to_the_least_and_without_it_grows_again() {
        let mut rate = FIRST_RATE;
        for _ in 0..20 {
            rate = next_rate(rate, rate, true);
        }
        assert!((rate - LEAST_RATE).abs() < 1.0, "{rate}");
        for _ in 0..100 {
            rate = next_rate(rate, rate.min(30_000.0), false);
        }
        assert!(rate > 25_000.0, "{rate}");
    }
}
