//! I12: who looks again sees nothing older.

use std::collections::BTreeMap;

use crate::journal::{Read, What};
use crate::{Case, Checked};

/// A version polled from the view never goes back, except across a crash of the view's store or a
/// switch of generation.
pub fn reads(case: &Case<'_>) -> Checked {
    let mut checked = Checked::new("I12", "a version polled from the view never goes back");
    let journal = &case.world.journal;
    let breaks: Vec<i64> = journal.marked(What::ViewBreak).collect();
    let mut orders: BTreeMap<&str, Vec<&Read>> = BTreeMap::new();
    for read in &journal.reads {
        orders.entry(&read.order).or_default().push(read);
    }
    for (id, mut reads) in orders {
        reads.sort_by_key(|read| read.asked_at);
        checked.looked_at("orders", 1);
        checked.looked_at("reads", reads.len());
        for (at, later) in reads.iter().enumerate() {
            // Of two reads at the same time neither is the later.
            let earlier = reads[..at]
                .iter()
                .filter(|read| read.answered_at < later.asked_at);
            let broken = |read: &Read| {
                let between = read.asked_at..=later.answered_at;
                breaks.iter().any(|at| between.contains(at))
            };
            let back = earlier
                .filter(|read| !broken(read))
                .find_map(|read| went_back(read, later));
            if let Some(what) = back {
                checked.find(id, what);
            }
            if let Some(what) = ahead(case, id, later) {
                checked.find(id, what);
            }
        }
    }
    checked
}

fn went_back(earlier: &Read, later: &Read) -> Option<String> {
    earlier.versions.iter().find_map(|(stream, before)| {
        let now = later.versions.get(stream).copied().unwrap_or_default();
        (now < *before).then(|| {
            format!(
                "{} saw {stream} at {before}, and {} at {now} after that ({} and {})",
                earlier.client, later.client, earlier.answered_at, later.asked_at
            )
        })
    })
}

/// A version that its log does not have.
fn ahead(case: &Case<'_>, id: &str, read: &Read) -> Option<String> {
    if case.world.facts.is_empty() {
        return None;
    }
    read.versions.iter().find_map(|(stream, version)| {
        let fact = format!("{stream}-{id}-{version}");
        let seen = *version == 0 || case.by_id.contains_key(&fact);
        (!seen).then(|| {
            format!(
                "{} saw {stream} at {version}, and there is no {fact}",
                read.client
            )
        })
    })
}
