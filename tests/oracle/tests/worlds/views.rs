//! I7: the views.

use oracle::World;
use oracle::evidence::Cell;
use oracle::fact::time_of;
use serde_json::{Value, json};

use super::built::{Builder, order_of};
use super::{finds, finds_nothing};

/// A cell of the live table.
fn cell<'a>(world: &'a mut World, table: &str, order: &str, column: &str) -> &'a mut Cell {
    let mut tables = world.tables.iter_mut();
    let table = tables.find(|one| one.name == table).unwrap();
    let mut rows = table.rows.iter_mut();
    let row = rows.find(|row| row.key.contains(&json!(order))).unwrap();
    row.cells.get_mut(column).unwrap()
}

/// Not by the fold that looks for damage: cell by cell, by hand.
#[test]
fn the_row_of_an_order_is_what_its_facts_say() {
    let mut built = Builder::with_stock(1);
    let order = built.called_off();
    let times: Vec<_> = built
        .world
        .facts
        .iter()
        .map(|fact| (fact.id(), fact.time))
        .collect();
    let time = |stream: &str, number: u32| {
        let id = format!("{stream}-{}-{number}", order.id);
        times.iter().find(|(of, _)| *of == id).unwrap().1
    };
    let mut world = built.finish();
    let eta = cell(
        &mut world,
        "order_view",
        &order.id,
        "estimated_delivery_time",
    )
    .value
    .as_i64();
    assert_eq!(time_of(eta.unwrap()), "2026-05-28T21:31:40.000000Z");
    let row = world.tables[0].rows[0].cells.clone();
    let items = json!([{"sku": "sku-1", "quantity": 1, "unitPrice": 1900}]);
    let by_hand: [(&str, Value, i64); 24] = [
        ("customer_id", json!("customer-1"), 1),
        ("currency", json!("EUR"), 1),
        ("total_amount", json!(1900), 1),
        ("items", items, 1),
        ("order_status", json!("CANCELLED"), 3),
        ("cancel_reason", json!("delivery-failed"), 3),
        ("created_at", json!(time("order", 1)), 1),
        ("order_updated_at", json!(time("order", 3)), 3),
        ("order_version", json!(3), 3),
        ("inventory_status", json!("RELEASED"), 2),
        ("inventory_reason", json!("delivery-failed"), 2),
        ("inventory_updated_at", json!(time("reservation", 2)), 2),
        ("reservation_version", json!(2), 2),
        (
            "payment_id",
            json!("7f868704-a621-5628-88d9-e4b17101b5d5"),
            4,
        ),
        ("payment_status", json!("VOIDED"), 4),
        ("payment_reason", json!("delivery-failed"), 3),
        ("payment_updated_at", json!(time("payment", 4)), 4),
        ("payment_version", json!(4), 4),
        (
            "delivery_id",
            json!("8f868704-a621-5628-88d9-e4b17101b5d5"),
            1,
        ),
        ("delivery_status", json!("CANCELLED"), 4),
        ("driver_name", json!("Driver Ash"), 2),
        ("estimated_delivery_time", json!(eta), 3),
        ("delivery_updated_at", json!(time("delivery", 4)), 4),
        ("delivery_version", json!(4), 4),
    ];
    assert_eq!(row.len(), by_hand.len());
    for (column, value, sequence) in by_hand {
        let stamp = Some(sequence * 1024);
        assert_eq!(row.get(column), Some(&Cell { value, stamp }), "{column}");
    }
    finds_nothing(&world);
}

#[test]
fn the_row_of_an_order_that_left_tombstones_shows_no_steps_that_were_never_taken() {
    let mut built = Builder::with_stock(0);
    built.short_of_stock();
    let world = built.finish();
    let row = &world.tables[0].rows[0].cells;
    for column in [
        "delivery_status",
        "payment_status",
        "payment_id",
        "delivery_id",
    ] {
        assert_eq!(row.get(column), None, "{column}");
    }
    assert_eq!(row["delivery_version"].value, json!(1));
    assert_eq!(row["inventory_status"].value, json!("REJECTED"));
    assert_eq!(row["cancel_reason"].value, json!("out-of-stock"));
}

#[test]
fn a_cell_that_says_something_else() {
    let mut world = Builder::every_road().finish();
    let id = order_of(2);
    cell(&mut world, "order_view", &id, "driver_name").value = json!("Driver Oak");
    finds(
        &world,
        "I7",
        &id,
        "driver_name is \"Driver Oak\", and should be \"Driver Ash\"",
    );
    let mut world = Builder::every_road().finish();
    cell(&mut world, "orders_by_customer", &id, "order_status").value = json!("COMPLETED");
    finds(
        &world,
        "I7",
        &id,
        "order_status is \"COMPLETED\", and should be \"CANCELLED\"",
    );
}

#[test]
fn a_cell_with_the_stamp_of_a_clock_or_of_another_fact() {
    let mut world = Builder::every_road().finish();
    let id = order_of(1);
    cell(&mut world, "order_view", &id, "currency").stamp = Some(1_780_000_000_000_000);
    finds(
        &world,
        "I7",
        &id,
        "currency has the stamp 1780000000000000, and the fact 1 wrote it",
    );
    let mut world = Builder::every_road().finish();
    // As a fold does that writes all cells with its last sequence.
    cell(&mut world, "order_view", &id, "driver_name").stamp = Some(5 * 1024);
    finds(
        &world,
        "I7",
        &id,
        "driver_name has the stamp 5120, and the fact 2 wrote it",
    );
    // A repair of the same cell is none of these.
    cell(&mut world, "order_view", &id, "driver_name").stamp = Some(2 * 1024 + 1);
    finds_nothing(&world);
}

#[test]
fn a_row_that_is_missing_and_one_that_no_fact_writes() {
    let mut world = Builder::every_road().finish();
    let mut tables = world.tables.iter_mut();
    let timeline = tables.find(|table| table.name == "order_timeline").unwrap();
    let mut stray = timeline.rows.pop().unwrap();
    finds(&world, "I7", "order_timeline", "the row is missing");
    let mut tables = world.tables.iter_mut();
    let timeline = tables.find(|table| table.name == "order_timeline").unwrap();
    stray.key[3] = json!(77);
    timeline.rows.push(stray);
    finds(&world, "I7", ",77]", "no fact writes this row");
}

#[test]
fn a_cell_that_is_missing_and_one_that_no_fact_writes() {
    let mut world = Builder::every_road().finish();
    let id = order_of(1);
    let reason = Cell {
        value: json!("deadline"),
        stamp: Some(2048),
    };
    let row = &mut world.tables[0].rows[0];
    row.cells.remove("driver_name");
    row.cells.insert("cancel_reason".to_owned(), reason);
    finds(&world, "I7", &id, "driver_name is missing");
    finds(
        &world,
        "I7",
        &id,
        "cancel_reason is \"deadline\", and no fact writes it",
    );
}
