use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{OrderRow, OrderView, SCHEMA, versions};
use crate::testing::facts::{self, delivery, named, order, payment, reservation};
use crate::testing::recorded;
use crate::testing::values::{
    customer, delivery_id, items, minute, order_id, payment_id, reason, total,
};
use crate::values::Reason;
use crate::view::{Cells, Fold, Status, Value, Versions};
use crate::{Category, Fact, Recorded, View};

/// Which columns each fact writes beside the time and the version of its stream, which it always
/// writes.
const WRITES: &str = "
    order.created: customer_id currency total_amount items created_at order_status
    order.cancellation-requested: order_status
    order.cancellation-refused: order_status
    order.cancelled: cancel_reason order_status
    order.completed: order_status
    inventory.reserved: inventory_status
    inventory.rejected: inventory_reason inventory_status
    inventory.released: inventory_reason inventory_status
    inventory.released():
    inventory.shipped: inventory_status
    inventory.returned: inventory_reason inventory_status
    payment.requested: payment_id payment_status
    payment.authorized: payment_id payment_status
    payment.failed: payment_id payment_reason payment_status
    payment.capture-requested: payment_id payment_status
    payment.captured: payment_id payment_status
    payment.capture-failed: payment_id payment_reason payment_status
    payment.void-requested: payment_id payment_reason payment_status
    payment.voided: payment_id payment_status
    payment.voided():
    payment.refund-requested: payment_id payment_reason payment_status
    payment.refunded: payment_id payment_status
    payment.undo-requested: payment_id payment_reason payment_status
    delivery.requested: delivery_id delivery_status
    delivery.assigned: driver_name estimated_delivery_time delivery_status
    delivery.eta-updated: estimated_delivery_time
    delivery.dispatched: delivery_status
    delivery.delivered: delivery_status
    delivery.failed: delivery_status
    delivery.cancelled: delivery_status
    delivery.cancelled():
    delivery.cancellation-refused:
";

/// The time and the version of each stream.
fn always(category: Category) -> [&'static str; 2] {
    match category {
        Category::Order => ["order_updated_at", "order_version"],
        Category::Reservation => ["inventory_updated_at", "reservation_version"],
        Category::Payment => ["payment_updated_at", "payment_version"],
        Category::Delivery => ["delivery_updated_at", "delivery_version"],
        Category::Stock => panic!("stock is in no order's row"),
    }
}

fn of_orders() -> Vec<Fact> {
    let mut all = facts::every();
    all.retain(|fact| fact.category() != Category::Stock);
    all
}

/// The cells that a fact writes, by the name of their column.
fn written(recorded: &Recorded) -> BTreeMap<&'static str, Value> {
    let patch = OrderView.project(recorded).expect("a fact of an order");
    let cells = patch.cells.into_iter();
    cells
        .map(|cell| (SCHEMA.columns[cell.column].name, cell.value))
        .collect()
}

#[test]
fn every_fact_writes_its_own_columns_and_no_others() {
    let lines = WRITES
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let mut wanted: BTreeMap<&str, BTreeSet<&str>> = lines
        .map(|line| {
            let (fact, columns) = line.rsplit_once(':').expect("a fact and its columns");
            (fact, columns.split_ascii_whitespace().collect())
        })
        .collect();
    for fact in of_orders() {
        let label = facts::label(&fact);
        let mut want = wanted.remove(label.as_str()).expect("a listed fact");
        want.extend(always(fact.category()));
        let got: BTreeSet<&str> = written(&recorded(3, fact)).into_keys().collect();
        assert_eq!(got, want, "{label}");
    }
    assert!(wanted.is_empty(), "no such facts: {wanted:?}");
}

#[test]
fn a_patch_is_of_the_orders_row_and_carries_the_sequence_of_its_fact() {
    for fact in of_orders() {
        let patch = OrderView.project(&recorded(7, fact)).unwrap();
        assert_eq!(patch.key, [Value::Uuid(order_id().0)]);
        assert_eq!(patch.sequence, 7);
    }
}

#[test]
fn stock_concerns_no_order() {
    for fact in facts::every() {
        let projected = OrderView.project(&recorded(1, fact.clone())).is_some();
        assert_eq!(projected, fact.category() != Category::Stock);
    }
}

