//! Who is let in when more come than can be served.
//!
//! What a process, its disk or its store is short of shows in how long requests take: where even the
//! quickest of a while took long, there is a queue that all of them stand in, and whoever comes in
//! addition only makes it longer. So there is a limit on how many may be inside, which falls while
//! that is so, and grows while it is not and so many come. One more is refused at once. Those that
//! were let in keep their latency; a refusal costs little, since its body was read and no more.
//!
//! Reads that wait on purpose (`?after=`) stay outside: how long they take says nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::yield_now;

use super::MAX_IN_FLIGHT;

/// What the quickest may take: ten times a commit of 5 ms.
const ENOUGH: Duration = Duration::from_millis(50);
/// The quickest of so long is looked at: longer than most hiccups of a machine, and short enough for
/// few to come in before an overload is noticed.
const WINDOW: Duration = Duration::from_millis(40);
/// So many may be inside however long they take: a burst is not an overload, and of a store that
/// takes 200 ms these are 640 requests a second.
const LEAST: usize = 128;
/// So many may be inside where nothing is known of them: a third of a second's work where 1,500 are
/// served in one, which is how long those wait who come before an overload is noticed.
const USUAL: usize = 512;

/// Lets requests in.
pub struct Gate {
    inside: AtomicUsize,
    limit: AtomicUsize,
    window: Mutex<Window>,
}

struct Window {
    begun: Instant,
    quickest: Option<Duration>,
}

/// A request that was let in, until this is dropped.
pub struct Inside {
    gate: Arc<Gate>,
    begun: Instant,
    /// Whether it has told how long it took.
    told: bool,
}

impl Gate {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            inside: AtomicUsize::new(0),
            limit: AtomicUsize::new(USUAL),
            window: Mutex::new(Window {
                begun: Instant::now(),
                quickest: None,
            }),
        })
    }

    /// None, at once, where too many are inside.
    pub async fn enter(self: &Arc<Self>) -> Option<Inside> {
        if self.inside.fetch_add(1, Ordering::Relaxed) >= self.limit.load(Ordering::Relaxed) {
            self.inside.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let inside = Inside {
            gate: self.clone(),
            begun: Instant::now(),
            told: false,
        };
        // Behind all other work there is, so that a lack of processors shows too.
        yield_now().await;
        Some(inside)
    }

    fn took(&self, took: Duration) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let quickest = window.quickest.map_or(took, |other| other.min(took));
        window.quickest = Some(quickest);
        if window.begun.elapsed() < WINDOW {
            return;
        }
        *window = Window {
            begun: Instant::now(),
            quickest: None,
        };
        let inside = self.inside.load(Ordering::Relaxed);
        let limit = self.limit.load(Ordering::Relaxed);
        let next = next_limit(limit, inside, quickest);
        self.limit.store(next, Ordering::Relaxed);
    }
}

impl Inside {
    /// It was done. A request that was wrong, or could not be served at all, says nothing of those
    /// that are served: it is quick whatever these take, or as long as something is away.
    pub fn done(mut self, served: bool) {
        self.told = true;
        if served {
            self.gate.took(self.begun.elapsed());
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.gate.inside.fetch_sub(1, Ordering::Relaxed);
        // Whoever gave up has waited at least so long: the slow ones are not to go uncounted.
        let waited = self.begun.elapsed();
        if !self.told && waited > ENOUGH {
            self.gate.took(waited);
        }
    }
}

/// Falls to what would have taken as long as it may, at most by half; grows by an eighth where so
/// many come, and else goes back to what is usual. Where few are inside, something else than their
/// number makes them slow.
fn next_limit(limit: usize, inside: usize, quickest: Duration) -> usize {
    let step = limit.div_ceil(8);
    if quickest <= ENOUGH {
        return match limit < USUAL || inside * 2 >= limit {
            true => (limit + step).min(MAX_IN_FLIGHT),
            false => (limit - step).max(USUAL),
        };
    }
    if inside < LEAST {
        return limit;
    }
    let share = (ENOUGH.as_secs_f64() / quickest.as_secs_f64()).max(0.5);
    let fewer = limit.min(inside) as f64 * share;
    (fewer as usize).max(LEAST)
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    const LONG: Duration = Duration::from_millis(400);

    #[test]
    fn where_the_quickest_takes_long_fewer_are_let_in_and_some_always_are() {
        let mut limit = next_limit(MAX_IN_FLIGHT, 800, LONG);
        assert_eq!(limit, 400);
        for _ in 0..10 {
            limit = next_limit(limit, limit, LONG);
        }
        assert_eq!(limit, LEAST);
    }

    #[test]
    fn once_the_quickest_is_quick_the_limit_is_soon_as_before() {
        let (mut limit, mut windows) = (LEAST, 0);
        while limit < USUAL {
            limit = next_limit(limit, 1, ENOUGH);
            windows += 1;
        }
        assert!(WINDOW * windows < Duration::from_secs(1), "{windows}");
    }

    #[test]
    fn as_many_are_let_in_as_come_and_are_served_quickly_and_no_more_than_that_afterwards() {
        let mut limit = USUAL;
        for _ in 0..20 {
            limit = next_limit(limit, limit, ENOUGH);
        }
        assert_eq!(limit, MAX_IN_FLIGHT);
        for _ in 0..20 {
            limit = next_limit(limit, 1, ENOUGH);
        }
        assert_eq!(limit, USUAL);
    }

    #[tokio::test]
    async fn one_more_than_may_be_inside_is_refused_until_one_has_left() {
        let gate = Gate::new();
        let mut inside = join_all((0..USUAL).map(|_| gate.enter())).await;
        assert!(inside.iter().all(Option::is_some));
        assert!(gate.enter().await.is_none());
        inside.pop().flatten().unwrap().done(true);
        assert!(gate.enter().await.is_some());
    }

    #[test]
    fn a_slow_answer_to_one_of_few_keeps_nobody_out() {
        assert_eq!(next_limit(MAX_IN_FLIGHT, 1, LONG), MAX_IN_FLIGHT);
    }

    #[tokio::test]
    async fn whoever_gives_up_counts_as_slow_and_whoever_is_wrong_does_not_count() {
        let gate = Gate::new();
        let seen = || gate.window.lock().unwrap().quickest;
        gate.enter().await.unwrap().done(false);
        assert_eq!(seen(), None);
        let mut given_up = gate.enter().await.unwrap();
        given_up.begun = Instant::now() - ENOUGH * 2;
        // Within one window, so that it is still to be seen.
        gate.window.lock().unwrap().begun = Instant::now();
        drop(given_up);
        assert!(seen().is_some_and(|quickest| quickest > ENOUGH));
        assert_eq!(gate.inside.load(Ordering::Relaxed), 0);
    }
}
