//! The row as its readers see it.

use uuid::Uuid;

use crate::values::{Item, OrderId, Timestamp};
use crate::view::cells::Reader;
use crate::view::{Cells, Status, Steps, Versions};

use super::column;

/// A row of the view.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderRow {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    pub customer_id: String,
    /// In which money.
    pub currency: String,
    /// For how much, in minor units.
    pub total_amount: i64,
    /// What.
    pub items: Vec<Item>,
    /// The last step of the order stream.
    pub order_status: String,
    /// Why it was cancelled.
    pub cancel_reason: Option<String>,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When any of its streams last moved.
    pub updated_at: Timestamp,
    /// What the stock did.
    pub inventory: InventorySide,
    /// What the money did.
    pub payment: PaymentSide,
    /// What the delivery did.
    pub delivery: DeliverySide,
    /// How much of each stream the row has seen.
    pub versions: Versions,
}

/// What the stock did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InventorySide {
    /// The last step of the reservation.
    pub status: Option<String>,
    /// Why it is undone.
    pub reason: Option<String>,
}

/// What the money did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PaymentSide {
    /// The payment.
    pub payment_id: Option<Uuid>,
    /// The last step of the payment.
    pub status: Option<String>,
    /// Why it failed or is undone.
    pub reason: Option<String>,
}

/// What the delivery did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeliverySide {
    /// The delivery.
    pub delivery_id: Option<Uuid>,
    /// The last step of the delivery.
    pub status: Option<String>,
    /// Who brings the goods.
    pub driver_name: Option<String>,
    /// When.
    pub estimated_delivery_time: Option<Timestamp>,
}

impl OrderRow {
    /// Reads a row; `None` while the order's own first fact is missing, for until then the row
    /// does not exist for readers.
    pub fn read(order_id: OrderId, cells: &Cells) -> Option<Self> {
        let row = Reader(cells);
        let updated = [
            column::ORDER_UPDATED_AT,
            column::INVENTORY_UPDATED_AT,
            column::PAYMENT_UPDATED_AT,
            column::DELIVERY_UPDATED_AT,
        ];
        Some(Self {
            order_id,
            customer_id: row.text(column::CUSTOMER_ID)?,
            currency: row.text(column::CURRENCY)?,
            total_amount: row.int(column::TOTAL_AMOUNT)?,
            items: row.items(column::ITEMS)?,
            order_status: row.text(column::ORDER_STATUS)?,
            cancel_reason: row.text(column::CANCEL_REASON),
            created_at: row.time(column::CREATED_AT)?,
            updated_at: updated.iter().filter_map(|at| row.time(*at)).max()?,
            inventory: InventorySide {
                status: row.text(column::INVENTORY_STATUS),
                reason: row.text(column::INVENTORY_REASON),
            },
            payment: PaymentSide {
                payment_id: row.uuid(column::PAYMENT_ID),
                status: row.text(column::PAYMENT_STATUS),
                reason: row.text(column::PAYMENT_REASON),
            },
            delivery: DeliverySide {
                delivery_id: row.uuid(column::DELIVERY_ID),
                status: row.text(column::DELIVERY_STATUS),
                driver_name: row.text(column::DRIVER_NAME),
                estimated_delivery_time: row.time(column::ESTIMATED_DELIVERY_TIME),
            },
            versions: versions(cells),
        })
    }

    /// Where the order stands as a whole.
    pub fn status(&self) -> Status {
        Status::derive(Steps {
            order: &self.order_status,
            inventory: self.inventory.status.as_deref().unwrap_or_default(),
            payment: self.payment.status.as_deref().unwrap_or_default(),
            delivery: self.delivery.status.as_deref().unwrap_or_default(),
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
