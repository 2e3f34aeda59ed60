//! A short run under faults, or the long one of `make torture`; what is drawn in it, and what came
//! of it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::LazyLock;

/// How often each crash point is tried: `TORTURE` in a long run, and once in a short one.
#[cfg(feature = "crash-points")]
pub fn times() -> usize {
    long().unwrap_or(1)
}

/// The time at which a point that is reached `often` times is to abort: the first in a short run.
#[cfg(feature = "crash-points")]
pub fn draw(random: &mut fastrand::Rng, often: u64) -> u64 {
    let drawn = random.u64(1..=often);
    scaled(1, drawn)
}

/// Whether a crash point is to be tried: one of those that `POINTS` names, or any.
#[cfg(feature = "crash-points")]
pub fn is_asked_for(point: &str) -> bool {
    let asked = std::env::var("POINTS");
    asked.map_or(true, |asked| asked.split(',').any(|name| name == point))
}

fn long() -> Option<usize> {
    Some(std::env::var("TORTURE").ok()?.parse().unwrap())
}

/// The number of a short run, or that of the long one.
pub fn scaled<N>(short: N, other: N) -> N {
    if long().is_some() { other } else { short }
}

/// What a run's chances are drawn from. It is printed, and `SEED` repeats it: every test of one
/// process draws from the same.
pub fn seed() -> u64 {
    static SEED: LazyLock<u64> = LazyLock::new(|| {
        let given = std::env::var("SEED");
        given.map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap())
    });
    println!("SEED={}", *SEED);
    *SEED
}

/// Chances of the [`seed`].
pub fn random() -> fastrand::Rng {
    fastrand::Rng::with_seed(seed())
}

/// Says what a test under faults did, as figures; the file that `TORTURE_REPORT` names keeps it.
pub fn report(what: &str, figures: &str) {
    let line = format!("{what}: {figures}\n");
    print!("{line}");
    if let Ok(path) = std::env::var("TORTURE_REPORT") {
        let file = OpenOptions::new().create(true).append(true).open(path);
        // In one piece: other tests write to it too.
        file.unwrap().write_all(line.as_bytes()).unwrap();
    }
}
