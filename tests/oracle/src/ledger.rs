//! What a payment provider carried out, as lines of JSON in the order in which it did.
//!
//! ```json
//! {"key": "01a1..:capture", "operation": "capture", "order": "01a1..", "amount": 1900, "outcome": "approved", "at": 1780000000000000}
//! ```

use serde::{Deserialize, Serialize};

/// A line of the provider's books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The idempotency key under which it was asked for.
    pub key: String,
    /// What.
    pub operation: Operation,
    /// Which order's payment.
    pub order: String,
    /// How much, in minor units.
    pub amount: i64,
    /// What became of it.
    pub outcome: Outcome,
    /// When, in microseconds since 1970, where the provider says.
    #[serde(default)]
    pub at: Option<i64>,
}

/// What can be done with a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Hold the money.
    Authorize,
    /// Take it.
    Capture,
    /// Hold it no longer.
    Void,
    /// Give it back.
    Refund,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Authorize, Self::Capture, Self::Void, Self::Refund];

    /// Its name in paths and keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
        }
    }
}

/// What became of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Money was held, moved or let go.
    Approved,
    /// Nothing was.
    Refused,
}
