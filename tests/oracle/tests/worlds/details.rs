//! What is left to be found: one damage and one finding a line.

use oracle::World;
use oracle::fact::Service;
use oracle::journal::{Command, Reply};
use serde_json::{Value, json};

use super::built::{Builder, about, edit, order_of, say};
use super::finds;

#[track_caller]
fn finds_after(damage: impl FnOnce(&mut World), check: &str, subject: &str, what: &str) {
    let mut world = Builder::every_road().finish();
    damage(&mut world);
    finds(&world, check, subject, what);
}

/// The reply to the command of that number.
fn reply(world: &mut World, number: usize) -> &mut Reply {
    world.journal.commands[number].reply.as_mut().unwrap()
}

/// Says something else in the reply to the command of that number.
fn tell(world: &mut World, number: usize, key: &str, value: Value) {
    let reply = reply(world, number);
    let mut body: Value = serde_json::from_str(&reply.body).unwrap();
    body[key] = value;
    reply.body = body.to_string();
}

#[test]
fn answers_that_say_something_else_than_the_log() {
    let (receipt, placing) = ("/receipts", "POST /api/orders of");
    finds_after(
        |world| reply(world, 1).token = None,
        "I1",
        placing,
        "without a token",
    );
    let total = |world: &mut World| tell(world, 1, "totalAmount", json!(1));
    finds_after(total, "I1", placing, "says something else");
    let sent = |world: &mut World| world.journal.commands[1].body["customerId"] = json!("else");
    finds_after(
        sent,
        "I1",
        placing,
        "which says something else than was sent",
    );
    let wrong = |world: &mut World| {
        let placed = format!("order-{}-1", order_of(1));
        say(world, &placed, "totalAmount", json!(7));
        tell(world, 1, "totalAmount", json!(7));
    };
    finds_after(wrong, "I1", placing, "is for 7, and its lines make 1900");
    let version = |world: &mut World| tell(world, 0, "version", json!(2));
    finds_after(version, "I1", receipt, "says something else");
    let held = |world: &mut World| reply(world, 0).token = Some("stock-sku-1-2".to_owned());
    finds_after(held, "I1", receipt, "which is no receipt");
    let cancelled = format!("order-{}-2", order_of(2));
    let not_placed = |world: &mut World| reply(world, 1).token = Some(cancelled);
    finds_after(not_placed, "I1", placing, "which places no order");
}

#[test]
fn one_fact_for_two_commands_and_one_command_for_two_facts() {
    let again = |world: &mut World, number: usize| {
        let mut command: Command = world.journal.commands[number].clone();
        command.key = Some("another".to_owned());
        world.journal.commands.push(command);
    };
    finds_after(
        |world| again(world, 0),
        "I1",
        "stock-sku-1-1",
        "was given it too",
    );
    finds_after(
        |world| again(world, 1),
        "I1",
        &order_of(1),
        "was given it too",
    );
    let second = format!("order-{}-1", order_of(2));
    let same = |world: &mut World| {
        about(
            world,
            &second,
            "causationId",
            "01990000-0000-7000-8000-000000000002",
        );
    };
    finds_after(same, "I1", &second, "the command behind order-");
}

#[test]
fn a_step_of_a_delivery_that_was_taken_and_is_not_there() {
    let id = order_of(1);
    let step = |world: &mut World| {
        let mut command = world.journal.commands[1].clone();
        command.path = format!("/api/deliveries/{id}/fail");
        command.reply.as_mut().unwrap().token = Some(format!("delivery-{id}-5"));
        world.journal.commands.push(command);
    };
    finds_after(step, "I1", "/fail", "there is no delivery.failed by then");
}

#[test]
fn facts_that_are_twice_in_a_log_or_before_their_causes() {
    let id = format!("payment-{}-2", order_of(1));
    let twice = |world: &mut World| {
        let facts = world.facts.iter();
        let fact = facts.clone().find(|fact| fact.id() == id).unwrap().clone();
        world.facts.push(fact);
    };
    finds_after(twice, "I2", &id, "the log has two facts of this id");
    let early = |world: &mut World| about(world, &id, "time", "2026-01-01T00:00:00.000000Z");
    finds_after(early, "I2", &id, "is not later than its cause");
    finds_after(early, "I2", &id, "it is not later than payment-");
    let bare = |world: &mut World| edit(world, &id, |stored| stored.metadata = "{}".to_owned());
    finds_after(bare, "I2", &id, "says nothing of its cause");
    let inverted = |world: &mut World| edit(world, &id, |stored| stored.position = 0);
    finds_after(inverted, "I2", &id, "it stands in the log before");
    let renamed = |world: &mut World| {
        edit(world, &id, |stored| {
            "payment.captured".clone_into(&mut stored.name)
        })
    };
    finds_after(
        renamed,
        "I2",
        &id,
        "it is called payment.captured and names itself payment.authorized",
    );
}

