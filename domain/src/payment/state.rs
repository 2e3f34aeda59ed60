use crate::values::{Amount, Currency, PaymentId, Reason};

use super::Event;

/// What is, was or is to be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The payment.
    pub payment_id: PaymentId,
    /// How much.
    pub amount: Amount,
    /// Of which money.
    pub currency: Currency,
}

impl Charge {
    pub(super) fn void(&self, reason: &Reason) -> Event {
        Event::VoidRequested {
            payment_id: self.payment_id,
            amount: self.amount,
            reason: reason.clone(),
        }
    }

    pub(super) fn refund(&self, reason: &Reason) -> Event {
        Event::RefundRequested {
            payment_id: self.payment_id,
            amount: self.amount,
            reason: reason.clone(),
        }
    }
}

/// How far a payment is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// Never asked for.
    #[default]
    None,
    /// The provider was asked to hold the money.
    Asked {
        /// What.
        charge: Charge,
        /// What began an undoing that waits for the answer.
        undo: Option<Reason>,
    },
    /// The provider holds the money.
    Authorized(Charge),
    /// The provider declined.
    Failed,
    /// The provider was asked to take the money.
    Capturing {
        /// What.
        charge: Charge,
        /// What began an undoing that waits for the answer.
        undo: Option<Reason>,
    },
    /// The provider took the money.
    Captured(Charge),
    /// The provider would not take the money; it may still hold it.
    CaptureFailed(Charge),
    /// The provider was asked to hold the money no longer.
    Voiding {
        /// What.
        charge: Charge,
        /// What began the undoing.
        reason: Reason,
    },
    /// Nothing is held, or ever will be.
    Voided,
    /// The provider was asked to give the money back.
    Refunding {
        /// What.
        charge: Charge,
        /// What began the undoing.
        reason: Reason,
    },
    /// The money is back.
    Refunded,
}

impl State {
    /// A word for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Asked { .. } => "requested",
            Self::Authorized(_) => "authorized",
            Self::Failed => "failed",
            Self::Capturing { .. } => "capture requested",
            Self::Captured(_) => "captured",
            Self::CaptureFailed(_) => "capture failed",
            Self::Voiding { .. } => "void requested",
            Self::Voided => "voided",
            Self::Refunding { .. } => "refund requested",
            Self::Refunded => "refunded",
        }
    }

    /// What is or was charged, while that still matters.
    pub fn charge(&self) -> Option<&Charge> {
        match self {
            Self::Asked { charge, .. }
            | Self::Authorized(charge)
            | Self::Capturing { charge, .. }
            | Self::Captured(charge)
            | Self::CaptureFailed(charge)
            | Self::Voiding { charge, .. }
            | Self::Refunding { charge, .. } => Some(charge),
            Self::None | Self::Failed | Self::Voided | Self::Refunded => None,
        }
    }

    pub(super) fn evolve(self, event: &Event) -> Self {
        // All but the first fact go on with a charge. Where there is none the log is not ours,
        // and a fold keeps what it has rather than panic.
        let charge = self.charge().copied();
        let go_on = |next: fn(Charge) -> Self| charge.map_or_else(|| self.clone(), next);
        match event {
            Event::Requested {
                payment_id,
                amount,
                currency,
            } => Self::Asked {
                charge: Charge {
                    payment_id: *payment_id,
                    amount: *amount,
                    currency: *currency,
                },
                undo: None,
            },
            Event::Authorized { .. } => go_on(Self::Authorized),
            Event::Failed { .. } => Self::Failed,
            Event::CaptureRequested { .. } => {
                go_on(|charge| Self::Capturing { charge, undo: None })
            }
            Event::Captured { .. } => go_on(Self::Captured),
            Event::CaptureFailed { .. } => go_on(Self::CaptureFailed),
            Event::VoidRequested { reason, .. } => match charge {
                Some(charge) => Self::Voiding {
                    charge,
                    reason: reason.clone(),
                },
                None => self,
            },
            Event::Voided { .. } => Self::Voided,
            Event::RefundRequested { reason, .. } => match charge {
                Some(charge) => Self::Refunding {
                    charge,
                    reason: reason.clone(),
                },
                None => self,
            },
            Event::Refunded { .. } => Self::Refunded,
            Event::UndoRequested { reason } => {
                let mut state = self;
                if let Self::Asked { undo, .. } | Self::Capturing { undo, .. } = &mut state {
                    *undo = Some(reason.clone());
                }
                state
            }
        }
    }
}
