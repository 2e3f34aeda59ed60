//! Values that can only be built valid.
//!
//! Each parses at the edge and is trusted ever after; deserializing goes through the same check,
//! so that a fact read back is as valid as the day it was written.

mod ids;
mod money;
mod quantity;
mod text;
mod timestamp;

pub use ids::{DeliveryId, OrderId, PaymentId, Sku};
pub use money::{Amount, Currency, MAX_AMOUNT, UnitPrice};
pub use quantity::{Item, Items, Line, MAX_LINES, MAX_QUANTITY, Quantity};
pub use text::{CustomerId, DriverName, Reason};
pub use timestamp::Timestamp;

/// What is wrong with a value: a sentence for people and, within a composite value, where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// The path inside the value, as in `[1].sku`; empty where the value itself is meant.
    pub field: String,
    /// What was expected.
    pub message: String,
}

impl Invalid {
    /// The value itself is wrong.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            field: String::new(),
            message: message.into(),
        }
    }

    /// The same, one level up: `within("items")` turns `[1].sku` into `items[1].sku`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        let joint = if self.field.is_empty() || self.field.starts_with('[') {
            ""
        } else {
            "."
        };
        self.field = format!("{outer}{joint}{}", self.field);
        self
    }
}

#[cfg(test)]
mod tests;
