//! The payment provider.

mod http;
mod simulated;

use async_trait::async_trait;
use domain::Task;
use domain::values::{Amount, Currency, OrderId, PaymentId, Reason};

pub use http::{HttpPlace, HttpProvider, InvalidPlace};
pub use simulated::{Simulated, SimulatedProvider};

/// A call to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The order.
    pub order: OrderId,
    /// The payment.
    pub payment_id: PaymentId,
    /// What to do.
    pub operation: Operation,
    /// How much.
    pub amount: Amount,
    /// Of which money.
    pub currency: Currency,
    /// True where the call was made before and its answer is not known. A hint: after a crash it
    /// may be false.
    pub repeated: bool,
}

impl Call {
    /// The key under which the provider knows the call, however often it is made:
    /// `{orderId}:{operation}`.
    pub fn key(&self) -> String {
        let (order, operation) = (self.order, self.operation.task());
        if self.repeated && crate::planted!("new-key-on-retry") {
            return format!("{order}:{operation}:again");
        }
        format!("{order}:{operation}")
    }
}

/// What a provider can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Hold the money.
    Authorize,
    /// Take what is held.
    Capture,
    /// Hold it no longer.
    Void,
    /// Give back what was taken.
    Refund,
}

impl Operation {
    /// The task that calls for it.
    pub const fn task(self) -> Task {
        match self {
            Self::Authorize => Task::Authorize,
            Self::Capture => Task::Capture,
            Self::Void => Task::Void,
            Self::Refund => Task::Refund,
        }
    }
}

/// What the provider answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// It will not be done. Final for an authorization or a capture; a void or a refund is asked
    /// for again.
    Refused {
        /// Why, in the provider's words.
        reason: Reason,
    },
}

/// Why a call has no answer. It may have been done or not, which is found out by making the same
/// call again and never by another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// No answer came in time: it may have been done.
    #[error("the payment provider did not answer in time")]
    TimedOut,
    /// It cannot be reached, or has trouble of its own.
    #[error("the payment provider is unavailable: {0}")]
    Unavailable(String),
    /// It does not take the call as it stands: a person has to look. That is no decline, for
    /// nobody has said what becomes of the money.
    #[error("the payment provider rejects the call: {0}")]
    Rejected(String),
}

/// Who holds and takes the money.
#[async_trait]
pub trait PaymentProvider: Send + Sync + 'static {
    /// Makes a call. The provider carries out a key once: the same call again asks what came of
    /// it, and gets the same answer.
    ///
    /// # Errors
    /// [`ProviderError`]: the outcome is unknown, and the call is to be made again.
    async fn call(&self, call: &Call) -> Result<Answer, ProviderError>;
}
