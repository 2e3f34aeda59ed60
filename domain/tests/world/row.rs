//! What the row of an order has to say, put together from the facts without the code that
//! projects them.

use std::collections::BTreeMap;

use domain::inventory::reservation;
use domain::values::{PaymentId, Reason, Timestamp};
use domain::view::Value;
use domain::{Fact, Recorded, delivery, order, payment};

use crate::side::STREAMS;
use crate::view::Prefixed;

/// The columns of each stream: status, version, and when it last moved.
const OF_EVERY_STREAM: [(&str, &str, &str); STREAMS.len()] = [
    ("order_status", "order_version", "order_updated_at"),
    (
        "inventory_status",
        "reservation_version",
        "inventory_updated_at",
    ),
    ("payment_status", "payment_version", "payment_updated_at"),
    ("delivery_status", "delivery_version", "delivery_updated_at"),
];

/// The cells by their columns' names, where the facts of `taken` are all that there are.
pub fn of(taken: &Prefixed<'_>) -> BTreeMap<&'static str, Value> {
    let mut row = Row(BTreeMap::new());
    for (facts, (status, version, updated_at)) in taken.iter().zip(OF_EVERY_STREAM) {
        let Some(last) = facts.last() else { continue };
        row.set(version, Some(Value::Int(facts.len() as i64)));
        row.time(updated_at, Some(last.time));
        let step = facts.iter().rfind(|recorded| is_a_step(&recorded.fact));
        row.text(status, step.map(|recorded| status_of(&recorded.fact)));
    }
    row.of_order(&taken[0]);
    row.of_reservation(&taken[1]);
    row.of_payment(&taken[2]);
    row.of_delivery(&taken[3]);
    row.0
}

/// Facts that say that something goes on as before, or that nothing was there, are none.
fn is_a_step(fact: &Fact) -> bool {
    const NONE: [&str; 2] = ["delivery.eta-updated", "delivery.cancellation-refused"];
    !NONE.contains(&fact.name()) && !fact.is_tombstone()
}

fn status_of(fact: &Fact) -> String {
    let (_, step) = fact.name().split_once('.').expect("a prefix");
    step.to_uppercase().replace('-', "_")
}

struct Row(BTreeMap<&'static str, Value>);

impl Row {
    fn set(&mut self, column: &'static str, value: Option<Value>) {
        if let Some(value) = value {
            self.0.insert(column, value);
        }
    }

    fn text(&mut self, column: &'static str, text: Option<String>) {
        self.set(column, text.map(Value::Text));
    }

    fn time(&mut self, column: &'static str, time: Option<Timestamp>) {
        self.set(column, time.map(Value::Time));
    }

    fn of_order(&mut self, facts: &[&Recorded]) {
        for recorded in facts {
            match &recorded.fact {
                Fact::Order(order::Event::Created {
                    customer_id,
                    currency,
                    items,
                    total_amount,
                    ..
                }) => {
                    let total = Value::Int(total_amount.minor_units() as i64);
                    self.text("customer_id", Some(customer_id.as_str().to_owned()));
                    self.text("currency", Some(currency.as_str().to_owned()));
                    self.set("total_amount", Some(total));
                    self.set("items", Some(Value::Items(items.as_slice().to_vec())));
                    self.time("created_at", Some(recorded.time));
                }
                Fact::Order(order::Event::Cancelled { reason }) => {
                    self.text("cancel_reason", Some(reason.as_str().to_owned()));
                }
                _ => {}
            }
        }
    }

    fn of_reservation(&mut self, facts: &[&Recorded]) {
        use reservation::Event::{Rejected, Released, Returned};
        let undone = last(facts, |fact| match fact {
            Fact::Reservation(Released { lines, .. }) if lines.is_empty() => None,
            Fact::Reservation(
                Rejected { reason, .. } | Released { reason, .. } | Returned { reason, .. },
            ) => Some(text(reason)),
            _ => None,
        });
        self.text("inventory_reason", undone);
    }

    fn of_payment(&mut self, facts: &[&Recorded]) {
        use payment::Event::{
            CaptureFailed, Failed, RefundRequested, UndoRequested, VoidRequested,
        };
        let asked = facts.iter().find(|recorded| !recorded.fact.is_tombstone());
        let id = asked.and_then(|recorded| recorded.order_id());
        let id = id.map(|order| Value::Uuid(PaymentId::of(order).0));
        self.set("payment_id", id);
        let why = last(facts, |fact| match fact {
            Fact::Payment(
                Failed { reason, .. }
                | CaptureFailed { reason, .. }
                | VoidRequested { reason, .. }
                | RefundRequested { reason, .. }
                | UndoRequested { reason },
            ) => Some(text(reason)),
            _ => None,
        });
        self.text("payment_reason", why);
    }

    fn of_delivery(&mut self, facts: &[&Recorded]) {
        use delivery::Event::{Assigned, EtaUpdated, Requested};
        let id = last(facts, |fact| match fact {
            Fact::Delivery(Requested { delivery_id }) => Some(Value::Uuid(delivery_id.0)),
            _ => None,
        });
        self.set("delivery_id", id);
        let driver = last(facts, |fact| match fact {
            Fact::Delivery(Assigned { driver_name, .. }) => Some(driver_name.as_str().to_owned()),
            _ => None,
        });
        self.text("driver_name", driver);
        let eta = last(facts, |fact| match fact {
            Fact::Delivery(
                Assigned {
                    estimated_delivery_time: at,
                    ..
                }
                | EtaUpdated {
                    estimated_delivery_time: at,
                },
            ) => Some(*at),
            _ => None,
        });
        self.time("estimated_delivery_time", eta);
    }
}

fn text(reason: &Reason) -> String {
    reason.as_str().to_owned()
}

/// What the last fact says that says anything.
fn last<T>(facts: &[&Recorded], says: impl Fn(&Fact) -> Option<T>) -> Option<T> {
    facts.iter().rev().find_map(|recorded| says(&recorded.fact))
}
