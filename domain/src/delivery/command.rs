use crate::decider;
use crate::values::{DeliveryId, Reason, Timestamp};

use super::Assignment;

/// What may be asked of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The money is held: find someone to bring the goods.
    Request {
        /// The delivery.
        delivery_id: DeliveryId,
    },
    /// The courier says how far it is: a fact or nothing.
    Progress(Progress),
    /// A person says how far it is: a fact, nothing for a repeat, or a rejection.
    Record(Progress),
    /// The customer asked to cancel; decides whether that is still possible.
    Cancel {
        /// Why, in the customer's words.
        reason: Reason,
    },
    /// The order is over, or took too long: no delivery is to begin.
    Close {
        /// Why.
        reason: Reason,
    },
}

/// A step on the road.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Someone will bring it.
    Assign(Assignment),
    /// It will arrive at another time.
    MoveEta {
        /// When.
        estimated_delivery_time: Timestamp,
    },
    /// It has left the house.
    Dispatch,
    /// It has arrived.
    Deliver,
    /// It will not arrive.
    Fail {
        /// Why.
        reason: Reason,
    },
}

impl Progress {
    /// A word for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Assign(_) => "assign",
            Self::MoveEta { .. } => "eta",
            Self::Dispatch => "dispatch",
            Self::Deliver => "deliver",
            Self::Fail { .. } => "fail",
        }
    }
}

/// Why a delivery turns a person's command down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No delivery was requested for that order.
    #[error("there is no delivery for that order yet")]
    UnknownDelivery,
    /// Someone else is already on it.
    #[error("another driver is already assigned")]
    AnotherDriver,
    /// It was called off, or is never to begin.
    #[error("the delivery is cancelled")]
    Cancelled,
    /// The road does not lead there from here.
    #[error("the step '{step}' is not possible while the delivery is {at}")]
    NotAllowed {
        /// What was asked for.
        step: &'static str,
        /// How far the delivery is.
        at: &'static str,
    },
}

impl decider::Rejection for Rejection {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownDelivery => "unknown-delivery",
            Self::AnotherDriver => "another-driver",
            Self::Cancelled => "delivery-cancelled",
            Self::NotAllowed { .. } => "step-not-allowed",
        }
    }

    fn is_missing(&self) -> bool {
        matches!(self, Self::UnknownDelivery)
    }
}
