//! I6: every order ends, and what has ended keeps nothing.

use std::collections::{BTreeMap, HashMap};

use crate::case::Order;
use crate::evidence::WAITING;
use crate::fact::{Body, Fact, Stream};
use crate::journal::What;
use crate::requests::{About, Request};
use crate::{Case, Checked};

/// How long an order may take after the last fault, or after the last that anybody asked of it,
/// in microseconds.
const ENDS_WITHIN: i64 = 60_000_000;

/// With a courier that answers every order reaches a terminal state within a minute of the last
/// fault; a cancelled one holds no stock, money or delivery; and nothing but tombstones follows.
pub fn ends(case: &Case<'_>) -> Checked {
    let mut checked = Checked::new(
        "I6",
        "every order ends within 60 s of the last fault, a cancelled one holds nothing, \
         and nothing but tombstones follows its end",
    );
    let last_fault = case.world.journal.marked(What::Fault).max();
    let asked = last_asked(case);
    let (mut open, mut parked) = (0, vec![]);
    for (id, order, created) in case.placed() {
        checked.looked_at("orders", 1);
        let since = [last_fault, asked.get(id).copied(), Some(created.time)];
        let until = since.into_iter().flatten().max().unwrap_or_default() + ENDS_WITHIN;
        match order.end() {
            Some(end) => {
                checked.looked_at("that ended", 1);
                if end.time > until && !case.world.by_hand {
                    let late = (end.time - until) / 1_000_000;
                    checked.find(id, format!("it ended {late} s too late, with {end}"));
                }
                ended_once(id, order, &mut checked);
                match end.name() {
                    "order.cancelled" => holds_nothing(id, order, &mut checked),
                    _ => was_delivered(id, order, &mut checked),
                }
                nothing_follows(order, end, &mut checked);
            }
            None if is_parked(case, id) => parked.push(id),
            None if case.world.by_hand || case.world.read_at.is_some_and(|at| at <= until) => {
                open += 1
            }
            None => checked.find(id, format!("it has not ended: {}", order.names())),
        }
    }
    if open > 0 {
        checked
            .notes
            .push(format!("{open} orders are open and still may be"));
    }
    if !parked.is_empty() {
        let listed = parked.join(", ");
        checked.notes.push(format!(
            "these wait for somebody to look at a dead letter: {listed}"
        ));
    }
    checked
}

/// When something was last asked of an order.
fn last_asked<'a>(case: &'a Case<'_>) -> HashMap<&'a str, i64> {
    let mut last: HashMap<&str, i64> = HashMap::new();
    for request in Request::all(&case.world.journal) {
        let (About::Cancel(order) | About::Step(order, _)) = request.about() else {
            continue;
        };
        let latest = request.attempts.iter().map(|one| one.answered_at).max();
        let known = last.entry(order).or_default();
        *known = latest.unwrap_or_default().max(*known);
    }
    last
}

fn is_parked(case: &Case<'_>, order: &str) -> bool {
    let mut parked = case.world.parked.iter();
    parked.any(|row| row.open && row.key == order && row.class != WAITING)
}

fn ended_once(id: &str, order: &Order<'_>, checked: &mut Checked) {
    if order.has("order.cancelled") && order.has("order.completed") {
        checked.find(id, "it was cancelled and completed");
    }
}

/// What a cancelled order had is given back.
fn holds_nothing(id: &str, order: &Order<'_>, checked: &mut Checked) {
    let mut held: BTreeMap<&str, i64> = BTreeMap::new();
    for fact in &order.stock {
        let Some((body, change)) = fact.says().and_then(|body| Some((body, body.change()?))) else {
            continue;
        };
        // What was shipped is somebody's too, until it is back.
        let sign = match body {
            Body::StockHeld(_) => 1,
            Body::StockFreed(_) | Body::StockReturned(_) => -1,
            _ => 0,
        };
        *held.entry(&fact.stored.of).or_default() += sign * change.quantity;
    }
    for (sku, quantity) in held.into_iter().filter(|(_, quantity)| *quantity != 0) {
        checked.find(
            id,
            format!("it was cancelled and keeps {quantity} of {sku}"),
        );
    }
    let undone = order.facts().any(|fact| match fact.says() {
        Some(body @ Body::Voided { .. }) => !body.is_tombstone(),
        Some(Body::Refunded { .. }) => true,
        _ => false,
    });
    if order.has("payment.authorized") && !undone {
        checked.find(id, "it was cancelled and keeps money");
    }
    let asked = order.has("payment.requested");
    if asked && !undone && !order.has("payment.failed") {
        checked.find(
            id,
            "it was cancelled, and nobody knows what came of its payment",
        );
    }
    let over = ["delivery.cancelled", "delivery.failed"];
    if order.has("delivery.requested") && !order.has_any(&over) || order.has("delivery.delivered") {
        checked.find(id, "it was cancelled and keeps its delivery");
    }
}

fn was_delivered(id: &str, order: &Order<'_>, checked: &mut Checked) {
    for name in [
        "delivery.delivered",
        "inventory.shipped",
        "payment.capture-requested",
    ] {
        if !order.has(name) {
            checked.find(id, format!("it was completed without {name}"));
        }
    }
}

/// What an order that ended may still be told.
fn nothing_follows(order: &Order<'_>, end: &Fact, checked: &mut Checked) {
    // Goods and money go their own ways once the courier has left; neither waits for the other.
    let own_ways = [
        "payment.capture-requested",
        "payment.captured",
        "payment.capture-failed",
        "inventory.shipped",
        "stock.shipped",
    ];
    let facts = order.facts().chain(order.stock.iter().copied());
    for fact in facts.filter(|fact| fact.time > end.time) {
        let fine = match end.name() {
            "order.completed" => own_ways.contains(&fact.name()),
            _ => fact.is_tombstone(),
        };
        if !fine {
            checked.find(fact.id(), format!("{} follows {end}", fact.name()));
        }
    }
    let last = order.stream(Stream::Order).last();
    if let Some(last) = last.filter(|last| last.id() != end.id()) {
        checked.find(
            last.id(),
            format!("{} follows {end} in its own stream", last.name()),
        );
    }
}
