//! The stock stream: how much of one SKU there is.
//!
//! Every fact carries the counters after it, so that a SKU with a million facts loads by reading
//! its last one. `0 <= held <= on hand` after every fact.

use serde::{Deserialize, Serialize};

use crate::fact::event_names;
use crate::values::{MAX_AMOUNT, OrderId, Quantity};
use crate::{Decider, Refusal, decider};

/// The rules of a SKU's counter.
pub struct Stock;

/// What a person may ask of the stock. What orders do to it is decided by [`super::hold`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Goods arrived. May be done once and has no order to remember it: guard a repeat with an
    /// idempotency key.
    Receive {
        /// How many.
        quantity: Quantity,
    },
}

/// Why the stock turns a person's command down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The counter would leave its range.
    #[error("there would be more than 9007199254740991 units on hand")]
    TooMuchStock,
}

impl decider::Rejection for Rejection {
    fn code(&self) -> &'static str {
        match self {
            Self::TooMuchStock => "too-much-stock",
        }
    }
}

/// The counters of a SKU: `held` of the units `on_hand` belong to orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Units in the house.
    pub on_hand: u64,
    /// Units of these that orders hold.
    pub held: u64,
}

impl State {
    /// Units that can still be held.
    pub fn available(&self) -> u64 {
        self.on_hand.saturating_sub(self.held)
    }
}

/// An order's part in a change of stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Whose.
    pub order_id: OrderId,
    /// How many.
    pub quantity: Quantity,
    /// The counters afterwards.
    #[serde(flatten)]
    pub after: State,
}

/// What happened to the stock of a SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Event {
    /// Goods arrived.
    #[serde(rename = "stock.received")]
    Received {
        /// How many.
        quantity: Quantity,
        /// The counters afterwards.
        #[serde(flatten)]
        after: State,
    },
    /// An order holds units.
    #[serde(rename = "stock.held")]
    Held(Change),
    /// An order holds units no longer.
    #[serde(rename = "stock.freed")]
    Freed(Change),
    /// Held units left the house.
    #[serde(rename = "stock.shipped")]
    Shipped(Change),
    /// Units came back.
    #[serde(rename = "stock.returned")]
    Returned(Change),
}

// Stock facts are named after their stream and not, as all others, after their service: they are
// not part of an order.
event_names!(Event {
    Received => "stock.received",
    Held => "stock.held",
    Freed => "stock.freed",
    Shipped => "stock.shipped",
    Returned => "stock.returned",
});

impl Event {
    /// The counters after the fact.
    pub fn after(&self) -> State {
        match self {
            Self::Received { after, .. } => *after,
            Self::Held(change)
            | Self::Freed(change)
            | Self::Shipped(change)
            | Self::Returned(change) => change.after,
        }
    }
}

impl Decider for Stock {
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Refusal<Rejection>> {
        let Command::Receive { quantity } = command;
        let on_hand = state.on_hand + quantity.get();
        if on_hand > MAX_AMOUNT {
            return Err(Rejection::TooMuchStock.into());
        }
        let after = State { on_hand, ..*state };
        Ok(vec![Event::Received { quantity, after }])
    }

    fn evolve(_: State, event: &Event) -> State {
        event.after()
    }
}
