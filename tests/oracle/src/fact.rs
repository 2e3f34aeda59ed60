//! Facts, read from their rows by the schemas alone.

mod body;

use std::collections::BTreeMap;
use std::fmt;

use chrono::DateTime;
use serde::{Deserialize, Serialize};

pub use body::{Amounts, Body, Change, Item, Line};

/// Who keeps a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Takes orders and knows how they ended.
    Order,
    /// Keeps the stock, and what each order holds of it.
    Inventory,
    /// Talks to the payment provider.
    Payment,
    /// Talks to the courier.
    Delivery,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Order, Self::Inventory, Self::Payment, Self::Delivery];

    /// Its name in databases, topics and groups.
    pub fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Inventory => "inventory",
            Self::Payment => "payment",
            Self::Delivery => "delivery",
        }
    }
}

/// A kind of stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// What was ordered, and how it ended.
    Order,
    /// What an order holds.
    Reservation,
    /// What there is of a SKU.
    Stock,
    /// The one charge of an order.
    Payment,
    /// The way to the customer.
    Delivery,
}

impl Stream {
    /// Those that an order has one of each.
    pub const OF_ORDERS: [Self; 4] = [
        Self::Order,
        Self::Reservation,
        Self::Payment,
        Self::Delivery,
    ];

    /// Its name in ids and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Reservation => "reservation",
            Self::Stock => "stock",
            Self::Payment => "payment",
            Self::Delivery => "delivery",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::OF_ORDERS.as_slice(), &[Self::Stock]].concat();
        all.into_iter().find(|stream| stream.name() == name)
    }
}

/// A row of a log as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// Whose log.
    pub service: Service,
    /// Its number there.
    pub position: i64,
    /// The kind of its stream.
    pub stream: Stream,
    /// Which of them: an order, or a SKU.
    pub of: String,
    /// Its number there, from 1.
    pub sequence: i64,
    /// What it is called.
    pub name: String,
    /// The version of its shape.
    pub version: String,
    /// What it says: JSON, byte for byte.
    pub payload: String,
    /// What is said about it: JSON, a flat object of strings.
    pub metadata: String,
    /// When the row was written, in microseconds since 1970.
    #[serde(default)]
    pub recorded_at: i64,
}

/// A fact, with what it says read.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Its row.
    pub stored: Stored,
    /// What it says, or why that cannot be read.
    pub body: Result<Body, String>,
    /// What is said about it; nothing where that is no flat object of strings.
    pub metadata: BTreeMap<String, String>,
    /// When it happened, in microseconds since 1970.
    pub time: i64,
}

impl Fact {
    /// Reads a row.
    pub fn read(stored: Stored) -> Self {
        let metadata: BTreeMap<String, String> =
            serde_json::from_str(&stored.metadata).unwrap_or_default();
        let body = Body::read(&stored.name, &stored.payload);
        let time = metadata.get("time").and_then(|time| micros(time));
        Self {
            time: time.unwrap_or(stored.recorded_at),
            stored,
            body,
            metadata,
        }
    }

    /// Its id: stream, which of them, sequence.
    pub fn id(&self) -> String {
        let Stored {
            stream,
            of,
            sequence,
            ..
        } = &self.stored;
        format!("{}-{of}-{sequence}", stream.name())
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.stored.name
    }

    /// The kind of its stream.
    pub fn stream(&self) -> Stream {
        self.stored.stream
    }

    /// Its number in its stream.
    pub fn sequence(&self) -> i64 {
        self.stored.sequence
    }

    /// The order that it is about; none for goods received.
    pub fn order(&self) -> Option<&str> {
        match (self.stored.stream, &self.body) {
            (Stream::Stock, Ok(body)) => body.change().map(|change| change.order_id.as_str()),
            (Stream::Stock, Err(_)) => None,
            (Stream::Order | Stream::Reservation | Stream::Payment | Stream::Delivery, _) => {
                Some(&self.stored.of)
            }
        }
    }

    /// What it says, where that can be read.
    pub fn says(&self) -> Option<&Body> {
        self.body.as_ref().ok()
    }

    /// The id of the fact or command behind it.
    pub fn causation(&self) -> Option<&str> {
        self.metadata.get("causationId").map(String::as_str)
    }

    /// The undo of something that never was: it keeps that from ever being.
    pub fn is_tombstone(&self) -> bool {
        self.says().is_some_and(Body::is_tombstone)
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id(), self.name())
    }
}

/// Microseconds since 1970 of a time as facts have it.
pub fn micros(time: &str) -> Option<i64> {
    let time = DateTime::parse_from_rfc3339(time).ok()?;
    Some(time.timestamp_micros())
}

/// A time as facts have it.
pub fn time_of(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
