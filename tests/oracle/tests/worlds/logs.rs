//! I2, I3 and I6: what is in the logs and on the topics, and how orders end.

use oracle::journal::{Mark, What};
use serde_json::json;

use super::built::{Builder, about, order_of, say};
use super::{finds, finds_nothing};

#[test]
fn a_fact_whose_cause_is_nowhere() {
    let mut world = Builder::every_road().finish();
    let id = format!("payment-{}-1", order_of(1));
    about(&mut world, &id, "causationId", "reservation-nowhere-1");
    finds(
        &world,
        "I2",
        &id,
        "follows from reservation-nowhere-1, which is nowhere",
    );
}

#[test]
fn a_fact_that_does_not_follow_from_its_cause() {
    let mut world = Builder::every_road().finish();
    let (id, cause) = (order_of(1), format!("order-{}-1", order_of(1)));
    let requested = format!("delivery-{id}-1");
    about(&mut world, &requested, "causationId", &cause);
    finds(
        &world,
        "I2",
        &requested,
        "delivery.requested does not follow from order-",
    );
}

#[test]
fn a_fact_that_nobody_may_command() {
    let mut world = Builder::every_road().finish();
    let id = format!("payment-{}-4", order_of(1));
    about(
        &mut world,
        &id,
        "causationId",
        "01990000-0000-7000-8000-000000000077",
    );
    finds(
        &world,
        "I2",
        &id,
        "payment.captured is nothing that a person may command",
    );
}

#[test]
fn a_fact_of_another_orders_doing() {
    let mut world = Builder::every_road().finish();
    let id = format!("order-{}-2", order_of(1));
    let cause = format!("delivery-{}-5", order_of(4));
    about(&mut world, &id, "causationId", &cause);
    finds(&world, "I2", &id, "of another order");
}

#[test]
fn a_step_that_was_taken_twice() {
    let mut built = Builder::with_stock(3);
    let order = built.completed();
    let cause = format!("delivery-{}-4", order.id);
    let shipped = json!({"type": "inventory.shipped", "lines": [{"sku": "sku-1", "quantity": 1}]});
    built.of_reservation(&order, shipped, &cause);
    let world = built.finish();
    let id = format!("reservation-{}-3", order.id);
    finds(&world, "I2", &id, "inventory.shipped was there before");
}

#[test]
fn a_hole_in_a_stream() {
    let mut world = Builder::every_road().finish();
    let id = format!("delivery-{}-3", order_of(1));
    world.facts.retain(|fact| fact.id() != id);
    let after = format!("delivery-{}-4", order_of(1));
    finds(&world, "I2", &after, "the fact 3 of its stream is missing");
}

#[test]
fn a_fact_that_cannot_be_read() {
    let mut world = Builder::every_road().finish();
    let id = format!("payment-{}-2", order_of(1));
    say(&mut world, &id, "amount", json!("much"));
    finds(&world, "I2", &id, "payment.authorized cannot be read");
}

#[test]
fn a_fact_that_was_never_published() {
    let mut world = Builder::every_road().finish();
    let records = world.topics.as_mut().unwrap();
    let id = format!("delivery-{}-2", order_of(2));
    records.retain(|record| record.fact_id() != Some(&*id));
    finds(&world, "I3", &id, "was never published");
}

#[test]
fn a_record_that_no_log_has() {
    let mut world = Builder::every_road().finish();
    let id = format!("order-{}-3", order_of(2));
    world.facts.retain(|fact| fact.id() != id);
    finds(&world, "I3", "order[0]@", "it is no fact of the log");
}

#[test]
fn records_that_are_out_of_order() {
    let mut world = Builder::every_road().finish();
    let records = world.topics.as_mut().unwrap();
    let at = |number: u32| format!("delivery-{}-{number}", order_of(1));
    let find = |id: &str| {
        let mut records = records.iter();
        records
            .position(|record| record.fact_id() == Some(id))
            .unwrap()
    };
    let (first, second) = (find(&at(1)), find(&at(2)));
    let (before, after) = (records[first].offset, records[second].offset);
    (records[first].offset, records[second].offset) = (after, before);
    finds(&world, "I3", &at(1), "behind the fact 2 of its stream");
}

#[test]
fn a_record_that_says_something_else() {
    let mut world = Builder::every_road().finish();
    let record = &mut world.topics.as_mut().unwrap()[1];
    record.value = record
        .value
        .as_ref()
        .map(|value| value.replace("EUR", "USD"));
    record.headers.remove("ce_causationid");
    record
        .headers
        .insert("ce_position".to_owned(), "77".to_owned());
    let id = format!("order-{}-1", order_of(1));
    finds(&world, "I3", &id, "the log {");
    finds(&world, "I3", &id, "its ce_causationid is None");
    finds(&world, "I3", &id, "its ce_position is Some(\"77\")");
}

#[test]
fn a_repeat_is_no_damage() {
    let mut world = Builder::every_road().finish();
    let records = world.topics.as_mut().unwrap();
    for mut again in records.clone() {
        again.offset += 1000;
        again.headers.insert("ce_replay".to_owned(), "1".to_owned());
        records.push(again);
    }
    finds_nothing(&world);
}

#[test]
fn an_order_that_does_not_end() {
    let mut world = Builder::every_road().finish();
    let id = order_of(1);
    world
        .facts
        .retain(|fact| fact.id() != format!("order-{id}-2"));
    finds(&world, "I6", &id, "it has not ended: order.created");
}

#[test]
fn an_order_that_ends_too_late_for_its_last_fault() {
    let mut built = Builder::with_stock(3);
    let order = built.completed();
    let mut world = built.finish();
    let end = format!("order-{}-2", order.id);
    about(&mut world, &end, "time", "2026-06-30T00:00:00.000000Z");
    finds(&world, "I6", &order.id, "s too late");
    world.journal.marks.push(Mark {
        at: oracle::fact::micros("2026-06-29T23:59:10.000000Z").unwrap(),
        what: What::Fault,
        note: String::new(),
    });
    let report = oracle::audit(&world);
    assert_eq!(report.check("I6").unwrap().findings, [], "{report}");
}

#[test]
fn a_cancelled_order_that_keeps_its_stock() {
    let mut world = Builder::every_road().finish();
    let id = order_of(2);
    world.facts.retain(|fact| fact.name() != "stock.freed");
    finds(&world, "I6", &id, "it was cancelled and keeps 1 of sku-1");
}

#[test]
fn a_cancelled_order_that_keeps_its_money_and_its_delivery() {
    let mut world = Builder::every_road().finish();
    let id = order_of(2);
    let over = ["payment.voided", "delivery.cancelled"];
    world
        .facts
        .retain(|fact| fact.order() != Some(&*id) || !over.contains(&fact.name()));
    finds(&world, "I6", &id, "keeps money");
    finds(&world, "I6", &id, "keeps its delivery");
}

#[test]
fn something_that_follows_the_end() {
    let mut built = Builder::with_stock(0);
    let order = built.short_of_stock();
    let cause = format!("payment-{}-1", order.id);
    let requested =
        json!({"type": "delivery.requested", "deliveryId": "8f868704-a621-5628-88d9-e4b17101b5d5"});
    built.of_delivery(&order, requested, &cause);
    let world = built.finish();
    let id = format!("delivery-{}-2", order.id);
    finds(&world, "I6", &id, "delivery.requested follows order-");
}
