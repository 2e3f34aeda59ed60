use std::fmt::Debug;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The longest that anything may take: far more than it does, for slow and busy machines.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks by `look` until `enough` likes what it sees, and returns that.
///
/// # Panics
/// After [`PATIENCE`], with the last state seen.
#[track_caller]
pub fn eventually<T: Debug, F: Future<Output = T>>(
    look: impl FnMut() -> F,
    enough: impl Fn(&T) -> bool,
) -> impl Future<Output = T> {
    eventually_within(PATIENCE, look, enough)
}

/// The same with another patience.
#[track_caller]
pub fn eventually_within<T: Debug, F: Future<Output = T>>(
    patience: Duration,
    mut look: impl FnMut() -> F,
    enough: impl Fn(&T) -> bool,
) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(2);
        loop {
            let seen = look().await;
            if enough(&seen) {
                return seen;
            }
            assert!(
                begun.elapsed() < patience,
                "{caller}: not within {patience:?}; the last state seen: {seen:#?}"
            );
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}
