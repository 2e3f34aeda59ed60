//! Who rebuilds a view: one at a time, known by name, for as long as it says every second that it is
//! still there.
//!
//! The claim keeps work from being done twice. It guards nothing: whoever writes into a generation
//! writes the same cells with the same stamps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::View;
use domain::values::Timestamp;
use infra::clock;
use infra::view_store::{Generation, Generations, Rebuild, State, ViewError};
use tokio::time::{Instant, sleep};

use super::RebuildError;
use crate::Views;

/// Between two signs of life, which also keep how far it is.
const RENEW_EVERY: Duration = Duration::from_secs(1);
/// Between two looks for a sign of life of somebody else.
pub const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long who gives no sign of life is waited for, by the clock of who waits: ten signs.
pub const LASTS: Duration = Duration::from_secs(10);

/// A rebuild that is ours.
pub struct Claim {
    views: Views,
    view: &'static dyn View,
    holder: String,
    /// The generation that is built.
    pub generation: Generation,
    /// Where an earlier run of it was, at the beginning.
    pub begun: Rebuild,
    /// The last order whose rows are written.
    after: Mutex<Option<String>>,
    orders: AtomicU64,
    facts: AtomicU64,
    rows: AtomicU64,
}

impl Claim {
    /// Claims the rebuild of a view: a new one, or one that was left or cut off. Where somebody is
    /// named as being at it, this waits for a sign of life of theirs, or until it is sure that there
    /// is none.
    pub async fn take(
        views: &Views,
        view: &'static dyn View,
        holder: &str,
    ) -> Result<Self, RebuildError> {
        let others = Others::watch(views, view).await?;
        let revision = view.schema().revision;
        let taken = |all: &mut Generations| {
            let now = clock::now();
            let newer = all.all.iter().filter(|of| of.revision > revision);
            if let Some(found) = newer.map(|of| of.revision).max() {
                return Err(RebuildError::Newer {
                    view: view.schema().name,
                    found,
                    todays: revision,
                });
            }
            if let Some(rebuild) = &all.rebuild {
                others.are_gone(view, rebuild)?;
                let (number, cancelled) = (rebuild.generation, rebuild.cancelled);
                let same = all.of(number).filter(|of| of.revision == revision);
                match same.cloned() {
                    Some(generation) if !cancelled => {
                        return Ok::<_, RebuildError>(resume(all, generation, holder));
                    }
                    // Another `project` began it, or nobody was there to end it.
                    Some(_) | None => all.set(number, State::Dropped, now),
                }
            }
            Ok(Some(begin(all, revision, holder, now)))
        };
        let taken = views.change(view, taken).await?;
        let (generation, begun) = taken.ok_or_else(|| cancelled(view))?;
        Ok(Self {
            views: views.clone(),
            view,
            holder: holder.to_owned(),
            generation,
            after: Mutex::new(begun.after.clone()),
            orders: AtomicU64::new(begun.orders),
            facts: AtomicU64::new(begun.facts),
            rows: AtomicU64::new(begun.rows),
            begun,
        })
    }

    /// Renews the claim until it is lost, and says why.
    pub async fn hold(&self) -> RebuildError {
        let name = self.view.schema().name;
        loop {
            match self.renew().await {
                Ok(()) => {}
                Err(e) if e.is_transient() => {
                    tracing::warn!(view = name, error = %e, "the rebuild cannot be renewed yet");
                }
                Err(e) => return e,
            }
            sleep(RENEW_EVERY).await;
        }
    }

    async fn renew(&self) -> Result<(), RebuildError> {
        self.change(|rebuild| {
            rebuild.beat += 1;
            self.note(rebuild);
            match rebuild.cancelled {
                true => Err(cancelled(self.view)),
                false => Ok(()),
            }
        })
        .await
    }

    /// Notes how far it is.
    fn note(&self, rebuild: &mut Rebuild) {
        rebuild.after = self.after();
        rebuild.orders = self.orders.load(Ordering::Relaxed);
        rebuild.facts = self.facts.load(Ordering::Relaxed);
        rebuild.rows = self.rows();
    }

    /// The last order whose rows are written.
    pub fn after(&self) -> Option<String> {
        let after = self.after.lock().unwrap_or_else(PoisonError::into_inner);
        after.clone()
    }

