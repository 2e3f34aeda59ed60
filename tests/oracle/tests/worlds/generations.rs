//! I11: tables that were built anew.

use serde_json::json;

use super::built::{Builder, order_of};
use super::{finds, finds_nothing};

#[test]
fn a_rebuilt_table_with_another_cell() {
    let mut world = Builder::every_road().finish();
    let mut tables = world.tables.iter_mut();
    let rebuilt = tables.find(|table| table.name == "order_view_g3").unwrap();
    rebuilt.rows[0].cells.get_mut("currency").unwrap().value = json!("USD");
    finds(
        &world,
        "I11",
        &format!("order_view_g3 [\"{}\"]", order_of(1)),
        "currency is \"USD\", and \"EUR\" in order_view",
    );
}

#[test]
fn a_rebuilt_table_with_other_rows() {
    let mut world = Builder::every_road().finish();
    let mut tables = world.tables.iter_mut();
    let rebuilt = tables
        .find(|table| table.name == "orders_by_customer_g2")
        .unwrap();
    rebuilt.rows[0].key[0] = json!("somebody");
    finds(
        &world,
        "I11",
        "orders_by_customer_g2",
        "the row is missing, and orders_by_customer has it",
    );
    finds(
        &world,
        "I11",
        "somebody",
        "orders_by_customer does not have the row",
    );
}

#[test]
fn a_rebuilt_table_with_another_stamp() {
    let mut world = Builder::every_road().finish();
    let mut tables = world.tables.iter_mut();
    let rebuilt = tables.find(|table| table.name == "order_view_g2").unwrap();
    let cell = rebuilt.rows[0].cells.get_mut("order_status").unwrap();
    cell.stamp = Some(2 * 1024 + 3);
    finds_nothing(&world);
    let mut tables = world.tables.iter_mut();
    let rebuilt = tables.find(|table| table.name == "order_view_g2").unwrap();
    let cell = rebuilt.rows[0].cells.get_mut("order_status").unwrap();
    cell.stamp = Some(7 * 1024);
    finds(
        &world,
        "I11",
        "order_view_g2",
        "order_status has the stamp 7168",
    );
}
