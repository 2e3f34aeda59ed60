//! I4: money.

use oracle::ledger::Operation;
use serde_json::json;

use super::built::{Builder, TOTAL, order_of, say};
use super::{finds, finds_nothing};

#[test]
fn a_charge_under_another_key() {
    let mut world = Builder::every_road().finish();
    let ledger = world.ledger.as_mut().unwrap();
    let mut twice = ledger
        .iter()
        .find(|one| one.operation == Operation::Capture)
        .unwrap()
        .clone();
    twice.key.push_str("-2");
    ledger.push(twice);
    let id = order_of(1);
    finds(&world, "I4", &id, "the provider has 2 times capture");
    finds(&world, "I4", &id, ":capture-2");
    let what = format!(
        "the provider took {} and gave back 0; owed is {TOTAL}",
        2 * TOTAL
    );
    finds(&world, "I4", &id, &what);
}

#[test]
fn a_refund_that_the_provider_never_made() {
    let mut world = Builder::every_road().finish();
    let ledger = world.ledger.as_mut().unwrap();
    ledger.retain(|one| one.operation != Operation::Refund);
    let id = order_of(3);
    finds(
        &world,
        "I4",
        &id,
        "the log has a refund that the provider knows nothing of",
    );
    finds(
        &world,
        "I4",
        &id,
        "the provider has a charge that outlives order-",
    );
}

#[test]
fn a_charge_that_the_log_does_not_know() {
    let mut built = Builder::with_stock(0);
    let order = built.short_of_stock();
    built.carried_out(&order, Operation::Authorize);
    let world = built.finish();
    finds(
        &world,
        "I4",
        &order.id,
        "the provider did authorize, and the log does not know",
    );
    finds(
        &world,
        "I4",
        &order.id,
        "the provider has a charge that outlives order-",
    );
}

#[test]
fn a_charge_of_no_order() {
    let mut world = Builder::every_road().finish();
    let entry = &mut world.ledger.as_mut().unwrap()[0];
    entry.order = order_of(99);
    finds(&world, "I4", &order_of(99), "and there is no such order");
}

#[test]
fn an_order_that_was_delivered_and_not_paid() {
    let mut world = Builder::every_road().finish();
    let id = order_of(1);
    let captures = ["payment.capture-requested", "payment.captured"];
    world
        .facts
        .retain(|fact| fact.order() != Some(&*id) || !captures.contains(&fact.name()));
    let ledger = world.ledger.as_mut().unwrap();
    ledger.retain(|one| one.key != format!("{id}:capture"));
    let what = format!("the log took 0 and gave back 0; owed is {TOTAL}");
    finds(&world, "I4", &id, &what);
    // Without the provider's books as well.
    world.ledger = None;
    finds(&world, "I4", &id, &what);
}

#[test]
fn an_amount_that_is_not_the_orders() {
    let mut world = Builder::every_road().finish();
    let id = format!("payment-{}-4", order_of(1));
    say(&mut world, &id, "amount", json!(19));
    finds(
        &world,
        "I4",
        &id,
        "it is about 19, and the order about Some(1900)",
    );
    finds(
        &world,
        "I4",
        &order_of(1),
        "the provider did capture for 1900, the log says 19",
    );
}

#[test]
fn a_refused_capture_is_listed_and_no_damage() {
    let mut built = Builder::with_stock(1);
    let order = built.completed();
    let mut world = built.finish();
    let id = format!("payment-{}-4", order.id);
    world
        .ledger
        .as_mut()
        .unwrap()
        .retain(|one| one.operation != Operation::Capture);
    super::built::edit(&mut world, &id, |stored| {
        "payment.capture-failed".clone_into(&mut stored.name);
    });
    say(&mut world, &id, "type", json!("payment.capture-failed"));
    let report = oracle::audit(&world);
    let money = report.check("I4").unwrap();
    assert_eq!(money.findings, [], "{report}");
    assert!(money.notes[0].contains(&order.id), "{report}");
}

#[test]
fn what_an_operator_did_by_hand_is_in_no_books() {
    let mut built = Builder::with_stock(1);
    let order = built.called_off();
    let mut world = built.finish();
    world
        .ledger
        .as_mut()
        .unwrap()
        .retain(|one| one.operation != Operation::Void);
    finds(
        &world,
        "I4",
        &order.id,
        "the log has a void that the provider knows nothing of",
    );
    let voided = format!("payment-{}-4", order.id);
    say(&mut world, &voided, "settledByHand", json!("by phone"));
    let report = oracle::audit(&world);
    assert_eq!(report.check("I4").unwrap().findings, [], "{report}");
    finds_nothing(&Builder::with_stock(1).finish());
}