    /// How many rows were written.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Notes that the rows of all orders up to this one are written.
    pub fn is_at(&self, order: &str, orders: u64, facts: u64, rows: u64) {
        let mut after = self.after.lock().unwrap_or_else(PoisonError::into_inner);
        *after = Some(order.to_owned());
        self.orders.fetch_add(orders, Ordering::Relaxed);
        self.facts.fetch_add(facts, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// What the generation is there for now.
    pub async fn state(&self) -> Result<Option<State>, RebuildError> {
        let generations = self.views.generations(self.view).await?;
        Ok(generations.of(self.generation.number).map(|of| of.state))
    }

    /// Says what the generation is there for from now on.
    pub async fn set(&self, state: State) -> Result<(), RebuildError> {
        self.change_all(|all, now| {
            all.set(self.generation.number, state, now);
            if let Some(rebuild) = &mut all.rebuild {
                self.note(rebuild);
            }
            Ok(())
        })
        .await
    }

    /// Fails where the rebuild is not ours any more.
    pub async fn is_ours(&self) -> Result<(), RebuildError> {
        self.change_all(|_, _| Ok(())).await
    }

    /// Forgets what is written.
    pub fn begins_anew(&self) {
        *self.after.lock().unwrap_or_else(PoisonError::into_inner) = None;
        for count in [&self.orders, &self.facts, &self.rows] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// Makes the last change of the rebuild, until it is known whether it was made: one that got no
    /// answer may have been. `done` says what the generation is there for then.
    pub async fn end(
        &self,
        done: State,
        change: impl Fn(&mut Generations, Timestamp) -> Result<(), RebuildError>,
    ) -> Result<(), RebuildError> {
        let until = Instant::now() + LASTS;
        loop {
            let e = match self.change_all(&change).await {
                Ok(()) => return Ok(()),
                Err(e) => e,
            };
            if self.state().await.is_ok_and(|state| state == Some(done)) {
                return Ok(());
            }
            if !e.is_transient() || Instant::now() >= until {
                return Err(e);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Changes how the generations stand, as long as the rebuild is ours.
    pub async fn change_all(
        &self,
        change: impl Fn(&mut Generations, Timestamp) -> Result<(), RebuildError>,
    ) -> Result<(), RebuildError> {
        let name = self.view.schema().name;
        let change = |all: &mut Generations| {
            match &all.rebuild {
                Some(rebuild) if rebuild.holder.as_deref() == Some(&*self.holder) => {}
                Some(other) => {
                    let other = other.holder.clone().unwrap_or_default();
                    return Err(RebuildError::TakenOver(name, other));
                }
                None => return Err(cancelled(self.view)),
            }
            change(all, clock::now())
        };
        self.views.change(self.view, change).await
    }

    async fn change(
        &self,
        change: impl Fn(&mut Rebuild) -> Result<(), RebuildError>,
    ) -> Result<(), RebuildError> {
        self.change_all(|all, _| match &mut all.rebuild {
            Some(rebuild) => change(rebuild),
            None => Ok(()),
        })
        .await
    }

    /// Ends the rebuild without a switch: its table is dropped.
    pub async fn give_up(&self) -> Result<(), RebuildError> {
        self.end(State::Dropped, |all, now| {
            all.set(self.generation.number, State::Dropped, now);
            all.rebuild = None;
            Ok(())
        })
        .await
    }

    /// Leaves the rebuild so that it can go on at once.
    pub async fn let_go(&self) {
        let freed = self.change(|rebuild| {
            rebuild.holder = None;
            self.note(rebuild);
            Ok(())
        });
        if let Err(e) = freed.await {
            // It is free by itself soon.
            tracing::debug!(error = %e, "the rebuild stays claimed for a while");
        }
    }
}

/// Who was at the rebuild of a view, and gave no sign of life for long enough.
struct Others(Option<(String, u64)>);

impl Others {
    /// Waits until who is named has given a sign of life, or has had the time for it.
    async fn watch(views: &Views, view: &'static dyn View) -> Result<Self, ViewError> {
        let until = Instant::now() + LASTS;
        let mut first = None;
        loop {
            let rebuild = views.generations(view).await?.rebuild;
            let named = rebuild.and_then(|of| Some((of.holder?, of.beat)));
            let (Some(_), false) = (&named, Instant::now() >= until) else {
                return Ok(Self(named));
            };
            match &first {
                None => first = named,
                // They have: whoever asks is told who it is.
                Some(_) if first != named => return Ok(Self(None)),
                Some(_) => {}
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn are_gone(&self, view: &dyn View, rebuild: &Rebuild) -> Result<(), RebuildError> {
        let Some(holder) = &rebuild.holder else {
            return Ok(());
        };
        let silent = Some((holder.clone(), rebuild.beat));
        if self.0 == silent {
            return Ok(());
        }
        Err(RebuildError::Busy {
            view: view.schema().name,
            holder: holder.clone(),
            since: rebuild.since.to_string(),
            orders: rebuild.orders,
        })
    }
}

fn cancelled(view: &dyn View) -> RebuildError {
    RebuildError::Cancelled(view.schema().name)
}

fn begin(
    all: &mut Generations,
    revision: u32,
    holder: &str,
    now: Timestamp,
) -> (Generation, Rebuild) {
    let generation = Generation {
        number: all.next,
        revision,
        state: State::Building,
        since: now,
    };
    let rebuild = Rebuild {
        generation: all.next,
        holder: Some(holder.to_owned()),
        since: now,
        beat: 0,
        after: None,
        facts: 0,
        orders: 0,
        rows: 0,
        cancelled: false,
    };
    all.next += 1;
    all.all.push(generation.clone());
    all.rebuild = Some(rebuild.clone());
    (generation, rebuild)
}

fn resume(
    all: &mut Generations,
    generation: Generation,
    holder: &str,
) -> Option<(Generation, Rebuild)> {
    let rebuild = all.rebuild.as_mut()?;
    rebuild.holder = Some(holder.to_owned());
    rebuild.beat += 1;
    Some((generation, rebuild.clone()))
}
