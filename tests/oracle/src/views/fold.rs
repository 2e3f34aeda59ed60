use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{STAMPS_PER_SEQUENCE, View};
use crate::Case;
use crate::evidence::{Cell, Row};
use crate::fact::{Body, Fact, Stream, micros};

/// The rows of a view, by their keys in words.
pub type Rows = BTreeMap<String, Row>;

/// What a view is to hold.
pub fn expected(view: &View, case: &Case<'_>) -> Rows {
    let mut rows = Rows::new();
    for order in case.orders.values() {
        let payment_id = order.facts().find_map(payment_id);
        for stream in Stream::OF_ORDERS {
            let mut facts = order.stream(stream).to_vec();
            facts.sort_by_key(|fact| fact.sequence());
            for fact in facts {
                let (key, cells) = match view.name {
                    "order_view" => (json!([fact.stored.of]), order_view(fact, payment_id)),
                    "orders_by_customer" => {
                        // Without a customer there is no partition to put it in.
                        let Some(customer) = fact.metadata.get("customerId") else {
                            continue;
                        };
                        (json!([customer, fact.stored.of]), by_customer(fact, view))
                    }
                    _ => (place_in_time(fact), timeline(fact)),
                };
                write(&mut rows, key, fact, cells);
            }
        }
    }
    rows
}

fn write(rows: &mut Rows, key: Value, fact: &Fact, cells: Vec<(&str, Value)>) {
    let Value::Array(values) = &key else {
        return;
    };
    let row = rows.entry(key.to_string()).or_insert_with(|| Row {
        key: values.clone(),
        cells: BTreeMap::new(),
    });
    for (column, value) in cells {
        let stamp = Some(fact.sequence() * STAMPS_PER_SEQUENCE);
        row.cells.insert(column.to_owned(), Cell { value, stamp });
    }
}

/// What a fact sets in `order_view`: what it says, where its stream stands, when, and as of which
/// fact.
fn order_view(fact: &Fact, payment_id: Option<&str>) -> Vec<(&'static str, Value)> {
    let mut cells = said(fact);
    // Each fact of a payment that there is shows whose it is, also where it does not say so itself.
    if fact.stream() == Stream::Payment && !fact.is_tombstone() {
        cells.push(("payment_id", json!(payment_id)));
    }
    let (status, time, version) = match fact.stream() {
        Stream::Order => ("order_status", "order_updated_at", "order_version"),
        Stream::Reservation => (
            "inventory_status",
            "inventory_updated_at",
            "reservation_version",
        ),
        Stream::Payment => ("payment_status", "payment_updated_at", "payment_version"),
        Stream::Delivery => ("delivery_status", "delivery_updated_at", "delivery_version"),
        Stream::Stock => return vec![],
    };
    cells.extend(step(fact).map(|step| (status, step.into())));
    cells.push((time, fact.time.into()));
    cells.push((version, fact.sequence().into()));
    cells
}

fn said(fact: &Fact) -> Vec<(&'static str, Value)> {
    let Some(body) = fact.says() else {
        return vec![];
    };
    match body {
        Body::Created {
            customer_id,
            currency,
            items,
            total_amount,
            ..
        } => vec![
            ("customer_id", json!(customer_id)),
            ("currency", json!(currency)),
            ("items", json!(items)),
            ("total_amount", json!(total_amount)),
            ("created_at", json!(fact.time)),
        ],
        Body::OrderCancelled { reason } => vec![("cancel_reason", json!(reason))],
        Body::Rejected { reason } | Body::Returned { reason, .. } => {
            vec![("inventory_reason", json!(reason))]
        }
        Body::Released { reason, .. } if !body.is_tombstone() => {
            vec![("inventory_reason", json!(reason))]
        }
        Body::PaymentFailed { reason, .. } | Body::UndoRequested { reason } => {
            vec![("payment_reason", json!(reason))]
        }
        Body::CaptureFailed(of) | Body::VoidRequested(of) | Body::RefundRequested(of) => {
            vec![("payment_reason", json!(of.reason))]
        }
        Body::DeliveryRequested { delivery_id } => vec![("delivery_id", json!(delivery_id))],
        Body::Assigned {
            estimated_delivery_time,
            ..
        } => vec![
            ("driver_name", json!(body.driver_name())),
            (
                "estimated_delivery_time",
                json!(micros(estimated_delivery_time)),
            ),
        ],
        Body::EtaUpdated {
            estimated_delivery_time,
        } => vec![(
            "estimated_delivery_time",
            json!(micros(estimated_delivery_time)),
        )],
        _ => vec![],
    }
}

fn payment_id(fact: &Fact) -> Option<&str> {
    match fact.says()? {
        Body::PaymentRequested(of) => Some(&of.payment_id),
        _ => None,
    }
}

/// The step that a stream has taken with a fact: its name in capitals. None for a fact that only
/// moves version and time.
fn step(fact: &Fact) -> Option<String> {
    let only_moves = ["delivery.eta-updated", "delivery.cancellation-refused"];
    if fact.is_tombstone() || only_moves.contains(&fact.name()) {
        return None;
    }
    let (_, step) = fact.name().split_once('.')?;
    Some(step.to_uppercase().replace('-', "_"))
}

/// The columns that `order_view` has too.
fn by_customer(fact: &Fact, view: &View) -> Vec<(&'static str, Value)> {
    let cells = order_view(fact, None).into_iter();
    let shown = cells.filter(|(column, _)| view.columns.contains(column));
    shown.collect()
}

fn place_in_time(fact: &Fact) -> Value {
    json!([
        fact.stored.of,
        fact.time,
        fact.stream().name(),
        fact.sequence()
    ])
}

fn timeline(fact: &Fact) -> Vec<(&'static str, Value)> {
    let stored = &fact.stored;
    let id = fact.id();
    let correlation = fact.metadata.get("correlationId");
    vec![
        ("name", json!(stored.name)),
        ("version", json!(stored.version)),
        ("payload", json!(stored.payload)),
        ("causation", json!(fact.causation().unwrap_or(&id))),
        ("correlation", json!(correlation.unwrap_or(&stored.of))),
        ("service", json!(stored.service.name())),
        ("position", json!(stored.position)),
    ]
}