#[test]
fn a_streams_status_is_the_name_of_its_last_step_in_capitals() {
    let status = |name: &str, column: &str| written(&recorded(2, named(name)))[column].clone();
    let text = |text: &str| Value::Text(text.into());
    assert_eq!(status("order.created", "order_status"), text("CREATED"));
    assert_eq!(
        status("order.cancellation-requested", "order_status"),
        text("CANCELLATION_REQUESTED")
    );
    assert_eq!(
        status("inventory.reserved", "inventory_status"),
        text("RESERVED")
    );
    assert_eq!(
        status("payment.capture-failed", "payment_status"),
        text("CAPTURE_FAILED")
    );
    assert_eq!(
        status("delivery.dispatched", "delivery_status"),
        text("DISPATCHED")
    );
}

/// So that facts of a timeline, which keeps no more, give the row as it was.
#[test]
fn a_row_takes_nothing_of_a_fact_but_its_id_its_time_and_what_it_says() {
    for fact in of_orders() {
        let whole = recorded(3, fact);
        let bare = Recorded {
            position: 0,
            correlation: String::new(),
            causation: String::new(),
            order: None,
            traceparent: None,
            written: None,
            ..whole.clone()
        };
        assert_eq!(OrderView.project(&bare), OrderView.project(&whole));
    }
}

#[test]
fn times_and_versions_are_those_of_the_fact() {
    for fact in of_orders() {
        let [updated_at, version] = always(fact.category());
        let cells = written(&recorded(5, fact));
        assert_eq!(cells[updated_at], Value::Time(minute(5)));
        assert_eq!(cells[version], Value::Int(5));
    }
}

/// The row of these facts.
fn folded<'a>(facts: impl IntoIterator<Item = &'a Recorded>) -> Cells {
    let mut fold = Fold::default();
    for recorded in facts {
        fold.add(OrderView.project(recorded).unwrap());
    }
    fold.cells(&SCHEMA)
}

/// The facts of one stream, numbered.
fn stream<F: Into<Fact>>(facts: impl IntoIterator<Item = F>) -> Vec<Recorded> {
    let numbered = (1..).zip(facts);
    numbered.map(|(n, fact)| recorded(n, fact)).collect()
}

/// Too late to cancel, then failed on the road: the longest way through every stream.
fn late_failure() -> Vec<Recorded> {
    use crate::delivery::Event::CancellationRefused;
    use crate::order::Event::CancellationRefused as Refused;
    [
        stream([
            order::created(),
            order::cancellation_requested(),
            Refused {},
            order::cancelled(),
        ]),
        stream([
            reservation::reserved(),
            reservation::shipped(),
            reservation::returned(),
        ]),
        stream([
            payment::requested(),
            payment::authorized(),
            payment::capture_requested(),
            payment::undo_requested(),
            payment::captured(),
            payment::refund_requested(),
            payment::refunded(),
        ]),
        stream([
            delivery::requested(),
            delivery::assigned(),
            delivery::eta_updated(),
            delivery::dispatched(),
            CancellationRefused {},
            delivery::failed(),
        ]),
    ]
    .concat()
}

/// Cancelled before anything else was done: tombstones everywhere.
fn early_cancel() -> Vec<Recorded> {
    [
        stream([
            order::created(),
            order::cancellation_requested(),
            order::cancelled(),
        ]),
        stream([reservation::tombstone()]),
        stream([payment::tombstone()]),
        stream([delivery::tombstone()]),
    ]
    .concat()
}

