//! The order view: everything about an order in one row.

mod row;

pub use row::{DeliverySide, InventorySide, OrderRow, PaymentSide, versions};

use crate::inventory::reservation;
use crate::values::{DeliveryId, OrderId, PaymentId};
use crate::{Category, Fact, Recorded, View, delivery, order, payment};

use super::cells::Writes;
use super::step::status_of;
use super::{Cells, Column, Direction, Kind, Patch, Schema, Value, Versions};

/// The order view. One row an order.
pub struct OrderView;

/// The numbers of the columns in [`SCHEMA`].
mod column {
    pub const CUSTOMER_ID: usize = 0;
    pub const CURRENCY: usize = 1;
    pub const TOTAL_AMOUNT: usize = 2;
    pub const ITEMS: usize = 3;
    pub const ORDER_STATUS: usize = 4;
    pub const CANCEL_REASON: usize = 5;
    pub const CREATED_AT: usize = 6;
    pub const ORDER_UPDATED_AT: usize = 7;
    pub const ORDER_VERSION: usize = 8;
    pub const INVENTORY_STATUS: usize = 9;
    pub const INVENTORY_REASON: usize = 10;
    pub const INVENTORY_UPDATED_AT: usize = 11;
    pub const RESERVATION_VERSION: usize = 12;
    pub const PAYMENT_ID: usize = 13;
    pub const PAYMENT_STATUS: usize = 14;
    pub const PAYMENT_REASON: usize = 15;
    pub const PAYMENT_UPDATED_AT: usize = 16;
    pub const PAYMENT_VERSION: usize = 17;
    pub const DELIVERY_ID: usize = 18;
    pub const DELIVERY_STATUS: usize = 19;
    pub const DRIVER_NAME: usize = 20;
    pub const ESTIMATED_DELIVERY_TIME: usize = 21;
    pub const DELIVERY_UPDATED_AT: usize = 22;
    pub const DELIVERY_VERSION: usize = 23;
}

/// The table.
pub static SCHEMA: Schema = Schema {
    name: "order_view",
    revision: 1,
    key: &[("order_id", Kind::Uuid)],
    direction: Direction::Ascending,
    columns: &[
        Column::of("customer_id", Kind::Text, Category::Order),
        Column::of("currency", Kind::Text, Category::Order),
        Column::of("total_amount", Kind::Int, Category::Order),
        Column::of("items", Kind::Items, Category::Order),
        Column::of("order_status", Kind::Text, Category::Order),
        Column::of("cancel_reason", Kind::Text, Category::Order),
        Column::of("created_at", Kind::Time, Category::Order),
        Column::of("order_updated_at", Kind::Time, Category::Order),
        Column::of("order_version", Kind::Int, Category::Order),
        Column::of("inventory_status", Kind::Text, Category::Reservation),
        Column::of("inventory_reason", Kind::Text, Category::Reservation),
        Column::of("inventory_updated_at", Kind::Time, Category::Reservation),
        Column::of("reservation_version", Kind::Int, Category::Reservation),
        Column::of("payment_id", Kind::Uuid, Category::Payment),
        Column::of("payment_status", Kind::Text, Category::Payment),
        Column::of("payment_reason", Kind::Text, Category::Payment),
        Column::of("payment_updated_at", Kind::Time, Category::Payment),
        Column::of("payment_version", Kind::Int, Category::Payment),
        Column::of("delivery_id", Kind::Uuid, Category::Delivery),
        Column::of("delivery_status", Kind::Text, Category::Delivery),
        Column::of("driver_name", Kind::Text, Category::Delivery),
        Column::of("estimated_delivery_time", Kind::Time, Category::Delivery),
        Column::of("delivery_updated_at", Kind::Time, Category::Delivery),
        Column::of("delivery_version", Kind::Int, Category::Delivery),
    ],
};

impl View for OrderView {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn project(&self, recorded: &Recorded) -> Option<Patch> {
        let order = recorded.order_id()?;
        let mut cells = Writes::default();
        match &recorded.fact {
            Fact::Order(event) => cells.of_order(event, recorded),
            Fact::Reservation(event) => cells.of_reservation(event),
            Fact::Payment(event) => cells.of_payment(event, order),
            Fact::Delivery(event) => cells.of_delivery(event),
            Fact::Stock(_) => return None,
        }
        cells.of_every_fact(recorded);
        Some(Patch {
            key: vec![Value::Uuid(order.0)],
            sequence: recorded.id.sequence,
            cells: cells.0,
        })
    }

