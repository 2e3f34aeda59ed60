//! The orders of a customer, newest first: what a list shows, and where each of them stands.

use crate::values::{OrderId, Timestamp};
use crate::{Category, Fact, Recorded, View, order};

use super::cells::{Reader, Writes};
use super::step::status_of;
use super::{Cells, Column, Direction, Kind, Patch, Schema, Status, Steps, Value, Versions};

/// The orders of a customer. One row an order, in the partition of who ordered.
///
/// Order ids are UUID v7, so that the largest is the newest. A fact that does not say whose order
/// it is about cannot be placed and is left out; none that waybill writes is such a one.
pub struct OrdersByCustomer;

/// The numbers of the columns in [`SCHEMA`].
mod column {
    pub const CURRENCY: usize = 0;
    pub const TOTAL_AMOUNT: usize = 1;
    pub const CREATED_AT: usize = 2;
    pub const ORDER_STATUS: usize = 3;
    pub const ORDER_VERSION: usize = 4;
    pub const INVENTORY_STATUS: usize = 5;
    pub const RESERVATION_VERSION: usize = 6;
    pub const PAYMENT_STATUS: usize = 7;
    pub const PAYMENT_VERSION: usize = 8;
    pub const DELIVERY_STATUS: usize = 9;
    pub const DELIVERY_VERSION: usize = 10;
}

/// The table.
pub static SCHEMA: Schema = Schema {
    name: "orders_by_customer",
    revision: 1,
    key: &[("customer_id", Kind::Text), ("order_id", Kind::Uuid)],
    direction: Direction::Descending,
    columns: &[
        Column::of("currency", Kind::Text, Category::Order),
        Column::of("total_amount", Kind::Int, Category::Order),
        Column::of("created_at", Kind::Time, Category::Order),
        Column::of("order_status", Kind::Text, Category::Order),
        Column::of("order_version", Kind::Int, Category::Order),
        Column::of("inventory_status", Kind::Text, Category::Reservation),
        Column::of("reservation_version", Kind::Int, Category::Reservation),
        Column::of("payment_status", Kind::Text, Category::Payment),
        Column::of("payment_version", Kind::Int, Category::Payment),
        Column::of("delivery_status", Kind::Text, Category::Delivery),
        Column::of("delivery_version", Kind::Int, Category::Delivery),
    ],
};

impl View for OrdersByCustomer {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn project(&self, recorded: &Recorded) -> Option<Patch> {
        let order = recorded.order_id()?;
        let customer = recorded.order.as_ref()?.customer_id.as_str();
        let (status, version) = match recorded.fact.category() {
            Category::Order => (column::ORDER_STATUS, column::ORDER_VERSION),
            Category::Reservation => (column::INVENTORY_STATUS, column::RESERVATION_VERSION),
            Category::Payment => (column::PAYMENT_STATUS, column::PAYMENT_VERSION),
            Category::Delivery => (column::DELIVERY_STATUS, column::DELIVERY_VERSION),
            Category::Stock => return None,
        };
        let mut cells = Writes::default();
        if let Fact::Order(order::Event::Created {
            currency,
            total_amount,
            ..
        }) = &recorded.fact
        {
            cells.text(column::CURRENCY, currency.as_str());
            cells.number(column::TOTAL_AMOUNT, total_amount.minor_units());
            cells.set(column::CREATED_AT, Value::Time(recorded.time));
        }
        if let Some(step) = status_of(&recorded.fact) {
            cells.text(status, step);
        }
        cells.number(version, recorded.id.sequence);
        Some(Patch {
            key: vec![Value::Text(customer.to_owned()), Value::Uuid(order.0)],
            sequence: recorded.id.sequence,
            cells: cells.0,
        })
    }

    fn versions(&self, cells: &Cells) -> Option<Versions> {
        Some(versions(cells))
    }
}

/// A row as its readers see it.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerOrder {
    /// The order.
    pub order_id: OrderId,
    /// Where it stands as a whole.
    pub status: Status,
    /// For how much, in minor units.
    pub total_amount: i64,
    /// In which money.
    pub currency: String,
    /// When it was placed.
    pub created_at: Timestamp,
    /// How much of each stream the row has seen.
    pub versions: Versions,
}

impl CustomerOrder {
    /// Reads a row; `None` while the order's own first fact is missing, for until then the row
    /// does not exist for readers.
    pub fn read(order_id: OrderId, cells: &Cells) -> Option<Self> {
        let row = Reader(cells);
        let step = |column| row.text(column).unwrap_or_default();
        let (inventory, payment, delivery) = (
            step(column::INVENTORY_STATUS),
            step(column::PAYMENT_STATUS),
            step(column::DELIVERY_STATUS),
        );
        Some(Self {
            order_id,
            status: Status::derive(Steps {
                order: &row.text(column::ORDER_STATUS)?,
                inventory: &inventory,
                payment: &payment,
                delivery: &delivery,
            }),
            total_amount: row.int(column::TOTAL_AMOUNT)?,
            currency: row.text(column::CURRENCY)?,
            created_at: row.time(column::CREATED_AT)?,
            versions: versions(cells),
        })
    }
}

/// What a row has seen, also one that does not exist for readers yet.
pub fn versions(cells: &Cells) -> Versions {
    let row = Reader(cells);
    let version = |column| row.number(column).unwrap_or_default();
    Versions {
        order: version(column::ORDER_VERSION),
        reservation: version(column::RESERVATION_VERSION),
        payment: version(column::PAYMENT_VERSION),
        delivery: version(column::DELIVERY_VERSION),
    }
}

#[cfg(test)]
mod tests;
