//! Background work that a drain waits for.
//!
//! Every loop of the program runs as a task of a [`Tasks`]. Cancelling it asks all of them to
//! finish what they have in hand; [`Tasks::drain`] waits for that, with a limit. A task that
//! panics is logged and brings the whole program down in order: a role that silently stopped
//! would be worse than a restart.

use std::future::Future;
use std::time::Duration;

use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The background work of a process, or of a part of it.
#[derive(Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    failed: CancellationToken,
}

impl Tasks {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `work` in the background under `name`, which appears in logs.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one home of bare spawns"
    )]
    pub fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let (stop, failed) = (self.stop.clone(), self.failed.clone());
        let guarded = async move {
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                tracing::error!(task = name, "a background task panicked; shutting down");
                failed.cancel();
                stop.cancel();
            }
        };
        tokio::spawn(self.tracker.track_future(guarded));
    }

    /// Resolves when the work is asked to finish.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Asks the work to finish.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// True where a task panicked.
    pub fn have_failed(&self) -> bool {
        self.failed.is_cancelled()
    }

    /// Asks the work to finish and waits for it, at most for `limit`. False where something was
    /// still running then.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.stop.cancel();
        crate::crash_point!("drain.asked");
        self.tracker.close();
        timeout(limit, self.tracker.wait()).await.is_ok()
    }
}

/// Runs what an adapter needs of itself, such as its connections. A drain waits for the work that
/// uses the adapter, so this is not part of what it waits for: it ends with the adapter.
#[expect(
    clippy::disallowed_methods,
    reason = "ends with the adapter, not with a drain"
)]
pub(crate) fn in_background(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}
