//! I5: nothing is promised that is not there, and nothing gets lost in the house.

use std::collections::BTreeMap;

use crate::case::Order;
use crate::fact::{Body, Fact, Line, Stream};
use crate::{Case, Checked};

/// For every SKU and every prefix of the log 0 <= held <= on hand, the counters in facts equal a
/// fold, and what stock did for an order is what its reservation says.
pub fn stock(case: &Case<'_>) -> Checked {
    let mut checked = Checked::new(
        "I5",
        "for every SKU and every prefix of the log 0 <= held <= on hand, and counters equal a fold",
    );
    for (sku, facts) in &case.skus {
        checked.looked_at("SKUs", 1);
        checked.looked_at("facts of stock", facts.len());
        counters(sku, facts, &mut checked);
    }
    for (id, order) in &case.orders {
        let reservation = order.stream(Stream::Reservation);
        checked.looked_at("reservations", usize::from(!reservation.is_empty()));
        as_reserved(id, order, reservation, &mut checked);
    }
    checked
}

fn counters(sku: &str, facts: &[&Fact], checked: &mut Checked) {
    let (mut on_hand, mut held) = (0, 0);
    for fact in facts {
        let says = match fact.says() {
            Some(Body::StockReceived {
                quantity,
                on_hand: counted,
                held: counted_held,
            }) => {
                on_hand += quantity;
                (*counted, *counted_held)
            }
            Some(body) => {
                let Some(change) = body.change() else {
                    continue;
                };
                let (there, promised) = match body {
                    Body::StockHeld(_) => (0, 1),
                    Body::StockFreed(_) => (0, -1),
                    Body::StockShipped(_) => (-1, -1),
                    _ => (1, 0),
                };
                on_hand += there * change.quantity;
                held += promised * change.quantity;
                (change.on_hand, change.held)
            }
            None => continue,
        };
        if held < 0 || held > on_hand {
            checked.find(
                sku,
                format!("{held} held of {on_hand} on hand after {fact}"),
            );
        }
        if says != (on_hand, held) {
            let (there, promised) = says;
            let what = format!(
                "{fact} says {promised} held of {there} on hand, and the facts make {held} of {on_hand}"
            );
            checked.find(sku, what);
        }
    }
}

/// What an order did to its SKUs is what its reservation says, line by line.
fn as_reserved(id: &str, order: &Order<'_>, reservation: &[&Fact], checked: &mut Checked) {
    let mut wanted: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for fact in reservation {
        let (what, lines) = match fact.says() {
            Some(Body::Reserved { lines }) => ("stock.held", lines),
            Some(Body::Released { lines, .. }) => ("stock.freed", lines),
            Some(Body::Shipped { lines }) => ("stock.shipped", lines),
            Some(Body::Returned { lines, .. }) => ("stock.returned", lines),
            _ => continue,
        };
        for Line { sku, quantity } in lines {
            *wanted.entry((what, sku)).or_default() += quantity;
        }
    }
    if order.has("inventory.reserved") {
        as_ordered(id, order, &wanted, checked);
    }
    let mut done: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for fact in &order.stock {
        let change = fact.says().and_then(Body::change);
        let quantity = change.map_or(0, |change| change.quantity);
        *done.entry((fact.name(), &fact.stored.of)).or_default() += quantity;
    }
    for (what, quantity) in &wanted {
        let found = done.remove(what).unwrap_or_default();
        if found != *quantity {
            let (name, sku) = what;
            checked.find(
                id,
                format!("{name} of {sku}: {found}, and its reservation says {quantity}"),
            );
        }
    }
    for ((name, sku), quantity) in done {
        checked.find(
            id,
            format!("{name} of {sku}: {quantity}, and its reservation knows nothing of it"),
        );
    }
}

/// All lines of the order, or none.
fn as_ordered(
    id: &str,
    order: &Order<'_>,
    wanted: &BTreeMap<(&str, &str), i64>,
    checked: &mut Checked,
) {
    let created = order.find("order.created").and_then(Fact::says);
    let Some(Body::Created { items, .. }) = created else {
        return;
    };
    let ordered: BTreeMap<_, _> = items
        .iter()
        .map(|item| (("stock.held", &*item.sku), item.quantity))
        .collect();
    let reserved: BTreeMap<_, _> = wanted
        .iter()
        .filter(|((name, _), _)| *name == "stock.held")
        .map(|(what, quantity)| (*what, *quantity))
        .collect();
    if ordered != reserved {
        checked.find(
            id,
            format!("it was ordered {ordered:?} and reserved {reserved:?}"),
        );
    }
}
