//! I5: stock.

use serde_json::json;

use super::built::{Builder, SKU, order_of, say};
use super::finds;

#[test]
fn more_is_promised_than_there_is() {
    let mut built = Builder::with_stock(1);
    built.completed();
    let order = built.placed();
    built.reserved(&order);
    let world = built.finish();
    finds(
        &world,
        "I5",
        SKU,
        "1 held of 0 on hand after stock-sku-1-4 (stock.held)",
    );
}

#[test]
fn a_counter_that_is_no_fold() {
    let mut world = Builder::every_road().finish();
    say(&mut world, "stock-sku-1-3", "onHand", json!(3));
    finds(
        &world,
        "I5",
        SKU,
        "stock-sku-1-3 (stock.shipped) says 0 held of 3 on hand, and the facts make 0 of 2",
    );
}

#[test]
fn a_hold_without_a_reservation() {
    let mut world = Builder::every_road().finish();
    let id = order_of(1);
    world
        .facts
        .retain(|fact| fact.id() != format!("reservation-{id}-1"));
    finds(
        &world,
        "I5",
        &id,
        "stock.held of sku-1: 1, and its reservation knows nothing of it",
    );
}

#[test]
fn a_reservation_that_held_nothing() {
    let mut world = Builder::every_road().finish();
    world.facts.retain(|fact| fact.id() != "stock-sku-1-2");
    finds(
        &world,
        "I5",
        &order_of(1),
        "stock.held of sku-1: 0, and its reservation says 1",
    );
    finds(&world, "I5", SKU, "held");
}

#[test]
fn a_reservation_of_half_an_order() {
    let mut world = Builder::every_road().finish();
    let id = order_of(1);
    let items = json!([
        {"sku": SKU, "quantity": 1, "unitPrice": 1900},
        {"sku": "sku-2", "quantity": 1, "unitPrice": 0},
    ]);
    say(&mut world, &format!("order-{id}-1"), "items", items);
    finds(&world, "I5", &id, "it was ordered");
}
