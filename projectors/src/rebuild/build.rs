//! The steps before the switch.

use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBackoff;
use domain::{Service, View};
use infra::bus::Bus;
use infra::event_store::EventStore;
use infra::failure::{LONGEST_PAUSE, pauses};
use infra::view_store::{RowPatch, State};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::claim::Claim;
use super::report::Report;
use super::throttle::Throttle;
use super::{Progress, Rebuild, RebuildError, Stage};
use crate::fold::Fold;
use crate::orders::{OfOrder, Orders};
use crate::verify::{CHUNK, Side, left};

/// Orders whose rows are written at once: bursts are what readers of the store notice.
const AT_ONCE: usize = 50;
/// So many times these are read ahead.
const AHEAD: usize = 4;
/// Between two looks at how far a group is.
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Rebuild {
    /// Makes the table, captures where its group begins, and writes the rows of all orders.
    pub(super) async fn build(
        &self,
        claim: &Claim,
        told: &watch::Sender<Progress>,
    ) -> Result<(), RebuildError> {
        let mut patience = Patience::default();
        while let Err(e) = self.prepare(claim).await {
            patience.after(e).await?;
        }
        let (mut throttle, of_facts) = loop {
            let started = async {
                let of_facts = facts_in(&self.views.logs).await?;
                Ok((Throttle::start(self).await?, of_facts))
            };
            match started.await {
                Ok(started) => break started,
                Err(e) => patience.after(e).await?,
            }
        };
        told.send_modify(|progress| {
            progress.stage = Stage::Building;
            progress.of_facts = of_facts;
        });
        while let Err(e) = self.read_and_write(claim, &mut throttle, told).await {
            patience.after(e).await?;
        }
        while let Err(e) = claim.set(State::CatchingUp).await {
            patience.after(e).await?;
        }
        Ok(())
    }

    async fn prepare(&self, claim: &Claim) -> Result<(), RebuildError> {
        let schema = self.view.schema();
        let table = claim.generation.table(schema);
        self.views.store.make(schema, &table).await?;
        let (bus, group) = (&self.views.bus, claim.generation.group(schema));
        let ends = bus.ends(&Service::ALL).await?;
        if claim.after().is_some() {
            // Where rows are written already, the offsets are those from before they were; unless
            // brokers have forgotten them, as they do with those of a group that nobody is in.
            let kept = bus.offsets(&group, &Service::ALL).await?;
            let forgotten = kept.iter().all(|(_, offset)| *offset == 0);
            if !forgotten || left(&ends, &kept) == 0 {
                return Ok(());
            }
            claim.begins_anew();
        }
        claim.is_ours().await?;
        Ok(bus.begin_at(&group, &ends).await?)
    }

    /// From behind what is written; what was read ahead is lost with an error.
    async fn read_and_write(
        &self,
        claim: &Claim,
        throttle: &mut Throttle,
        told: &watch::Sender<Progress>,
    ) -> Result<(), RebuildError> {
        let after = claim.after();
        let orders = Orders::behind(&self.views.logs, after.as_deref());
        let (chunks, read) = mpsc::channel(AHEAD);
        let writing = self.write(claim, read, throttle, told);
        tokio::try_join!(read_ahead(orders, chunks), writing)?;
        Ok(())
    }

    async fn write(
        &self,
        claim: &Claim,
        mut chunks: mpsc::Receiver<Vec<OfOrder>>,
        throttle: &mut Throttle,
        told: &watch::Sender<Progress>,
    ) -> Result<(), RebuildError> {
        let (schema, store) = (self.view.schema(), &self.views.store);
        let table = claim.generation.table(schema);
        while let Some(orders) = chunks.recv().await {
            refuse_unreadable(&orders)?;
            let rows = rows_of(self.view, &orders);
            let written = rows.len() as u64;
            if !rows.is_empty() {
                store.apply(schema, &table, rows).await?;
            }
            let facts = orders.iter().map(OfOrder::len).sum::<usize>();
            if let Some(last) = orders.last() {
                claim.is_at(&last.id, orders.len() as u64, facts as u64, written);
            }
            told.send_modify(|progress| {
                progress.orders += orders.len() as u64;
                progress.facts += facts as u64;
                progress.rate = throttle.achieved();
                progress.pressure = throttle.pressure();
            });
            throttle.spend(facts).await;
        }
        Ok(())
    }

    /// Waits until projectors have brought the table as far as the live one is.
    pub(super) async fn catch_up(
        &self,
        claim: &Claim,
        told: &watch::Sender<Progress>,
    ) -> Result<(), RebuildError> {
        told.send_modify(|progress| progress.stage = Stage::CatchingUp);
        let schema = self.view.schema();
        let group = claim.generation.group(schema);
        let mut patience = Patience::default();
        loop {
            let passed = async {
                let live = self.views.live(self.view).await?.group(schema);
                let told = |lag| told.send_modify(|progress| progress.lag = lag);
                pass(self.views.bus.as_ref(), &group, &live, told).await
            };
            match passed.await {
                Ok(()) => return Ok(()),
                Err(e) => patience.after(e).await?,
            }
        }
    }

    /// Holds both tables against the logs, however often it has to begin.
    pub(super) async fn compare(
        &self,
        claim: &Claim,
        told: &watch::Sender<Progress>,
    ) -> Result<Report, RebuildError> {
        let mut patience = Patience::default();
        let built = told.borrow().clone();
        loop {
            match self.compare_once(claim, &built, told).await {
                Ok(report) => return Ok(report),
                Err(e) => patience.after(e).await?,
            }
        }
    }

    async fn compare_once(
        &self,
        claim: &Claim,
        built: &Progress,
        told: &watch::Sender<Progress>,
    ) -> Result<Report, RebuildError> {
        let live = self.views.live(self.view).await?;
        let mut sides =
            [&live, &claim.generation].map(|of| Side::of(&self.views, self.view, of, self.settle));
        told.send_modify(|progress| {
            progress.stage = Stage::Comparing;
            (progress.orders, progress.facts) = (0, 0);
        });
        let mut throttle = Throttle::start(self).await?;
        let mut orders = Orders::behind(&self.views.logs, None);
        loop {
            let chunk = orders.some(CHUNK).await?;
            if chunk.is_empty() {
                break;
            }
            let [live, built] = &mut sides;
            tokio::try_join!(live.look(&chunk), built.look(&chunk))?;
            let facts = chunk.iter().map(OfOrder::len).sum::<usize>();
            told.send_modify(|progress| {
                progress.orders += chunk.len() as u64;
                progress.facts += facts as u64;
                progress.pressure = throttle.pressure();
            });
            throttle.spend(facts).await;
        }
        for side in &mut sides {
            side.settle().await?;
            side.look_for_extra().await?;
        }
        let [before, after] = sides.map(Side::outcome);
        Ok(Report::of(self.view, &live, claim, built, before, after))
    }
}

