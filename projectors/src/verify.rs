//! Views held against the logs.
//!
//! Order by order the logs are folded and the rows read; then the table is read once more for rows
//! that no fact writes. What differs is looked at again, row first and logs after, until what was
//! only behind has caught up or the time is over: so what is told is wrong, and not late. [`log`] looks
//! at the logs themselves.

mod buckets;
mod feed;
mod find;
pub mod log;
mod logs;
mod repair;
mod side;

use std::time::Duration;

use domain::View;
use domain::values::OrderId;
use infra::event_store::StoreError;
use infra::view_store::ViewError;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::Views;
use crate::compare::Expected;
use crate::orders::{OfOrder, Orders, facts_of};

pub(crate) use feed::left;
pub use find::{CellFind, Find, Kind, Unread};
pub use logs::{Logs, LogsError, LogsVerified};
pub use repair::repair;
pub(crate) use side::Side;

/// Orders that are looked at at a time.
pub(crate) const CHUNK: usize = 200;
/// How long a row may stay behind before that counts as wrong: a projector that is up takes a fact
/// within a second.
pub const SETTLE: Duration = Duration::from_secs(20);
/// Orders after which rows that were behind are looked at again, in a long pass.
const SETTLED_AFTER: usize = 10_000;
/// Between two passes of a verification that goes on for ever.
const BETWEEN_PASSES: Duration = Duration::from_secs(1);
/// Finds that are told one by one; more are counted. A table with more is to be rebuilt.
pub const TOLD: usize = 1000;

/// Why views and logs cannot be held against each other now.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LookError {
    /// A log does not answer.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// The view store does not.
    #[error(transparent)]
    View(#[from] ViewError),
}

impl LookError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Log(e) => e.is_transient(),
            Self::View(ViewError::Unavailable(_)) => true,
            Self::View(ViewError::Corrupt(_)) => false,
        }
    }
}

/// Why a verification came to no end.
#[derive(Debug, Clone, thiserror::Error)]
pub enum VerifyError {
    /// Something does not answer.
    #[error(transparent)]
    Look(#[from] LookError),
    /// It was asked to end.
    #[error("stopped before its end")]
    Stopped,
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// Every row.
    Whole,
    /// Those of an order.
    Order(OrderId),
    /// Those of about so many orders, from all over the log.
    Sample(usize),
}

/// What was found in a table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Rows that were there.
    pub read: u64,
    /// Rows that are as the logs have them.
    pub equal: u64,
    /// Of these, those that were behind when they were first looked at.
    pub lagged: u64,
    /// Rows that hold something else.
    pub different: u64,
    /// Rows that stayed behind.
    pub behind: u64,
    /// Rows that are not there.
    pub missing: u64,
    /// Rows that no fact writes.
    pub extra: u64,
    /// Each of those, up to [`TOLD`].
    pub finds: Vec<Find>,
}

impl Outcome {
    /// True where every row is as the logs have it, and there is no other.
    pub fn is_right(&self) -> bool {
        self.wrong() == 0
    }

    /// How many rows are not.
    pub fn wrong(&self) -> u64 {
        self.different + self.behind + self.missing + self.extra
    }
}

/// How far a verification is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// The view.
    pub view: String,
    /// The generation that was looked at.
    pub generation: u32,
    /// The revision of `project` that has folded it.
    pub revision: u32,
    /// Today's, by which it is looked at.
    pub todays: u32,
    /// Orders whose facts were read.
    pub orders: u64,
    /// Facts that were read.
    pub facts: u64,
    /// Facts that cannot be read, the first of them.
    pub unreadable: Vec<Unread>,
    /// What was found.
    pub outcome: Outcome,
    /// Rows that were put right.
    pub repaired: u64,
    /// How often all that was asked for was looked at before this.
    pub passes: u64,
}

/// A verification of a view.
pub struct Verification {
    /// The views.
    pub views: Views,
    /// Which of them.
    pub view: &'static dyn View,
    /// What of it.
    pub which: Which,
    /// Whether rows are put right that can be.
    pub repair: bool,
    /// Orders a second, at most.
    pub rate: Option<u32>,
    /// Whether it begins again at the end, until it is stopped.
    pub again: bool,
    /// How long a row may stay behind.
    pub settle: Duration,
}

impl Verification {
    /// Looks, and tells how far it is.
    ///
    /// # Errors
    /// [`VerifyError`]
    pub async fn run(
        &self,
        told: &watch::Sender<Verified>,
        stop: &CancellationToken,
    ) -> Result<Verified, VerifyError> {
        loop {
            let passes = told.borrow().passes;
            let verified = tokio::select! {
                () = stop.cancelled() => return Err(VerifyError::Stopped),
                verified = self.pass(told) => verified,
            };
            match verified {
                Ok(verified) if !self.again => return Ok(verified),
                Ok(_) => {}
                // What goes on for ever outlives a store that is away.
                Err(e) if self.again && e.is_transient() => {
                    tracing::warn!(error = %e, "the views cannot be verified yet");
                }
                Err(e) => return Err(e.into()),
            }
            told.send_replace(Verified {
                passes: passes + 1,
                ..Verified::default()
            });
            tokio::select! {
                () = stop.cancelled() => return Err(VerifyError::Stopped),
                () = sleep(BETWEEN_PASSES) => {}
            }
        }
    }

