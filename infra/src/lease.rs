//! Work that only one process may do: relaying a log, running its tasks, deciding the stock.
//!
//! The holder renews its lease long before it expires, and stops the work when it could not renew
//! for as long as the lease lasts, by a clock that does not jump. A holder that was stopped and
//! comes back late is harmless: what it writes is checked against versions, or the lease's epoch.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::event_store::EventStore;

/// How long a lease lasts, and how often it is renewed: two renewals may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// From each renewal on.
    pub lasts: Duration,
    /// Between renewals.
    pub renewed_every: Duration,
}

/// A lease and who wants it.
pub struct LeaseHolder {
    /// Where it is kept.
    pub store: Arc<dyn EventStore>,
    /// Its name there.
    pub name: &'static str,
    /// Who wants it: one name a process.
    pub holder: String,
    /// How long it lasts.
    pub terms: Terms,
}

impl LeaseHolder {
    /// Does `work` whenever the lease is held, until `stop`; gives the lease back then. `work`
    /// gets the epoch, and a token that asks it to end.
    pub async fn run<F: Future<Output = ()>>(
        self,
        stop: CancellationToken,
        work: impl Fn(u64, CancellationToken) -> F,
    ) {
        while !stop.is_cancelled() {
            if let Some(epoch) = self.acquire().await {
                crate::crash_point!("lease.after-acquire");
                tracing::info!(service = %self.store.service(), lease = self.name, epoch, "held");
                let service = self.store.service().name();
                let held = metrics::gauge!("waybill_lease_held", "service" => service);
                held.set(1.0);
                let end = stop.child_token();
                tokio::join!(work(epoch, end.clone()), self.keep(epoch, &end));
                held.set(0.0);
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(self.terms.renewed_every) => {}
            }
        }
        crate::crash_point!("lease.before-release");
        if let Err(e) = self.store.release(self.name, &self.holder).await {
            tracing::warn!(lease = self.name, error = %e, "the lease will have to expire");
        }
        crate::crash_point!("lease.after-release");
    }

    async fn acquire(&self) -> Option<u64> {
        let lasts = self.terms.lasts;
        match self.store.acquire(self.name, &self.holder, lasts).await {
            Ok(lease) => lease.map(|lease| lease.epoch),
            Err(e) => {
                tracing::warn!(lease = self.name, error = %e, "the lease cannot be asked for");
                None
            }
        }
    }

    /// Renews until `end`, or ends the work when the lease is lost.
    async fn keep(&self, epoch: u64, end: &CancellationToken) {
        let mut until = Instant::now() + self.terms.lasts;
        while !end.is_cancelled() {
            tokio::select! {
                () = end.cancelled() => return,
                () = sleep(self.terms.renewed_every) => {}
            }
            let asked_at = Instant::now();
            let lasts = self.terms.lasts;
            let renewed = self.store.acquire(self.name, &self.holder, lasts);
            // A store that does not answer must not keep the work going.
            match timeout_at(until, renewed).await {
                Ok(Ok(Some(lease))) if lease.epoch == epoch => until = asked_at + lasts,
                Ok(Ok(_)) => {
                    tracing::warn!(lease = self.name, epoch, "the lease was lost");
                    end.cancel();
                }
                Ok(Err(_)) => {}
                Err(_) => {
                    tracing::warn!(
                        lease = self.name,
                        epoch,
                        "the lease was not renewed in time"
                    );
                    end.cancel();
                }
            }
        }
    }
}
