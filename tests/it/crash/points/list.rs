//! Which points there are, and how a process comes to each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use infra::crash::POINTS;

/// How a process comes to a point.
#[derive(Debug, Clone, Copy)]
pub enum Reached {
    AtStart,
    ByOrders,
    /// A fact that cannot be read.
    ByPoison,
    /// The same, taken up again.
    ByRedriving,
    /// It is asked to end.
    AtTheEnd,
}

/// A point to abort at.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    pub name: &'static str,
    pub reached: Reached,
    /// So often it is reached at least.
    pub often: u64,
    /// What it takes besides.
    pub setting: Option<&'static str>,
}

const fn at(name: &'static str, reached: Reached, often: u64) -> Point {
    Point {
        name,
        reached,
        often,
        setting: None,
    }
}

/// No order gets as far as a delivery before its deadline.
const fn late(name: &'static str, often: u64) -> Point {
    Point {
        setting: Some("order_deadline_ms=1"),
        ..at(name, Reached::ByOrders, often)
    }
}

/// The courier takes its time, so that whoever cancels comes before it, on a busy machine too.
const fn called_off(name: &'static str) -> Point {
    Point {
        setting: Some("courier_dispatch_ms=3000"),
        ..at(name, Reached::ByOrders, 1)
    }
}

use Reached::{AtStart, AtTheEnd, ByOrders, ByPoison, ByRedriving};

/// Those of a process on an embedded store.
pub const EMBEDDED: [Point; 57] = [
    at("start.locked", AtStart, 1),
    at("start.before-format", AtStart, 1),
    at("start.half-formatted", AtStart, 1),
    at("start.after-format", AtStart, 1),
    at("idempotency.before-command", ByOrders, 10),
    at("idempotency.after-command", ByOrders, 10),
    at("idempotency.before-replay", ByOrders, 3),
    at("append.before-queue", ByOrders, 20),
    at("append.before-answer", ByOrders, 20),
    at("embedded-writer.before-commit", ByOrders, 20),
    at("embedded-writer.after-commit", ByOrders, 20),
    at("embedded-writer.before-answers", ByOrders, 20),
    at("consumer.before-effect", ByOrders, 40),
    at("consumer.after-effect", ByOrders, 40),
    at("consumer.before-offset", ByOrders, 10),
    at("consumer.after-offset", ByOrders, 10),
    at("consumer.before-park", ByPoison, 4),
    at("consumer.after-park", ByPoison, 4),
    at("consumer.after-letter", ByPoison, 2),
    at("reaction.before-schedule", ByOrders, 8),
    at("reaction.after-schedule", ByOrders, 8),
    at("reaction.before-mark", ByOrders, 6),
    at("inventory.before-append", ByOrders, 4),
    at("inventory.after-append", ByOrders, 4),
    at("due.before-call", ByOrders, 20),
    at("due.after-call", ByOrders, 20),
    at("due.before-put-back", ByOrders, 6),
    at("due.after-put-back", ByOrders, 6),
    called_off("due.before-settle"),
    called_off("due.after-settle"),
    at("payment.before-call", ByOrders, 8),
    at("payment.after-call", ByOrders, 8),
    at("payment.before-append", ByOrders, 8),
    at("payment.after-append", ByOrders, 8),
    at("courier.before-ask", ByOrders, 10),
    at("courier.before-append", ByOrders, 10),
    at("courier.after-append", ByOrders, 10),
    called_off("courier.before-call-off"),
    called_off("courier.after-call-off"),
    late("deadline.before-append", 4),
    late("deadline.after-append", 4),
    at("projector.after-poll", ByOrders, 10),
    at("projector.before-write", ByOrders, 10),
    at("projector.after-write", ByOrders, 10),
    at("projector.after-commit", ByOrders, 10),
    at("projector.before-park", ByPoison, 3),
    at("projector.after-park", ByPoison, 3),
    at("projector.after-letter", ByPoison, 3),
    at("redriver.before-take", ByRedriving, 5),
    at("redriver.after-take", ByRedriving, 5),
    at("redriver.after-end", ByRedriving, 5),
    at("lease.after-acquire", AtStart, 4),
    at("lease.before-release", AtTheEnd, 4),
    at("lease.after-release", AtTheEnd, 4),
    at("drain.asked", AtTheEnd, 2),
    at("drain.before-sync", AtTheEnd, 1),
    at("drain.after-sync", AtTheEnd, 1),
];

#[test]
fn every_point_is_one_that_a_test_aborts_at() {
    let embedded = EMBEDDED.iter().map(|point| point.name);
    let tested: BTreeSet<_> = embedded
        .chain(crate::servers::points::aborted_at())
        .collect();
    let known: BTreeSet<_> = POINTS.iter().copied().collect();
    assert_eq!(tested, known);
}

/// The compiler refuses those that are not in the list.
#[test]
fn every_point_stands_at_one_place_in_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = ["infra", "command-api", "projectors", "query-api", "."];
    let mut folders: Vec<_> = crates.map(|of| root.join(of).join("src")).into();
    let mut stands: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            for behind in text.split("crash_point!(\"").skip(1) {
                let (name, _) = behind.split_once('"').unwrap();
                *stands.entry(name.to_owned()).or_default() += 1;
            }
        }
    }
    let once = POINTS.iter().map(|point| ((*point).to_owned(), 1));
    assert_eq!(stands, once.collect());
}

#[test]
fn a_point_that_is_not_known_is_a_bad_configuration() {
    let started = std::process::Command::new(env!("CARGO_BIN_EXE_waybill"))
        .arg("config")
        .env("WAYBILL_CRASH_AT", "relay.never:1")
        .output()
        .unwrap();
    let said = String::from_utf8(started.stderr).unwrap();
    assert_eq!(started.status.code(), Some(64), "{said}");
    assert!(said.contains("WAYBILL_CRASH_AT"), "{said}");
    assert!(POINTS.iter().all(|point| said.contains(point)), "{said}");
}