fn in_any_order(log: Vec<Recorded>) -> impl Strategy<Value = (Vec<Recorded>, Vec<Recorded>)> {
    let all = log.len();
    let repeats = prop::sample::subsequence(log.clone(), 0..=all);
    repeats.prop_flat_map(move |repeats| {
        let with_repeats = [log.clone(), repeats].concat();
        (Just(log.clone()), Just(with_repeats).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn facts_in_any_order_with_repeats_end_in_the_same_row(
        (log, shuffled) in prop_oneof![in_any_order(late_failure()), in_any_order(early_cancel())],
    ) {
        prop_assert_eq!(folded(&shuffled), folded(&log));
    }
}

#[test]
fn a_row_says_what_its_facts_said() {
    let row = OrderRow::read(order_id(), &folded(&late_failure())).unwrap();
    assert_eq!(row.customer_id, customer().as_str());
    assert_eq!(row.currency, "EUR");
    assert_eq!(row.total_amount, 1999);
    assert_eq!(row.items, items().as_slice());
    assert_eq!(row.order_status, "CANCELLED");
    assert_eq!(row.cancel_reason.as_deref(), Some("changed my mind"));
    assert_eq!(row.created_at, minute(1));
    assert_eq!(row.updated_at, minute(7), "of the stream that moved last");
    assert_eq!(row.inventory.status.as_deref(), Some("RETURNED"));
    assert_eq!(row.inventory.reason.as_deref(), Some("delivery-failed"));
    assert_eq!(row.payment.payment_id, Some(payment_id().0));
    assert_eq!(row.payment.status.as_deref(), Some("REFUNDED"));
    assert_eq!(row.payment.reason.as_deref(), Some("delivery-failed"));
    assert_eq!(row.delivery.delivery_id, Some(delivery_id().0));
    assert_eq!(row.delivery.status.as_deref(), Some("FAILED"));
    assert_eq!(row.delivery.driver_name.as_deref(), Some("Ada"));
    assert_eq!(row.delivery.estimated_delivery_time, Some(minute(50)));
    let versions = Versions {
        order: 4,
        reservation: 3,
        payment: 7,
        delivery: 6,
    };
    assert_eq!(row.versions, versions);
    assert_eq!(row.status(), Status::Cancelled);
    assert_eq!(total().minor_units(), 1999);
}

#[test]
fn tombstones_move_only_time_and_version() {
    let row = OrderRow::read(order_id(), &folded(&early_cancel())).unwrap();
    assert_eq!(row.inventory.status, None);
    assert_eq!(row.inventory.reason, None);
    assert_eq!(row.payment.status, None);
    assert_eq!(row.payment.payment_id, None);
    assert_eq!(row.delivery.status, None);
    let Versions {
        reservation,
        payment,
        delivery,
        ..
    } = row.versions;
    assert_eq!([reservation, payment, delivery], [1, 1, 1]);
}

#[test]
fn a_moved_time_and_a_refused_cancellation_leave_the_status() {
    use crate::delivery::Event::CancellationRefused;
    let road = [delivery::requested(), delivery::assigned()];
    let status = |more: &[crate::delivery::Event]| {
        let all = stream([road.as_slice(), more].concat());
        let cells = folded(stream([order::created()]).iter().chain(&all));
        OrderRow::read(order_id(), &cells).unwrap().delivery.status
    };
    assert_eq!(status(&[]).as_deref(), Some("ASSIGNED"));
    assert_eq!(
        status(&[delivery::eta_updated()]).as_deref(),
        Some("ASSIGNED")
    );
    let refused = [delivery::dispatched(), CancellationRefused {}];
    assert_eq!(status(&refused).as_deref(), Some("DISPATCHED"));
}

#[test]
fn only_the_end_of_the_order_says_why_it_was_cancelled() {
    let asked = stream([order::created(), order::cancellation_requested()]);
    let row = OrderRow::read(order_id(), &folded(&asked)).unwrap();
    assert_eq!(row.cancel_reason, None);
    let system = crate::order::Event::Cancelled {
        reason: Reason::out_of_stock(),
    };
    let row = OrderRow::read(order_id(), &folded(&stream([order::created(), system])));
    assert_eq!(row.unwrap().cancel_reason.as_deref(), Some("out-of-stock"));
}

#[test]
fn a_payments_reason_is_the_last_one_given() {
    let failed = payment::failed(Some(reason("changed my mind")));
    let log = stream([payment::requested(), payment::undo_requested(), failed]);
    let cells = folded(stream([order::created()]).iter().chain(&log));
    let row = OrderRow::read(order_id(), &cells).unwrap();
    assert_eq!(row.payment.reason.as_deref(), Some("insufficient funds"));
}

#[test]
fn a_row_without_its_orders_first_fact_does_not_exist_for_readers() {
    let mut log = late_failure();
    log.retain(|recorded| recorded.fact.name() != "order.created");
    let cells = folded(&log);
    assert_eq!(OrderRow::read(order_id(), &cells), None);

    // And yet it knows how far it is, for those who wait for a fact of another stream.
    let seen = versions(&cells);
    assert_eq!(seen.payment, 7);
    assert_eq!(seen.of(Category::Payment), Some(7));
    assert_eq!(seen.of(Category::Stock), None);
    assert_eq!(versions(&folded([])), Versions::default());
}
