use serde::{Deserialize, Serialize};

use crate::fact::event_names;
use crate::values::{Amount, Currency, PaymentId, Reason};

/// What happened to a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Event {
    /// Intent: the provider is asked to hold the money.
    #[serde(rename = "payment.requested")]
    Requested {
        /// The payment.
        payment_id: PaymentId,
        /// How much.
        amount: Amount,
        /// Of which money.
        currency: Currency,
    },
    /// The provider holds the money.
    #[serde(rename = "payment.authorized")]
    Authorized {
        /// The payment.
        payment_id: PaymentId,
        /// How much.
        amount: Amount,
    },
    /// The provider does not.
    #[serde(rename = "payment.failed")]
    Failed {
        /// The payment.
        payment_id: PaymentId,
        /// Why, in the provider's words.
        reason: Reason,
        /// What had begun an undoing before the answer came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo_reason: Option<Reason>,
    },
    /// Intent: the provider is asked to take the money.
    #[serde(rename = "payment.capture-requested")]
    CaptureRequested {
        /// The payment.
        payment_id: PaymentId,
        /// How much.
        amount: Amount,
    },
    /// The provider took the money.
    #[serde(rename = "payment.captured")]
    Captured {
        /// The payment.
        payment_id: PaymentId,
        /// How much.
        amount: Amount,
    },
    /// The provider did not, and will not; the delivery goes on.
    #[serde(rename = "payment.capture-failed")]
    CaptureFailed {
        /// The payment.
        payment_id: PaymentId,
        /// How much it should have been.
        amount: Amount,
        /// Why, in the provider's words.
        reason: Reason,
    },
    /// Intent: the provider is asked to hold the money no longer.
    #[serde(rename = "payment.void-requested")]
    VoidRequested {
        /// The payment.
        payment_id: PaymentId,
        /// How much.
        amount: Amount,
        /// What began the undoing.
        reason: Reason,
    },
    /// The money is not held any more.
    #[serde(rename = "payment.voided")]
    Voided {
        /// How much was held; 0 for the tombstone of a payment that was never asked for.
        amount: Amount,
        /// What began the undoing.
        reason: Reason,
        /// An operator's reason, where it was done by hand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        settled_by_hand: Option<Reason>,
    },
    /// Intent: the provider is asked to give the money back.
    #[serde(rename = "payment.refund-requested")]
    RefundRequested {
        /// The payment.
        payment_id: PaymentId,
        /// How much.
        amount: Amount,
        /// What began the undoing.
        reason: Reason,
    },
    /// The money is back.
    #[serde(rename = "payment.refunded")]
    Refunded {
        /// How much.
        amount: Amount,
        /// What began the undoing.
        reason: Reason,
        /// An operator's reason, where it was done by hand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        settled_by_hand: Option<Reason>,
    },
    /// It is to be undone as soon as the provider has answered what it was asked.
    #[serde(rename = "payment.undo-requested")]
    UndoRequested {
        /// What began the undoing.
        reason: Reason,
    },
}

event_names!(Event {
    Requested => "payment.requested",
    Authorized => "payment.authorized",
    Failed => "payment.failed",
    CaptureRequested => "payment.capture-requested",
    Captured => "payment.captured",
    CaptureFailed => "payment.capture-failed",
    VoidRequested => "payment.void-requested",
    Voided => "payment.voided",
    RefundRequested => "payment.refund-requested",
    Refunded => "payment.refunded",
    UndoRequested => "payment.undo-requested",
});

impl Event {
    /// True for the fact that stands where there was nothing to undo.
    pub fn is_tombstone(&self) -> bool {
        matches!(self, Self::Voided { amount, .. } if *amount == Amount::ZERO)
    }
}
