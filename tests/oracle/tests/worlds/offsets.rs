//! I8: offsets.

use oracle::World;
use oracle::evidence::{Due, Offset};
use oracle::fact::Service;

use super::built::{Builder, order_of};
use super::{finds, finds_nothing};

fn of<'a>(world: &'a mut World, group: &str, service: Service) -> &'a mut Offset {
    let mut offsets = world.offsets.iter_mut();
    let offset = offsets.find(|offset| offset.group == group && offset.service == service);
    offset.unwrap()
}

#[test]
fn an_offset_that_moved_before_its_effect() {
    let mut built = Builder::with_stock(1);
    let order = built.placed();
    built.reserved(&order);
    let mut world = built.finish();
    finds(
        &world,
        "I8",
        &format!("reservation-{}-1", order.id),
        "payment has passed inventory.reserved and has no payment.requested",
    );
    of(&mut world, "payment", Service::Inventory).next = 1;
    let due = Due {
        order: order.id.clone(),
        task: "deadline".to_owned(),
    };
    world.due = Some(vec![due]);
    let report = oracle::audit(&world);
    assert_eq!(report.check("I8").unwrap().findings, [], "{report}");
}

#[test]
fn a_deadline_that_was_passed_and_never_set() {
    let mut built = Builder::with_stock(1);
    let order = built.placed();
    let world = built.finish();
    let created = format!("order-{}-1", order.id);
    finds(
        &world,
        "I8",
        &created,
        "delivery has passed order.created and has no task deadline",
    );
    finds(
        &world,
        "I8",
        &created,
        "inventory has passed order.created and has no inventory.reserved",
    );
}

#[test]
fn an_offset_of_a_view_that_moved_before_its_row() {
    let mut world = Builder::every_road().finish();
    let id = order_of(1);
    let row = &mut world.tables[0].rows[0];
    row.cells.get_mut("delivery_version").unwrap().value = 4.into();
    let delivered = format!("delivery-{id}-5");
    finds(
        &world,
        "I8",
        &delivered,
        "order_view-g1 has passed delivery.delivered",
    );
    let mut world = Builder::every_road().finish();
    let mut tables = world.tables.iter_mut();
    let timeline = tables.find(|table| table.name == "order_timeline").unwrap();
    timeline
        .rows
        .retain(|row| row.key[0] != *id || row.key[2] != "order" || row.key[3] != 1);
    finds(
        &world,
        "I8",
        &format!("order-{id}-1"),
        "order_timeline-g1 has passed order.created",
    );
}

#[test]
fn an_offset_that_passed_what_nobody_can_take() {
    let mut world = Builder::every_road().finish();
    let record = &mut world.topics.as_mut().unwrap()[1];
    record.value = Some("rubbish".to_owned());
    finds(
        &world,
        "I8",
        "order[0]@0",
        "inventory has passed it, and cannot have taken it",
    );
}

/// On a store whose log is its own topic, an offset is a position.
#[test]
fn a_position_that_moved_before_its_effect() {
    let mut built = Builder::with_stock(1);
    built.completed();
    let order = built.placed();
    let mut world = built.finish();
    world.topics = None;
    for offset in &mut world.offsets {
        offset.partition = None;
        offset.next += 1;
    }
    let created = format!("order-{}-1", order.id);
    finds(&world, "I8", &created, "inventory has passed order.created");
    let mut world = Builder::every_road().finish();
    world.topics = None;
    for offset in &mut world.offsets {
        offset.partition = None;
        offset.next += 1;
    }
    finds_nothing(&world);
}