/// Waits until one group has passed where the other is now.
pub(super) async fn pass(
    bus: &dyn Bus,
    group: &str,
    other: &str,
    mut told: impl FnMut(u64),
) -> Result<(), RebuildError> {
    let goal = bus.offsets(other, &Service::ALL).await?;
    loop {
        let at = bus.offsets(group, &Service::ALL).await?;
        let left = left(&goal, &at);
        told(left);
        if left == 0 {
            return Ok(());
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn read_ahead(
    mut orders: Orders,
    chunks: mpsc::Sender<Vec<OfOrder>>,
) -> Result<(), RebuildError> {
    loop {
        let some = orders.some(AT_ONCE).await?;
        // Nobody receives where the writing has failed, which is what is told.
        if some.is_empty() || chunks.send(some).await.is_err() {
            return Ok(());
        }
    }
}

fn rows_of(view: &dyn View, orders: &[OfOrder]) -> Vec<RowPatch> {
    let mut fold = Fold::default();
    for fact in orders.iter().flat_map(|order| &order.facts) {
        fold.add(view.project(fact));
    }
    fold.rows()
}

/// A row that lacks a fact is not what the logs say.
fn refuse_unreadable(orders: &[OfOrder]) -> Result<(), RebuildError> {
    let mut unreadable = orders.iter().flat_map(|order| &order.unreadable);
    match unreadable.next() {
        None => Ok(()),
        Some((fact, e)) => Err(RebuildError::Unreadable(format!("{fact} ({e})"))),
    }
}

/// About how many facts of orders there are: positions have holes, and facts of stock are among them.
async fn facts_in(logs: &[Arc<dyn EventStore>]) -> Result<u64, RebuildError> {
    let mut facts = 0;
    for log in logs {
        facts += log.last_position().await?;
    }
    Ok(facts)
}

/// Pauses before a step is tried again that needs what is away.
struct Patience {
    growing: ExponentialBackoff,
    last: Instant,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            growing: pauses(),
            last: Instant::now(),
        }
    }
}

impl Patience {
    /// Waits, where trying again may help.
    async fn after(&mut self, e: RebuildError) -> Result<(), RebuildError> {
        if !e.is_transient() {
            return Err(e);
        }
        tracing::warn!(error = %e, "the rebuild goes on as soon as it can");
        if self.last.elapsed() > 2 * LONGEST_PAUSE {
            self.growing = pauses();
        }
        sleep(self.growing.next().unwrap_or(LONGEST_PAUSE)).await;
        self.last = Instant::now();
        Ok(())
    }
}
