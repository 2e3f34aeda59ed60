use crate::decider;
use crate::values::{Currency, CustomerId, Items, Reason};

use super::Event;

/// What may be asked of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A customer places it.
    Place(Place),
    /// A customer asks to cancel it; whether that is still possible, the delivery decides.
    Cancel {
        /// Why, in the customer's words.
        reason: Reason,
    },
    /// The delivery was on its way: it cannot be cancelled any more.
    Refuse,
    /// Nothing is held any more: the order is over.
    Finish {
        /// What began the undoing.
        reason: Reason,
    },
    /// The delivery arrived.
    Complete,
}

/// What a customer orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Who.
    pub customer_id: CustomerId,
    /// What.
    pub items: Items,
    /// In which money the prices are.
    pub currency: Currency,
    /// How long the order may take until its delivery is requested, in milliseconds; 0 is for
    /// ever.
    pub deadline_ms: u64,
}

impl Place {
    pub(super) fn into_event(self) -> Event {
        Event::Created {
            total_amount: self.items.total(),
            customer_id: self.customer_id,
            currency: self.currency,
            items: self.items,
            deadline_ms: self.deadline_ms,
        }
    }
}

/// Why an order turns a customer's command down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No such order was placed.
    #[error("there is no such order")]
    UnknownOrder,
    /// The delivery had already left when the cancellation was asked for.
    #[error("the order can no longer be cancelled: its delivery has left")]
    CancellationRefused,
    /// The order is over.
    #[error("the order is completed")]
    OrderCompleted,
}

impl decider::Rejection for Rejection {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownOrder => "unknown-order",
            Self::CancellationRefused => "cancellation-refused",
            Self::OrderCompleted => "order-completed",
        }
    }

    fn is_missing(&self) -> bool {
        matches!(self, Self::UnknownOrder)
    }
}
