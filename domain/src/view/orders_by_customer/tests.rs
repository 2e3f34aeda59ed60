use std::collections::BTreeMap;

use super::{CustomerOrder, OrdersByCustomer, SCHEMA, versions};
use crate::testing::facts::{self, delivery, order, payment, reservation};
use crate::testing::recorded;
use crate::testing::values::{customer, minute, order_id};
use crate::view::order_view::{OrderRow, OrderView};
use crate::view::{Cells, Fold, Value, Versions};
use crate::{Category, Fact, Recorded, View};

/// The columns that all facts of a stream write, and those that the first of an order adds.
const ALWAYS: [(Category, &str); 4] = [
    (Category::Order, "order_version"),
    (Category::Reservation, "reservation_version"),
    (Category::Payment, "payment_version"),
    (Category::Delivery, "delivery_version"),
];
const STATUSES: [&str; 4] = [
    "order_status",
    "inventory_status",
    "payment_status",
    "delivery_status",
];

fn written(view: &dyn View, recorded: &Recorded) -> BTreeMap<&'static str, Value> {
    let patch = view.project(recorded).expect("a fact of an order");
    let name = |column: usize| view.schema().columns[column].name;
    let cells = patch.cells.into_iter();
    cells.map(|cell| (name(cell.column), cell.value)).collect()
}

fn of_orders() -> Vec<Fact> {
    let mut all = facts::every();
    all.retain(|fact| fact.category() != Category::Stock);
    all
}

#[test]
fn every_fact_writes_the_version_and_the_step_of_its_stream_as_the_order_view_has_them() {
    for fact in of_orders() {
        let (label, category) = (facts::label(&fact), fact.category());
        let recorded = recorded(3, fact);
        let (list, whole) = (
            written(&OrdersByCustomer, &recorded),
            written(&OrderView, &recorded),
        );
        let (_, version) = ALWAYS.iter().find(|(of, _)| *of == category).unwrap();
        assert_eq!(list.get(version), Some(&Value::Int(3)), "{label}");
        for status in STATUSES {
            assert_eq!(list.get(status), whole.get(status), "{label}");
        }
        let first = ["created_at", "currency", "total_amount"];
        for column in first {
            assert_eq!(list.get(column), whole.get(column), "{label}: {column}");
            assert_eq!(list.contains_key(column), label == "order.created");
        }
    }
}

#[test]
fn the_key_is_the_customer_and_then_the_order() {
    let key = [
        Value::Text(customer().as_str().to_owned()),
        Value::Uuid(order_id().0),
    ];
    for fact in of_orders() {
        let patch = OrdersByCustomer.project(&recorded(1, fact)).unwrap();
        assert_eq!(patch.key, key);
    }
}

#[test]
fn a_fact_that_does_not_say_whose_order_it_is_about_is_left_out() {
    for fact in of_orders() {
        let nobodys = Recorded {
            order: None,
            ..recorded(1, fact)
        };
        assert_eq!(OrdersByCustomer.project(&nobodys), None);
    }
}

fn folded(view: &dyn View, facts: &[Recorded]) -> Cells {
    let mut fold = Fold::default();
    for recorded in facts {
        fold.add(view.project(recorded).unwrap());
    }
    fold.cells(view.schema())
}

fn numbered<F: Into<Fact>>(facts: impl IntoIterator<Item = F>) -> Vec<Recorded> {
    let numbered = (1..).zip(facts);
    numbered.map(|(n, fact)| recorded(n, fact)).collect()
}

#[test]
fn a_row_says_at_every_step_what_the_order_view_says() {
    let log = [
        numbered([order::created()]),
        numbered([reservation::reserved()]),
        numbered([payment::requested(), payment::authorized()]),
        numbered([
            delivery::requested(),
            delivery::assigned(),
            delivery::eta_updated(),
            delivery::dispatched(),
            delivery::failed(),
        ]),
        numbered([reservation::reserved(), reservation::returned()]),
    ]
    .concat();
    for seen in 1..=log.len() {
        let facts = &log[..seen];
        let whole = OrderRow::read(order_id(), &folded(&OrderView, facts)).unwrap();
        let row = CustomerOrder::read(order_id(), &folded(&OrdersByCustomer, facts)).unwrap();
        let expected = CustomerOrder {
            order_id: order_id(),
            status: whole.status(),
            total_amount: 1999,
            currency: "EUR".into(),
            created_at: minute(1),
            versions: whole.versions,
        };
        assert_eq!(row, expected, "after {seen}");
    }
}

#[test]
fn a_row_without_its_orders_first_fact_does_not_exist_for_readers() {
    let cells = folded(&OrdersByCustomer, &numbered([payment::requested()]));
    assert_eq!(CustomerOrder::read(order_id(), &cells), None);
    let seen = Versions {
        payment: 1,
        ..Versions::default()
    };
    assert_eq!(versions(&cells), seen);
    assert_eq!(SCHEMA.columns.len(), cells.len());
}
