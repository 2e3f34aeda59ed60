//! Load: closed, where each client asks again when it was answered, for rates; and open, where
//! requests come at times that do not depend on the answers, for latencies.
//!
//! An open load counts a request from the time at which it was meant to start, also where no
//! client was free then: a server that stalls is charged for all who would have come meanwhile.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::latency::Latency;

/// The shortest pause between two looks at who is due: shorter ones cost more CPU than the load.
const TICK: Duration = Duration::from_micros(50);

/// Somebody who asks.
pub trait Client: Send + 'static {
    /// When the next request is meant to start, for who wants to know; it may start later.
    fn meant(&mut self, _: Instant) {}

    /// Asks once, and says how many units that was.
    fn ask(&mut self) -> impl Future<Output = anyhow::Result<u64>> + Send;
}

/// What a load did.
pub struct Ran<C> {
    pub units: u64,
    pub took: Duration,
    pub latency: Latency,
    /// Those who asked, for another round.
    pub clients: Vec<C>,
}

impl<C> Ran<C> {
    /// Units a second.
    pub fn rate(&self) -> f64 {
        self.units as f64 / self.took.as_secs_f64()
    }
}

/// Has each client ask again as soon as it was answered, for `round`.
pub async fn closed<C: Client>(clients: Vec<C>, round: Duration) -> anyhow::Result<Ran<C>> {
    let mut running = JoinSet::new();
    let begun = Instant::now();
    for mut client in clients {
        running.spawn(async move {
            let (mut units, mut took) = (0, vec![]);
            while begun.elapsed() < round {
                let asked = Instant::now();
                client.meant(asked);
                units += client.ask().await?;
                took.push(asked.elapsed());
            }
            anyhow::Ok((client, units, took))
        });
    }
    gather(running, begun).await
}

/// Starts `rate` requests a second, evenly, for `round`; at most as many at once as there are
/// clients.
pub async fn open<C: Client>(
    clients: Vec<C>,
    rate: f64,
    round: Duration,
) -> anyhow::Result<Ran<C>> {
    let total = (rate * round.as_secs_f64()).round() as u64;
    ensure!(total > 0, "a load of {rate} a second is none");
    let due = Arc::new(Semaphore::new(0));
    let taken = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let each = Duration::from_secs_f64(1.0 / rate);
    let mut running = JoinSet::new();
    for mut client in clients {
        let (due, taken) = (due.clone(), taken.clone());
        running.spawn(async move {
            let (mut units, mut took) = (0, vec![]);
            loop {
                due.acquire().await?.forget();
                let number = taken.fetch_add(1, Ordering::Relaxed);
                if number >= total {
                    break;
                }
                let meant = begun + each.mul_f64(number as f64);
                client.meant(meant);
                units += client.ask().await?;
                took.push(meant.elapsed());
            }
            anyhow::Ok((client, units, took))
        });
    }
    let many = running.len();
    // A thread of its own: the runtime's timer is exact to a millisecond.
    let starter = thread::spawn(move || {
        let mut started = 0;
        while started < total {
            let now = (begun.elapsed().as_secs_f64() * rate) as u64 + 1;
            let more = now.min(total).saturating_sub(started);
            due.add_permits(usize::try_from(more).unwrap_or(0));
            started += more;
            let next = each.mul_f64(started as f64).saturating_sub(begun.elapsed());
            thread::sleep(next.max(TICK));
        }
        due.add_permits(many);
    });
    let ran = gather(running, begun).await;
    drop(starter.join());
    ran
}

/// A client that is done, its units, and how long each of its requests took: a histogram each would
/// be gigabytes where there are thousands.
type Ended<C> = (C, u64, Vec<Duration>);

async fn gather<C: 'static>(
    mut running: JoinSet<anyhow::Result<Ended<C>>>,
    begun: Instant,
) -> anyhow::Result<Ran<C>> {
    let mut ended = Vec::with_capacity(running.len());
    while let Some(one) = running.join_next().await {
        ended.push(one??);
    }
    let mut ran = Ran {
        units: 0,
        took: begun.elapsed(),
        latency: Latency::new()?,
        clients: Vec::with_capacity(ended.len()),
    };
    for (client, units, took) in ended {
        ran.units += units;
        took.into_iter().for_each(|took| ran.latency.record(took));
        ran.clients.push(client);
    }
    Ok(ran)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stalls once, and is quick otherwise.
    struct Stalls(Option<Duration>);

    impl Client for Stalls {
        async fn ask(&mut self) -> anyhow::Result<u64> {
            if let Some(stall) = self.0.take() {
                tokio::time::sleep(stall).await;
            }
            Ok(1)
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_open_load_charges_a_stall_to_all_who_would_have_come_meanwhile() {
        let stall = Duration::from_millis(200);
        let ran = open(
            vec![Stalls(Some(stall))],
            1000.0,
            Duration::from_millis(400),
        )
        .await;
        let ran = ran.unwrap();
        assert_eq!(ran.units, 400);
        assert_eq!(ran.latency.count(), 400);
        // Half of them came while it stalled, and waited 100 ms on average.
        assert!(ran.latency.percentile_ms(75.0) > 90.0);
        assert!(ran.latency.percentile_ms(99.0) > 180.0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_closed_load_counts_what_all_clients_did() {
        let clients = (0..4).map(|_| Stalls(None)).collect();
        let ran = closed(clients, Duration::from_millis(50)).await.unwrap();
        assert_eq!(ran.units, ran.latency.count());
        assert_eq!(ran.clients.len(), 4);
    }
}
