//! I1, I10 and I12: what customers were told.

use oracle::journal::{Mark, What};

use super::built::{Builder, order_of};
use super::{finds, finds_nothing};

#[test]
fn an_order_that_was_answered_and_is_lost() {
    let mut world = Builder::every_road().finish();
    let id = order_of(1);
    world
        .facts
        .retain(|fact| fact.id() != format!("order-{id}-1"));
    finds(
        &world,
        "I1",
        "POST /api/orders",
        &format!("order-{id}-1, which is lost"),
    );
}

#[test]
fn an_order_that_was_placed_twice() {
    let mut built = Builder::with_stock(9);
    let order = built.completed();
    // Nobody was told of the other, which is of the same customer and the same key.
    let mut twice = built.world.facts[1].stored.clone();
    twice.of = order_of(7);
    twice.position = 77;
    built.world.facts.push(oracle::fact::Fact::read(twice));
    let world = built.finish();
    finds(
        &world,
        "I1",
        &order_of(7),
        "one order too many of POST /api/orders",
    );
    assert_ne!(order.id, order_of(7));
}

#[test]
fn an_unknown_order_that_became_two() {
    let mut built = Builder::with_stock(9);
    built.completed();
    built.completed();
    // Both were sent by one customer, and one of them never answered.
    let mut world = built.finish();
    finds_nothing(&world);
    let command = world.journal.commands.iter_mut();
    let mut placing = command.filter(|command| command.path == "/api/orders");
    placing.next().unwrap().reply = None;
    finds_nothing(&world);
    world.journal.commands.pop();
    finds(
        &world,
        "I2",
        &order_of(2),
        "nobody asked for this order.created",
    );
}

#[test]
fn a_receipt_that_counts_twice() {
    let mut built = Builder::with_stock(9);
    built.received(9);
    let mut world = built.finish();
    finds_nothing(&world);
    world.journal.commands.pop();
    finds(
        &world,
        "I1",
        "stock-sku-1-2",
        "one receipt too many of POST /api/stock/sku-1/receipts",
    );
}

#[test]
fn a_cancellation_that_was_taken_and_forgotten() {
    let mut world = Builder::every_road().finish();
    let id = order_of(1);
    let of_another = order_of(2);
    let mut commands = world.journal.commands.iter_mut();
    let cancel = commands.find(|one| one.path == format!("/api/orders/{of_another}/cancel"));
    cancel.unwrap().path = format!("/api/orders/{id}/cancel");
    finds(&world, "I1", &format!("{id}/cancel"), "of another stream");
    finds(&world, "I1", &format!("{id}/cancel"), "is nowhere");
}

#[test]
fn a_refusal_that_left_an_order_behind() {
    let mut world = Builder::every_road().finish();
    let mut commands = world.journal.commands.iter_mut();
    let placing = commands.find(|one| one.path == "/api/orders").unwrap();
    placing.reply.as_mut().unwrap().status = 422;
    finds(
        &world,
        "I2",
        &order_of(1),
        "nobody asked for this order.created",
    );
}

#[test]
fn a_key_with_two_answers() {
    let mut world = Builder::every_road().finish();
    let mut again = world.journal.commands[1].clone();
    again.asked_at += 5000;
    world.journal.commands.push(again.clone());
    finds_nothing(&world);
    let reply = world.journal.commands.last_mut().unwrap().reply.as_mut();
    reply.unwrap().body.push('\n');
    finds(&world, "I10", "POST /api/orders", "it was told 201");
}

#[test]
fn a_key_that_took_two_bodies() {
    let mut world = Builder::every_road().finish();
    let mut other = world.journal.commands[1].clone();
    other.body["currency"] = "USD".into();
    world.journal.commands.push(other);
    finds(
        &world,
        "I10",
        "POST /api/orders",
        "another body was taken under the same key",
    );
}

#[test]
fn an_answer_that_is_kept_otherwise_than_it_was_given() {
    let mut world = Builder::every_road().finish();
    world.replies[1].body = world.replies[1].body.replace("CREATED", "created");
    finds(&world, "I10", "POST /api/orders", "is kept");
}

#[test]
fn a_version_that_goes_back() {
    let mut world = Builder::every_road().finish();
    let id = order_of(3);
    let mut reads = world.journal.reads.iter().rev();
    let mut again = reads.find(|read| read.order == id).unwrap().clone();
    again.asked_at += 1000;
    again.answered_at += 1000;
    again.versions.insert("payment".to_owned(), 1);
    world.journal.reads.push(again.clone());
    finds(
        &world,
        "I12",
        &id,
        "saw payment at 6, and a reader at 1 after that",
    );
    // Its store was killed meanwhile.
    world.journal.marks.push(Mark {
        at: again.asked_at - 1,
        what: What::ViewBreak,
        note: String::new(),
    });
    finds_nothing(&world);
}

#[test]
fn a_version_that_no_log_has() {
    let mut world = Builder::every_road().finish();
    let read = world.journal.reads.last_mut().unwrap();
    read.versions.insert("delivery".to_owned(), 9);
    let id = read.order.clone();
    finds(&world, "I12", &id, &format!("there is no delivery-{id}-9"));
}

#[test]
fn a_cancellation_that_was_refused_though_it_was_not_too_late() {
    let mut world = Builder::every_road().finish();
    let id = order_of(2);
    let mut commands = world.journal.commands.iter_mut();
    let cancel = commands.find(|one| one.path.ends_with("/cancel")).unwrap();
    cancel.reply.as_mut().unwrap().status = 409;
    finds(&world, "I1", &id, "it was refused, and was not too late");
    let mut commands = world.journal.commands.iter_mut();
    let cancel = commands.find(|one| one.path.ends_with("/cancel")).unwrap();
    cancel.reply.as_mut().unwrap().status = 404;
    finds(
        &world,
        "I1",
        &id,
        "it was told that there is no such order, and there is",
    );
}

#[test]
fn an_answer_that_is_kept_without_its_facts_and_facts_without_their_answer() {
    let mut world = Builder::every_road().finish();
    let kept = world.replies.remove(1);
    finds(
        &world,
        "I10",
        "POST /api/orders",
        "nothing is kept under its key",
    );
    world.replies.push(oracle::evidence::StoredReply {
        token: Some("order-nowhere-1".to_owned()),
        ..kept
    });
    finds(
        &world,
        "I10",
        "POST /api/orders under key-2",
        "its fact order-nowhere-1 is nowhere",
    );
}
