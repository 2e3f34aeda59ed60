use crate::decider;
use crate::values::{Amount, Currency, PaymentId, Reason};

/// What may be asked of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The stock is held: have the money held too.
    Authorize {
        /// The payment.
        payment_id: PaymentId,
        /// How much.
        amount: Amount,
        /// Of which money.
        currency: Currency,
    },
    /// The delivery has left: take the money.
    Capture,
    /// Give back whatever is held or taken.
    Undo {
        /// What began the undoing.
        reason: Reason,
    },
    /// The provider holds the money.
    Authorized,
    /// The provider does not.
    Declined {
        /// Why, in the provider's words.
        reason: Reason,
    },
    /// The provider took the money.
    Captured,
    /// The provider did not.
    CaptureRefused {
        /// Why, in the provider's words.
        reason: Reason,
    },
    /// The provider holds the money no longer.
    VoidDone,
    /// The provider gave the money back.
    RefundDone,
    /// An operator did at the provider what its interface would not do.
    Settle {
        /// What was done.
        outcome: Settlement,
        /// Why, in the operator's words.
        reason: Reason,
    },
}

/// How money was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// What was held is free.
    Voided,
    /// What was taken is back.
    Refunded,
}

/// Why a payment turns an operator's command down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no open void or refund that the outcome could belong to.
    #[error("the payment has no open void or refund with that outcome")]
    NothingToSettle,
}

impl decider::Rejection for Rejection {
    fn code(&self) -> &'static str {
        match self {
            Self::NothingToSettle => "nothing-to-settle",
        }
    }
}