    fn versions(&self, cells: &Cells) -> Option<Versions> {
        Some(versions(cells))
    }
}

impl Writes {
    fn of_order(&mut self, event: &order::Event, recorded: &Recorded) {
        match event {
            order::Event::Created {
                customer_id,
                currency,
                items,
                total_amount,
                ..
            } => {
                self.text(column::CUSTOMER_ID, customer_id.as_str());
                self.text(column::CURRENCY, currency.as_str());
                self.number(column::TOTAL_AMOUNT, total_amount.minor_units());
                self.set(column::ITEMS, Value::Items(items.as_slice().to_vec()));
                self.set(column::CREATED_AT, Value::Time(recorded.time));
            }
            order::Event::Cancelled { reason } => self.text(column::CANCEL_REASON, reason.as_str()),
            order::Event::CancellationRequested { .. }
            | order::Event::CancellationRefused {}
            | order::Event::Completed {} => {}
        }
    }

    fn of_reservation(&mut self, event: &reservation::Event) {
        use reservation::Event;
        match event {
            Event::Rejected { reason, .. } | Event::Returned { reason, .. } => {
                self.text(column::INVENTORY_REASON, reason.as_str());
            }
            Event::Released { reason, lines } if !lines.is_empty() => {
                self.text(column::INVENTORY_REASON, reason.as_str());
            }
            Event::Released { .. } | Event::Reserved { .. } | Event::Shipped { .. } => {}
        }
    }

    fn of_payment(&mut self, event: &payment::Event, order: OrderId) {
        use payment::Event;
        if !event.is_tombstone() {
            self.set(column::PAYMENT_ID, Value::Uuid(PaymentId::of(order).0));
        }
        match event {
            Event::Failed { reason, .. }
            | Event::CaptureFailed { reason, .. }
            | Event::VoidRequested { reason, .. }
            | Event::RefundRequested { reason, .. }
            | Event::UndoRequested { reason } => self.text(column::PAYMENT_REASON, reason.as_str()),
            Event::Requested { .. }
            | Event::Authorized { .. }
            | Event::CaptureRequested { .. }
            | Event::Captured { .. }
            | Event::Voided { .. }
            | Event::Refunded { .. } => {}
        }
    }

    fn of_delivery(&mut self, event: &delivery::Event) {
        use delivery::Event;
        match event {
            Event::Requested {
                delivery_id: DeliveryId(id),
            } => self.set(column::DELIVERY_ID, Value::Uuid(*id)),
            Event::Assigned {
                driver_name,
                estimated_delivery_time,
                ..
            } => {
                self.text(column::DRIVER_NAME, driver_name.as_str());
                self.set(
                    column::ESTIMATED_DELIVERY_TIME,
                    Value::Time(*estimated_delivery_time),
                );
            }
            Event::EtaUpdated {
                estimated_delivery_time,
            } => self.set(
                column::ESTIMATED_DELIVERY_TIME,
                Value::Time(*estimated_delivery_time),
            ),
            Event::Dispatched { .. }
            | Event::Delivered { .. }
            | Event::Failed { .. }
            | Event::Cancelled { .. }
            | Event::CancellationRefused {} => {}
        }
    }

    /// Status, time and version of the fact's stream. Facts that are no step of their own, and
    /// tombstones, leave the status as it was.
    fn of_every_fact(&mut self, recorded: &Recorded) {
        let (status, updated_at, version) = match recorded.fact.category() {
            Category::Order => (
                column::ORDER_STATUS,
                column::ORDER_UPDATED_AT,
                column::ORDER_VERSION,
            ),
            Category::Reservation => (
                column::INVENTORY_STATUS,
                column::INVENTORY_UPDATED_AT,
                column::RESERVATION_VERSION,
            ),
            Category::Payment => (
                column::PAYMENT_STATUS,
                column::PAYMENT_UPDATED_AT,
                column::PAYMENT_VERSION,
            ),
            Category::Delivery => (
                column::DELIVERY_STATUS,
                column::DELIVERY_UPDATED_AT,
                column::DELIVERY_VERSION,
            ),
            Category::Stock => return,
        };
        if let Some(step) = status_of(&recorded.fact) {
            self.text(status, step);
        }
        self.set(updated_at, Value::Time(recorded.time));
        self.number(version, recorded.id.sequence);
    }
}

#[cfg(test)]
mod tests;
