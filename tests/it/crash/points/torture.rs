//! How often each point is tried, and at which time of reaching it.
//!
//! `TORTURE=5` tries each five times, at times that are drawn; `TORTURE_SEED` draws those of the run
//! that printed it. Without them each is tried once, at the first time.

use std::sync::LazyLock;

/// How often.
pub fn times() -> usize {
    asked().unwrap_or(1)
}

/// What the times are drawn from.
pub fn random() -> fastrand::Rng {
    static SEED: LazyLock<u64> = LazyLock::new(|| {
        let seed = std::env::var("TORTURE_SEED");
        let seed = seed.map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
        if asked().is_some() {
            println!("TORTURE_SEED={seed}");
        }
        seed
    });
    fastrand::Rng::with_seed(*SEED)
}

/// The time at which one that is reached `often` times is to abort.
pub fn draw(random: &mut fastrand::Rng, often: u64) -> u64 {
    let drawn = random.u64(1..=often);
    asked().map_or(1, |_| drawn)
}

fn asked() -> Option<usize> {
    Some(std::env::var("TORTURE").ok()?.parse().unwrap())
}
