//! What a pipeline left behind under load, held against what it promises by somebody who shares no
//! code with it (`tests/oracle`).
//!
//! - `book`: what customers asked and were told. `books`: what the payment provider did.
//! - `dump`: an embedded store, written down for the oracle. `look`: all there is, wherever it is.
//! - `embedded`, `servers`: load, and what the oracle says; damage, and what it says then.
//! - `aborted`: load, with a process that aborts again and again.

#[cfg(feature = "crash-points")]
mod aborted;
mod book;
pub mod books;
pub mod dump;
mod embedded;
pub mod look;
mod servers;

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::Duration;

use infra::payment_provider::Simulated;
use oracle::{Report, Verdict, World};

use crate::support::provider::StubProvider;

pub use book::Book;

const ORDERS: usize = 150;
const APART: Duration = Duration::from_millis(20);
/// Slow enough for a courier to fail on the way, and for customers to cancel.
const PACE: [&str; 5] = [
    "payment_timeout_ms=400",
    "courier_assign_ms=50",
    "courier_dispatch_ms=300",
    "courier_deliver_ms=150",
    "lease_ms=1000",
];

/// A provider with books, whose answers are sometimes lost.
pub async fn provider() -> StubProvider {
    let playing = Simulated {
        success_rate: 100,
        delay: Duration::from_millis(20),
        seed: 0,
    };
    StubProvider::playing(playing).await
}

pub fn settings(provider: &StubProvider) -> Vec<String> {
    let settings = provider.settings().into_iter();
    settings.chain(PACE.map(ToOwned::to_owned)).collect()
}

/// What the oracle says of a world that was written down and read again.
pub fn audit(world: &World) -> Report {
    let mut lines = vec![];
    world.write(&mut lines).unwrap();
    let mut read = World::default();
    read.read(&*lines).unwrap();
    oracle::audit(&read)
}

/// Orders that were delivered and paid for.
fn paid(world: &World) -> Vec<&str> {
    let orders = |name: &'static str| {
        let facts = world.facts.iter().filter(move |fact| fact.name() == name);
        facts.map(|fact| &*fact.stored.of)
    };
    let completed: HashSet<_> = orders("order.completed").collect();
    let captured = orders("payment.captured");
    captured.filter(|order| completed.contains(order)).collect()
}

/// That nothing is wrong, and that these alone had nothing to look at. A world of which that is not
/// so is kept, for the program `oracle --dump`.
#[track_caller]
pub fn expect_clean(world: &World, not_looked_at: &[&str]) {
    let report = audit(world);
    println!("{report}");
    if !report.is_clean() {
        let test = thread::current()
            .name()
            .unwrap_or("a test")
            .replace("::", "-");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test + ".jsonl");
        world.write(File::create(&path).unwrap()).unwrap();
        println!("the world is kept in {}", path.display());
    }
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.with(Verdict::NotLookedAt), not_looked_at);
}

/// That the check names it.
#[track_caller]
fn expect_finding(report: &Report, check: &str, subject: &str, what: &str) {
    let checked = report.check(check).unwrap();
    let mut findings = checked.findings.iter();
    let found = findings.any(|one| one.subject.contains(subject) && one.what.contains(what));
    assert!(
        found,
        "{check} does not find '{what}' of '{subject}':\n{report}"
    );
}
