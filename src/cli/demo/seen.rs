//! What the APIs show of an order and of the stock, as far as the demo looks.

use domain::values::Timestamp;
use serde::{Deserialize, Serialize};

/// An order as the query API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Where it stands as a whole.
    pub status: String,
    /// Why it was cancelled.
    pub cancel_reason: Option<String>,
    /// What the stock did.
    pub inventory: Part,
    /// What the money did.
    pub payment: Part,
    /// What the delivery did.
    pub delivery: Delivery,
}

/// A part of an order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Part {
    /// Its last step.
    pub status: Option<String>,
}

/// The delivery of an order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Its last step.
    pub status: Option<String>,
    /// Who brings the goods.
    pub driver_name: Option<String>,
    /// When.
    pub estimated_delivery_time: Option<Timestamp>,
}

/// The stock of a SKU as the command API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stock {
    /// Units in the house.
    pub on_hand: u64,
    /// Units of these that orders hold.
    pub held: u64,
}

impl Seen {
    /// True where the order's own stream has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "COMPLETED" | "CANCELLED")
    }

    /// True where the goods have left, so that a cancellation is refused.
    pub fn has_left(&self) -> bool {
        let delivery = self.delivery.status.as_deref();
        matches!(delivery, Some("DISPATCHED" | "DELIVERED"))
    }
}

#[cfg(test)]
pub mod testing {
    //! Orders as they might be seen.

    use super::{Delivery, Part, Seen};

    pub const COMPLETED: &str = "COMPLETED";
    pub const CANCELLED: &str = "CANCELLED";

    /// An order that stands like this; `""` is a part that is not there.
    pub fn seen(
        status: &str,
        cancel_reason: Option<&str>,
        inventory: &str,
        payment: &str,
        delivery: &str,
    ) -> Seen {
        let part = |status: &str| (!status.is_empty()).then(|| status.to_owned());
        Seen {
            status: status.to_owned(),
            cancel_reason: cancel_reason.map(str::to_owned),
            inventory: Part {
                status: part(inventory),
            },
            payment: Part {
                status: part(payment),
            },
            delivery: Delivery {
                status: part(delivery),
                driver_name: (!delivery.is_empty()).then(|| "Driver Hazel".to_owned()),
                estimated_delivery_time: None,
            },
        }
    }
}
