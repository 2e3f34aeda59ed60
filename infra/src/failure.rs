//! What kinds of failure there are for work that no person waits for, and how long to wait after
//! one.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::FutureExt;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::bus::BusError;
use crate::codec::Unreadable;
use crate::event_store::StoreError;
use crate::view_store::ViewError;

/// Why a piece of work came to no end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It never will: a person has to look.
    #[error("{reason}")]
    Permanent {
        /// Which kind, in kebab case: `undecodable`, `unknown-version`, `invariant`, `invalid`.
        class: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Something that it needs is down. It is tried until that is back; no attempt is counted.
    #[error("{0}")]
    Unavailable(String),
    /// Nobody knows; after a few attempts a person has to look.
    #[error("{0}")]
    Unknown(String),
}

impl Failure {
    /// A failure that no retry mends.
    pub fn permanent(class: &'static str, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Permanent { class, reason }
    }
}

impl From<Unreadable> for Failure {
    fn from(e: Unreadable) -> Self {
        Self::permanent(e.class(), e.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::Unavailable(_) | StoreError::Overloaded | StoreError::Fenced => {
                Self::Unavailable(e.to_string())
            }
            StoreError::Corrupt(_) => Self::permanent("undecodable", e.to_string()),
        }
    }
}

impl From<BusError> for Failure {
    fn from(e: BusError) -> Self {
        Self::Unavailable(e.to_string())
    }
}

impl From<ViewError> for Failure {
    fn from(e: ViewError) -> Self {
        match e {
            ViewError::Unavailable(_) => Self::Unavailable(e.to_string()),
            ViewError::Corrupt(_) => Self::permanent("undecodable", e.to_string()),
        }
    }
}

/// Does `work`, whose panic is a failure of an unknown kind: it must not take others along.
///
/// # Errors
/// Those of the work.
pub async fn unless_it_panics<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or_else(|_| Err(Failure::Unknown("it panicked".to_owned())))
}

/// How often a failure of an unknown kind is tried again before a person has to look.
pub const MAX_ATTEMPTS: u32 = 5;

/// The longest pause: what was down is found to be back within it.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Pauses from 20 ms, doubling, up to [`LONGEST_PAUSE`], without an end, each with jitter so that
/// many that fail together do not come back together.
pub fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .with_jitter()
        .build()
}

/// The pause after `failures` in a row.
pub fn pause_after(failures: u32) -> Duration {
    // Past the tenth all are the longest.
    let at = usize::try_from(failures.clamp(1, 12)).unwrap_or(12);
    pauses().nth(at - 1).unwrap_or(LONGEST_PAUSE)
}

/// Does `work`, and does it again when it fails, until `stop`. The pauses between grow, and begin
/// anew after an attempt that went well for a while.
pub async fn until_stopped<F: Future<Output = Result<(), Failure>>>(
    name: &str,
    stop: &CancellationToken,
    work: impl Fn() -> F,
) {
    let mut growing = pauses();
    while !stop.is_cancelled() {
        let begun = Instant::now();
        let Err(e) = work().await else { continue };
        tracing::warn!(name, error = %e, "starts anew");
        if begun.elapsed() > LONGEST_PAUSE {
            growing = pauses();
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(growing.next().unwrap_or(LONGEST_PAUSE)) => {}
        }
    }
}