#[test]
fn facts_of_an_order_that_nobody_placed() {
    let id = order_of(1);
    let created = format!("order-{id}-1");
    let lost = |world: &mut World| world.facts.retain(|fact| fact.id() != created);
    finds_after(lost, "I2", &id, "nobody placed it, and there are order-");
}

#[test]
fn records_at_the_wrong_place() {
    let id = format!("order-{}-1", order_of(1));
    let key = |world: &mut World| world.topics.as_mut().unwrap()[1].key = Some("else".to_owned());
    finds_after(key, "I3", &id, "its key is Some(\"else\")");
    let topic = |world: &mut World| world.topics.as_mut().unwrap()[1].service = Service::Payment;
    finds_after(topic, "I3", &id, "it is on the topic of another service");
    let partition = |world: &mut World| world.topics.as_mut().unwrap()[1].partition = 3;
    finds_after(
        partition,
        "I3",
        &order_of(1),
        "is in another partition than others of its key",
    );
    let header = |world: &mut World| {
        let headers = &mut world.topics.as_mut().unwrap()[1].headers;
        headers.insert("ce_secret".to_owned(), "7".to_owned());
    };
    finds_after(
        header,
        "I3",
        &id,
        "its ce_secret is nothing that its log has",
    );
}

#[test]
fn more_is_given_back_than_was_taken() {
    let id = order_of(3);
    let generous = |world: &mut World| {
        let ledger = world.ledger.as_mut().unwrap();
        ledger
            .iter_mut()
            .filter(|one| one.key.ends_with(":refund"))
            .for_each(|one| one.amount += 1);
    };
    finds_after(generous, "I4", &id, "the provider gave back 1901 of 1900");
    let unheld = |world: &mut World| {
        world
            .ledger
            .as_mut()
            .unwrap()
            .retain(|one| one.key != format!("{}:authorize", order_of(3)));
    };
    finds_after(unheld, "I4", &id, "the provider took what was never held");
}

#[test]
fn ends_that_are_none() {
    let id = order_of(1);
    let without = |name: &'static str| {
        let id = order_of(1);
        move |world: &mut World| {
            world
                .facts
                .retain(|fact| fact.order() != Some(&*id) || fact.name() != name);
        }
    };
    for name in [
        "delivery.delivered",
        "inventory.shipped",
        "payment.capture-requested",
    ] {
        finds_after(
            without(name),
            "I6",
            &id,
            &format!("it was completed without {name}"),
        );
    }
    let mut built = Builder::with_stock(1);
    let order = built.completed();
    let cause = format!("reservation-{}-2", order.id);
    built.of_order(
        &order,
        json!({"type": "order.cancelled", "reason": "deadline"}),
        &cause,
    );
    let world = built.finish();
    finds(&world, "I6", &order.id, "it was cancelled and completed");
    finds(
        &world,
        "I6",
        &format!("order-{}-3", order.id),
        "order.cancelled follows",
    );
    let unknown = |world: &mut World| {
        let over = [
            "payment.authorized",
            "payment.void-requested",
            "payment.voided",
        ];
        world
            .facts
            .retain(|fact| fact.order() != Some(&*order_of(2)) || !over.contains(&fact.name()));
    };
    finds_after(
        unknown,
        "I6",
        &order_of(2),
        "nobody knows what came of its payment",
    );
}

#[test]
fn groups_and_views_that_nobody_knows() {
    let group = |world: &mut World| "somebody".clone_into(&mut world.offsets[0].group);
    finds_after(group, "I8", "somebody", "nobody knows this group");
    let view = |world: &mut World| "prices".clone_into(&mut world.tables[0].view);
    finds_after(view, "I7", "prices", "there is no such view");
}