    async fn pass(&self, told: &watch::Sender<Verified>) -> Result<Verified, LookError> {
        let schema = self.view.schema();
        let live = self.views.live(self.view).await?;
        let mut side = Side::of(&self.views, self.view, &live, self.settle);
        let mut verified = Verified {
            view: schema.name.to_owned(),
            generation: live.number,
            revision: live.revision,
            todays: schema.revision,
            passes: told.borrow().passes,
            ..Verified::default()
        };
        match &self.which {
            Which::Whole => {
                let mut orders = Orders::behind(&self.views.logs, None);
                self.walk(&mut orders, usize::MAX, &mut side, &mut verified, told)
                    .await?;
            }
            Which::Sample(orders) => {
                self.sample(*orders, &mut side, &mut verified, told).await?;
            }
            Which::Order(order) => {
                let facts = facts_of(&self.views.logs, *order).await?;
                verified.take(&facts);
                side.look(&[facts]).await?;
                side.look_beside(*order).await?;
            }
        }
        side.settle().await?;
        if self.which == Which::Whole {
            side.look_for_extra().await?;
        }
        self.tell(&mut side, &mut verified, told).await?;
        Ok(verified)
    }

    /// Looks at the next orders, at most `most`.
    async fn walk(
        &self,
        orders: &mut Orders,
        most: usize,
        side: &mut Side,
        verified: &mut Verified,
        told: &watch::Sender<Verified>,
    ) -> Result<(), LookError> {
        let (mut left, mut unsettled) = (most, 0);
        while left > 0 {
            let begun = Instant::now();
            let chunk = orders.some(CHUNK.min(left)).await?;
            if chunk.is_empty() {
                break;
            }
            (left, unsettled) = (left - chunk.len(), unsettled + chunk.len());
            chunk.iter().for_each(|order| verified.take(order));
            side.look(&chunk).await?;
            if unsettled >= SETTLED_AFTER {
                side.settle().await?;
                unsettled = 0;
            }
            self.tell(side, verified, told).await?;
            if let Some(rate) = self.rate {
                let takes = chunk.len() as f64 / f64::from(rate.max(1));
                sleep_until(begun + Duration::from_secs_f64(takes)).await;
            }
        }
        Ok(())
    }

    /// Puts right what is new, and tells of it.
    async fn tell(
        &self,
        side: &mut Side,
        verified: &mut Verified,
        told: &watch::Sender<Verified>,
    ) -> Result<(), LookError> {
        let known = verified.outcome.finds.len();
        let finds = std::mem::take(&mut verified.outcome.finds);
        let read = verified.outcome.read;
        verified.outcome = side.so_far();
        let new = verified.outcome.finds.split_off(known);
        verified.outcome.finds = finds;
        for mut find in new {
            if self.repair
                && let Some(left) = repair(&self.views, self.view, side.table(), &find).await?
            {
                find.repaired = left.is_empty();
                verified.repaired += u64::from(find.repaired);
                if !find.repaired {
                    find.cells = left;
                    find.kind = Kind::Frozen;
                }
            }
            record(&verified.view, &find);
            verified.outcome.finds.push(find);
        }
        let view = verified.view.clone();
        metrics::counter!("waybill_view_rows_verified_total", "view" => view)
            .increment(verified.outcome.read.saturating_sub(read));
        told.send_replace(verified.clone());
        Ok(())
    }

    /// Looks at a few orders in each of many places.
    async fn sample(
        &self,
        orders: usize,
        side: &mut Side,
        verified: &mut Verified,
        told: &watch::Sender<Verified>,
    ) -> Result<(), LookError> {
        /// Neighbours cost little, and are of one time.
        const NEIGHBOURS: usize = 4;
        let logs = &self.views.logs;
        let Some(span) = find::span(logs).await? else {
            return Ok(());
        };
        for _ in 0..orders.div_ceil(NEIGHBOURS) {
            let from = span.somewhere();
            let mut some = Orders::behind(logs, Some(&from));
            let most = NEIGHBOURS.min(orders);
            self.walk(&mut some, most, side, verified, told).await?;
        }
        Ok(())
    }
}

impl Verified {
    pub(crate) fn take(&mut self, order: &OfOrder) {
        self.orders += 1;
        self.facts += order.len() as u64;
        let room = TOLD.saturating_sub(self.unreadable.len());
        let some = order.unreadable.iter().take(room);
        self.unreadable.extend(some.map(|(fact, e)| Unread {
            fact: fact.to_string(),
            reason: e.to_string(),
        }));
    }
}

/// As a metric and a line of the log.
fn record(view: &str, find: &Find) {
    let (view, kind) = (view.to_owned(), find.kind.name());
    let found = metrics::counter!(
        "waybill_view_differences_total", "view" => view.clone(), "kind" => kind
    );
    found.increment(1);
    tracing::warn!(
        view,
        kind,
        row = find.row,
        repaired = find.repaired,
        "a row is not as the log has it"
    );
}

/// The rows of some orders.
pub(crate) fn expected(view: &'static dyn View, orders: &[OfOrder]) -> Vec<Expected> {
    // What a fact writes that cannot be read, nobody knows.
    let orders = orders.iter().filter(|order| order.unreadable.is_empty());
    orders.flat_map(|order| Expected::of(view, order)).collect()
}
