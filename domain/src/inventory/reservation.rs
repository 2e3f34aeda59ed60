//! The reservation stream: what one order holds.

use serde::{Deserialize, Serialize};

use crate::fact::event_names;
use crate::values::{Line, Reason, Sku};

/// What the order process asks of a reservation. Decided by [`super::hold::decide`], since it
/// concerns the stock too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Hold every line, or none.
    Hold {
        /// What.
        lines: Vec<Line>,
    },
    /// What is held leaves the house.
    Ship,
    /// Give back whatever is held.
    Undo {
        /// What began the undoing.
        reason: Reason,
    },
}

/// A line that could not be held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shortage {
    /// Of what there is too little.
    pub sku: Sku,
    /// How many were asked for.
    pub wanted: u64,
    /// How many there were.
    pub available: u64,
}

/// What happened to a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Event {
    /// Every line is held.
    #[serde(rename = "inventory.reserved")]
    Reserved {
        /// What.
        lines: Vec<Line>,
    },
    /// Nothing is held: there was too little of something.
    #[serde(rename = "inventory.rejected")]
    Rejected {
        /// Always `out-of-stock`.
        reason: Reason,
        /// Of what there was too little.
        short: Vec<Shortage>,
    },
    /// What was held is free again.
    #[serde(rename = "inventory.released")]
    Released {
        /// What; empty for the tombstone of a reservation that was never made.
        lines: Vec<Line>,
        /// What began the undoing.
        reason: Reason,
    },
    /// What was held has left.
    #[serde(rename = "inventory.shipped")]
    Shipped {
        /// What.
        lines: Vec<Line>,
    },
    /// What had left is back.
    #[serde(rename = "inventory.returned")]
    Returned {
        /// What.
        lines: Vec<Line>,
        /// What began the undoing.
        reason: Reason,
    },
}

event_names!(Event {
    Reserved => "inventory.reserved",
    Rejected => "inventory.rejected",
    Released => "inventory.released",
    Shipped => "inventory.shipped",
    Returned => "inventory.returned",
});

/// How far a reservation is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// Never asked for.
    #[default]
    None,
    /// Lines are held.
    Held(Vec<Line>),
    /// There was too little.
    Rejected,
    /// Given back, or never to be made.
    Released,
    /// Lines have left.
    Shipped(Vec<Line>),
    /// Lines came back.
    Returned,
}

impl State {
    /// A word for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Held(_) => "held",
            Self::Rejected => "rejected",
            Self::Released => "released",
            Self::Shipped(_) => "shipped",
            Self::Returned => "returned",
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: &Event) -> Self {
        match event {
            Event::Reserved { lines } => Self::Held(lines.clone()),
            Event::Rejected { .. } => Self::Rejected,
            Event::Released { .. } => Self::Released,
            Event::Shipped { lines } => Self::Shipped(lines.clone()),
            Event::Returned { .. } => Self::Returned,
        }
    }
}
