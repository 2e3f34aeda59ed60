//! What is damaged in a log or on a topic is found and named, and nothing else is.

mod given;
mod log;
mod topic;

use projectors::verify::log::{Finds, Kind};

/// The facts of each find, by kind; those without a fact as what is said of them.
fn named(finds: &Finds) -> Vec<(Kind, &str)> {
    let of = finds.named.iter();
    let mut named: Vec<_> = of
        .map(|find| (find.kind, find.fact.as_deref().unwrap_or(&find.says)))
        .collect();
    named.sort_unstable();
    named
}

/// What is said of a fact.
fn said<'f>(finds: &'f Finds, fact: &str) -> &'f str {
    let of = |find: &&projectors::verify::log::Find| find.fact.as_deref() == Some(fact);
    let found = finds.named.iter().find(of);
    found.map_or("nothing", |find| &find.says)
}
