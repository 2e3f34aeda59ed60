//! Short texts from people.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Invalid;

macro_rules! short_text {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The longest text, in characters.
            pub const MAX_CHARS: usize = $max;

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                if text.trim().is_empty() || text.chars().count() > Self::MAX_CHARS {
                    return Err(Invalid::new(concat!("must have 1 to ", $max, " characters")));
                }
                if text.chars().any(char::is_control) {
                    return Err(Invalid::new("must not have control characters"));
                }
                Ok(Self(text))
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

short_text!(
    /// An opaque id of a customer, 1 to 64 characters; nothing personal belongs in it.
    CustomerId,
    64
);
short_text!(
    /// A driver's display name, 1 to 100 characters.
    DriverName,
    100
);
short_text!(
    /// Why something was undone, 1 to 200 characters: a customer's or an operator's text, or one
    /// of the reasons that the system makes.
    Reason,
    200
);

impl Reason {
    /// There was not enough stock.
    pub fn out_of_stock() -> Self {
        Self("out-of-stock".into())
    }

    /// The payment provider declined.
    pub fn payment_declined() -> Self {
        Self("payment-declined".into())
    }

    /// The courier could not deliver.
    pub fn delivery_failed() -> Self {
        Self("delivery-failed".into())
    }

    /// The order took too long.
    pub fn deadline() -> Self {
        Self("deadline".into())
    }
}
