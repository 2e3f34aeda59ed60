use serde::{Deserialize, Serialize};

use crate::fact::event_names;
use crate::values::{Amount, Currency, CustomerId, Items, Reason};

/// What happened to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Event {
    /// It was placed.
    #[serde(rename = "order.created")]
    Created {
        /// Who ordered.
        customer_id: CustomerId,
        /// In which money.
        currency: Currency,
        /// What.
        items: Items,
        /// The sum of the items.
        total_amount: Amount,
        /// How long it may take until its delivery is requested, in milliseconds; 0 is for ever.
        deadline_ms: u64,
    },
    /// The customer asked to cancel it.
    #[serde(rename = "order.cancellation-requested")]
    CancellationRequested {
        /// Why, in the customer's words.
        reason: Reason,
    },
    /// The delivery had left: the order goes on.
    #[serde(rename = "order.cancellation-refused")]
    CancellationRefused {},
    /// It is over and holds nothing: no stock, no money, no delivery.
    #[serde(rename = "order.cancelled")]
    Cancelled {
        /// What began the undoing.
        reason: Reason,
    },
    /// It is over and delivered.
    #[serde(rename = "order.completed")]
    Completed {},
}

event_names!(Event {
    Created => "order.created",
    CancellationRequested => "order.cancellation-requested",
    CancellationRefused => "order.cancellation-refused",
    Cancelled => "order.cancelled",
    Completed => "order.completed",
});
