//! The next generation of a view, folded from the logs beside the live one.
//!
//! The offsets at which the new generation's group is to begin are captured first; then the logs are
//! read, merged by order, and each row is written once; then projectors feed the table from those
//! offsets on. A fact is therefore in the logs when they are read, or it comes through the group, or
//! both, and cells are stamped, so that twice is once. When the group has passed the live one, both
//! tables are held against the logs, and if the new one has no fault, reads go there.
//!
//! How far a rebuild is stands in the view's row of generations: one that is killed goes on from the
//! last order that was written, or begins anew where that is not known; nobody reads its table before
//! the switch, which is one change of that row.

mod build;
mod cancel;
mod claim;
mod report;
mod switch;
mod throttle;

use std::time::Duration;

use domain::View;
use infra::bus::BusError;
use infra::event_store::StoreError;
use infra::view_store::{State, ViewError};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::Views;
use crate::verify::{LookError, SETTLE};
use claim::Claim;

pub use cancel::{Cancelled, cancel};
pub use report::{Difference, Report, Right};
pub use switch::{Undone, undo};
pub use throttle::Pressure;

/// A rebuild of a view.
pub struct Rebuild {
    /// The views.
    pub views: Views,
    /// Which of them.
    pub view: &'static dyn View,
    /// Who asks for it, for people to read.
    pub holder: String,
    /// Only build and compare: the table is dropped afterwards.
    pub dry_run: bool,
    /// Facts a second, at most.
    pub rate: Option<u32>,
    /// Whether it slows down when the stores answer slowly.
    pub throttled: bool,
    /// How long a row may be behind when tables are compared.
    pub settle: Duration,
}

/// How far a rebuild is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// What it does.
    pub stage: Stage,
    /// Orders whose rows are written, or in the last stage compared.
    pub orders: u64,
    /// Facts that were read in this stage.
    pub facts: u64,
    /// About how many there are.
    pub of_facts: u64,
    /// Facts a second, since it began to write.
    pub rate: f64,
    /// Facts that the new group has yet to take, while it catches up.
    pub lag: u64,
    /// What slows it down, where something does.
    pub pressure: Option<Pressure>,
}

/// What a rebuild does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It makes the table and captures the offsets.
    #[default]
    Preparing,
    /// It folds the logs.
    Building,
    /// Projectors bring the table up to date.
    CatchingUp,
    /// Both tables are held against the logs.
    Comparing,
}

/// Why a view was not rebuilt.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RebuildError {
    /// Somebody else is at it.
    #[error(
        "{view} is being rebuilt by {holder} since {since} ({orders} orders are done): wait for it, \
         or end it with `waybill rebuild {view} --cancel`"
    )]
    Busy {
        /// The view.
        view: &'static str,
        /// Who.
        holder: String,
        /// Since when.
        since: String,
        /// How far.
        orders: u64,
    },
    /// Somebody has cancelled it, and its table is dropped.
    #[error("the rebuild of {0} was cancelled; reads are where they were")]
    Cancelled(&'static str),
    /// Somebody else has taken it over.
    #[error("the rebuild of {0} was taken over by {1}")]
    TakenOver(&'static str, String),
    /// It was asked to end, and can go on.
    #[error("the rebuild of {0} was stopped; run it again and it goes on")]
    Stopped(&'static str),
    /// There is nothing to do that for.
    #[error("{0}")]
    Nothing(String),
    /// A log does not answer, or holds something that cannot be read.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// The view store does not answer.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The bus does not.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// A fact that this program cannot read.
    #[error(
        "the fact {0} cannot be read by this program: nothing was switched, and a program that reads it \
         goes on from there"
    )]
    Unreadable(String),
    /// A newer program is at work.
    #[error(
        "{view} is of revision {found}, and this program has revision {todays}: rebuild it with the \
         newer program"
    )]
    Newer {
        /// The view.
        view: &'static str,
        /// The revision of a generation.
        found: u32,
        /// That of this program.
        todays: u32,
    },
    /// The table that is read is not brought up to date.
    #[error(
        "the earlier table of {view} is {left} facts behind after {within:?}: do the projectors run?"
    )]
    Behind {
        /// The view.
        view: &'static str,
        /// How far.
        left: u64,
        /// How long it was waited for.
        within: Duration,
    },
}

impl From<LookError> for RebuildError {
    fn from(e: LookError) -> Self {
        match e {
            LookError::Log(e) => Self::Log(e),
            LookError::View(e) => Self::View(e),
        }
    }
}

impl RebuildError {
    /// Whether trying again by itself may help.
    fn is_transient(&self) -> bool {
        match self {
            Self::Log(e) => e.is_transient(),
            Self::View(ViewError::Unavailable(_)) | Self::Bus(_) => true,
            Self::View(ViewError::Corrupt(_))
            | Self::Busy { .. }
            | Self::Cancelled(_)
            | Self::TakenOver(..)
            | Self::Stopped(_)
            | Self::Nothing(_)
            | Self::Unreadable(_)
            | Self::Newer { .. }
            | Self::Behind { .. } => false,
        }
    }
}

impl Rebuild {
    /// As is usual.
    pub fn of(views: Views, view: &'static dyn View, holder: String) -> Self {
        Self {
            views,
            view,
            holder,
            dry_run: false,
            rate: None,
            throttled: true,
            settle: SETTLE,
        }
    }

    /// Rebuilds the view, or goes on with a rebuild that was cut off, and tells how far it is. Asked
    /// to stop, it leaves everything so that it can go on.
    ///
    /// # Errors
    /// [`RebuildError`]; reads are then where they were.
    pub async fn run(
        &self,
        told: &watch::Sender<Progress>,
        stop: &CancellationToken,
    ) -> Result<Report, RebuildError> {
        let claim = Claim::take(&self.views, self.view, &self.holder).await?;
        told.send_modify(|progress| {
            (progress.orders, progress.facts) = (claim.begun.orders, claim.begun.facts);
        });
        let ended = tokio::select! {
            biased;
            ended = claim.hold() => Err(ended),
            () = stop.cancelled() => Err(RebuildError::Stopped(self.view.schema().name)),
            report = self.all_steps(&claim, told) => report,
        };
        // The last change by itself, so that nobody doubts whether it was made.
        match ended {
            Ok(report) if self.dry_run || !report.rebuilt.is_right() => {
                claim.give_up().await?;
                Ok(report)
            }
            Ok(mut report) => {
                switch::switch(self, &claim).await?;
                report.switched = true;
                Ok(report)
            }
            Err(e @ RebuildError::TakenOver(..)) => Err(e),
            Err(e @ RebuildError::Cancelled(_)) => {
                claim.give_up().await?;
                Err(e)
            }
            Err(e) => {
                claim.let_go().await;
                Err(e)
            }
        }
    }

    async fn all_steps(
        &self,
        claim: &Claim,
        told: &watch::Sender<Progress>,
    ) -> Result<Report, RebuildError> {
        if claim.state().await? == Some(State::Building) {
            self.build(claim, told).await?;
        }
        self.catch_up(claim, told).await?;
        let report = self.compare(claim, told).await?;
        // The comparison took its time.
        self.catch_up(claim, told).await?;
        Ok(report)
    }
}
