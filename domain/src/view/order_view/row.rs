//! The row as its readers see it.

use uuid::Uuid;

use crate::Category;
use crate::values::{Item, OrderId, Timestamp};
use crate::view::{Cells, Value};

use super::{Status, column};

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

/// The last sequence of each stream that a row has seen; 0 where none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Versions {
    /// Of the order stream.
    pub order: u64,
    /// Of the reservation stream.
    pub reservation: u64,
    /// Of the payment stream.
    pub payment: u64,
    /// Of the delivery stream.
    pub delivery: u64,
}

impl Versions {
    /// Reads what a row has seen, also of a row that does not exist for readers yet.
    pub fn read(cells: &Cells) -> Self {
        let row = Reader(cells);
        let version = |at| {
            let version = row.int(at).and_then(|n| u64::try_from(n).ok());
            version.unwrap_or(0)
        };
        Self {
            order: version(column::ORDER_VERSION),
            reservation: version(column::RESERVATION_VERSION),
            payment: version(column::PAYMENT_VERSION),
            delivery: version(column::DELIVERY_VERSION),
        }
    }

    /// The version of the stream of that kind; `None` for stock, which is part of no order.
    pub fn of(&self, category: Category) -> Option<u64> {
        match category {
            Category::Order => Some(self.order),
            Category::Reservation => Some(self.reservation),
            Category::Payment => Some(self.payment),
            Category::Delivery => Some(self.delivery),
            Category::Stock => None,
        }
    }
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
            versions: Versions::read(cells),
        })
    }

    /// Where the order stands as a whole.
    pub fn status(&self) -> Status {
        Status::derive(self)
    }
}

struct Reader<'a>(&'a Cells);

impl Reader<'_> {
    fn at(&self, column: usize) -> Option<&Value> {
        self.0.get(column)?.as_ref()
    }

    fn text(&self, column: usize) -> Option<String> {
        let Value::Text(text) = self.at(column)? else {
            return None;
        };
        Some(text.clone())
    }

    fn int(&self, column: usize) -> Option<i64> {
        let Value::Int(n) = self.at(column)? else {
            return None;
        };
        Some(*n)
    }

    fn time(&self, column: usize) -> Option<Timestamp> {
        let Value::Time(time) = self.at(column)? else {
            return None;
        };
        Some(*time)
    }

    fn uuid(&self, column: usize) -> Option<Uuid> {
        let Value::Uuid(id) = self.at(column)? else {
            return None;
        };
        Some(*id)
    }

    fn items(&self, column: usize) -> Option<Vec<Item>> {
        let Value::Items(items) = self.at(column)? else {
            return None;
        };
        Some(items.clone())
    }
}
