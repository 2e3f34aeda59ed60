//! I9: dead letters.

use std::collections::BTreeMap;

use oracle::World;
use oracle::evidence::{DeadLetter, Origin, Parked, Poison, Record, WAITING};
use oracle::fact::Service;

use super::built::{Builder, edit, order_of};
use super::{finds, finds_nothing};

/// The groups that take facts of the delivery service.
const GROUPS: [&str; 6] = [
    "order",
    "inventory",
    "payment",
    "order_view-g1",
    "orders_by_customer-g1",
    "order_timeline-g1",
];
const OFFSET: i64 = 500;

/// A record of the delivery service was broken, set aside by everybody, and taken up again.
pub fn with_poison(mut world: World) -> World {
    let key = order_of(1);
    world.topics.as_mut().unwrap().push(Record {
        service: Service::Delivery,
        partition: 0,
        offset: OFFSET,
        key: Some(key.clone()),
        value: Some("{\"type\":\"delivery.req".to_owned()),
        headers: BTreeMap::from([("ce_id".to_owned(), format!("delivery-{key}-1"))]),
    });
    world.poison.push(Poison {
        service: Service::Delivery,
        partition: 0,
        offset: OFFSET,
        key: key.clone(),
        groups: None,
        instead_of: None,
    });
    for group in GROUPS {
        set_aside(&mut world, group, OFFSET, "undecodable", &key);
    }
    for offset in &mut world.offsets {
        if offset.service == Service::Delivery {
            offset.next = OFFSET + 1;
        }
    }
    world
}

fn set_aside(world: &mut World, group: &str, offset: i64, class: &str, key: &str) {
    let from = Origin {
        group: group.to_owned(),
        service: Service::Delivery,
        partition: 0,
        offset,
    };
    let fact = Some(format!("delivery-{key}-1"));
    world.parked.push(Parked {
        from: from.clone(),
        key: key.to_owned(),
        class: class.to_owned(),
        fact: fact.clone(),
        open: false,
    });
    world.dead_letters.get_or_insert_default().push(DeadLetter {
        from,
        key: Some(key.to_owned()),
        class: class.to_owned(),
        fact,
    });
}

fn poisoned() -> World {
    with_poison(Builder::every_road().finish())
}

#[test]
fn a_poison_fact_that_a_group_did_not_set_aside() {
    let mut world = poisoned();
    world.parked.retain(|row| row.from.group != "inventory");
    finds(
        &world,
        "I9",
        "inventory of delivery[0]@500",
        "it is poison, and was not set aside",
    );
}

#[test]
fn a_dead_letter_of_what_nobody_broke() {
    let mut world = poisoned();
    set_aside(&mut world, "payment", 7, "invariant", &order_of(2));
    finds(
        &world,
        "I9",
        "payment of delivery[0]@7",
        "was set aside as invariant, and nobody broke it",
    );
}

#[test]
fn a_dead_letter_that_is_there_twice() {
    let mut world = poisoned();
    let twice = world.parked[0].clone();
    world.parked.push(twice);
    finds(
        &world,
        "I9",
        "order of delivery[0]@500",
        "there are two rows of it",
    );
}

#[test]
fn a_dead_letter_of_another_order() {
    let mut world = poisoned();
    world.parked[2].key = order_of(3);
    finds(
        &world,
        "I9",
        "payment of delivery[0]@500",
        "it is set aside under",
    );
}

#[test]
fn a_fact_that_overtakes_one_that_is_set_aside() {
    let mut world = poisoned();
    world.parked[0].open = true;
    let records = world.topics.as_mut().unwrap();
    let mut behind = records
        .iter()
        .find(|one| one.key == Some(order_of(1)) && one.service == Service::Delivery)
        .unwrap()
        .clone();
    behind.offset = OFFSET + 1;
    records.push(behind);
    finds_nothing(&world);
    for offset in world
        .offsets
        .iter_mut()
        .filter(|offset| offset.group == "order")
    {
        offset.next = OFFSET + 2;
    }
    finds(
        &world,
        "I9",
        "order of delivery[0]@501",
        "was to wait behind order of delivery[0]@500",
    );
    set_aside(&mut world, "order", OFFSET + 1, WAITING, &order_of(1));
    world.parked.last_mut().unwrap().open = true;
    finds_nothing(&world);
}

#[test]
fn a_fact_that_waits_for_nothing() {
    let mut world = poisoned();
    set_aside(&mut world, "order", OFFSET + 1, WAITING, &order_of(2));
    set_aside(&mut world, "order", OFFSET - 1, WAITING, &order_of(1));
    world.parked.last_mut().unwrap().open = true;
    for offset in [OFFSET + 1, OFFSET - 1] {
        finds(
            &world,
            "I9",
            &format!("order of delivery[0]@{offset}"),
            "nothing of its key is ahead of it",
        );
    }
}

#[test]
fn a_fact_that_came_again_waits_behind_what_was_set_aside_since() {
    let mut world = poisoned();
    set_aside(&mut world, "order", OFFSET - 1, WAITING, &order_of(1));
    finds_nothing(&world);
}

#[test]
fn a_dead_letter_without_its_copy_and_a_copy_without_its_row() {
    let mut world = poisoned();
    let letters = world.dead_letters.as_mut().unwrap();
    letters[0].from.offset = 3;
    finds(
        &world,
        "I9",
        "order of delivery[0]@500",
        "the topic of dead letters has no copy",
    );
    finds(&world, "I9", "order of delivery[0]@3", "and no row does");
}

#[test]
fn a_record_that_was_broken_in_the_place_of_a_fact() {
    let mut world = poisoned();
    let id = format!("delivery-{}-1", order_of(1));
    let records = world.topics.as_mut().unwrap();
    records.retain(|record| record.fact_id() != Some(&*id) || record.offset == OFFSET);
    finds(&world, "I3", &id, "was never published");
    world.poison[0].instead_of = Some(id);
    finds_nothing(&world);
}

#[test]
fn facts_of_an_order_with_a_dead_letter_that_were_taken_out_of_order() {
    let mut built = Builder::with_stock(1);
    let order = built.failed_on_the_way();
    let mut world = with_poison(built.finish());
    finds_nothing(&world);
    let captured = format!("payment-{}-3", order.id);
    edit(&mut world, &captured, |stored| stored.position = 900);
    finds(
        &world,
        "I9",
        &captured,
        "(delivery.failed) was taken before delivery-",
    );
}
