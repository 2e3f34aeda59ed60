//! Every fact of the pipeline, and what is known about one that was recorded.

use std::fmt;
use std::str::FromStr;

use crate::values::{Amount, Currency, CustomerId, OrderId, Timestamp};
use crate::{delivery, inventory, order, payment};

/// One of the four services. Databases, topics, consumer groups and the names of facts derive
/// from [`Service::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Takes orders and knows how they ended.
    Order,
    /// Keeps the stock.
    Inventory,
    /// Talks to the payment provider.
    Payment,
    /// Talks to the courier.
    Delivery,
}

impl Service {
    /// All of them, in the order in which an order meets them.
    pub const ALL: [Self; 4] = [Self::Order, Self::Inventory, Self::Payment, Self::Delivery];

    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Inventory => "inventory",
            Self::Payment => "payment",
            Self::Delivery => "delivery",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A kind of stream. Streams and the folders of schemas are named after [`Category::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// One an order.
    Order,
    /// One an order: what it holds of the stock.
    Reservation,
    /// One a SKU.
    Stock,
    /// One an order.
    Payment,
    /// One an order.
    Delivery,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Order,
        Self::Reservation,
        Self::Stock,
        Self::Payment,
        Self::Delivery,
    ];

    /// Those of which an order has a stream each; stock has one a SKU.
    pub const OF_ORDERS: [Self; 4] = [
        Self::Order,
        Self::Reservation,
        Self::Payment,
        Self::Delivery,
    ];

    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Reservation => "reservation",
            Self::Stock => "stock",
            Self::Payment => "payment",
            Self::Delivery => "delivery",
        }
    }

    /// The service whose log has these streams.
    pub const fn service(self) -> Service {
        match self {
            Self::Order => Service::Order,
            Self::Reservation | Self::Stock => Service::Inventory,
            Self::Payment => Service::Payment,
            Self::Delivery => Service::Delivery,
        }
    }

    /// What the names of its facts begin with: the service, but for stock facts, which are not
    /// part of an order and keep their own prefix.
    pub const fn fact_prefix(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Order | Self::Reservation | Self::Payment | Self::Delivery => {
                self.service().name()
            }
        }
    }

    /// The category with that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|category| category.name() == name)
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The number of a fact within its stream, from 1; a stream's version is its last.
pub type Sequence = u64;

/// The number of a fact within its log, from 1, with holes; positions grow in the order in which
/// facts become visible.
pub type Position = u64;

/// A stream: a category and what its facts are about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Which kind.
    pub category: Category,
    /// An order id or a SKU.
    pub id: String,
}

impl StreamId {
    /// The stream of `order` in `category`.
    pub fn of(category: Category, order: OrderId) -> Self {
        Self {
            category,
            id: order.to_string(),
        }
    }

    /// The id of its fact number `sequence`.
    pub fn fact(&self, sequence: Sequence) -> FactId {
        FactId {
            stream: self.clone(),
            sequence,
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.category, self.id)
    }
}

/// The id of a fact, `{stream}-{id}-{sequence}`: the same on every replay. It is also the
/// consistency token of the command that appended the fact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId {
    /// Whose fact.
    pub stream: StreamId,
    /// Its number there.
    pub sequence: Sequence,
}

impl fmt::Display for FactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.stream, self.sequence)
    }
}

/// A text that is not the id of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the id of a fact, such as order-01890a5d-ac96-774b-bcce-b302099a8057-1")]
pub struct InvalidFactId;

impl FromStr for FactId {
    type Err = InvalidFactId;

    fn from_str(text: &str) -> Result<Self, InvalidFactId> {
        let (category, rest) = text.split_once('-').ok_or(InvalidFactId)?;
        let (id, sequence) = rest.rsplit_once('-').ok_or(InvalidFactId)?;
        let category = Category::named(category).ok_or(InvalidFactId)?;
        let canonical = sequence.bytes().all(|b| b.is_ascii_digit()) && !sequence.starts_with('0');
        match sequence.parse() {
            Ok(sequence) if canonical && !id.is_empty() => Ok(Self {
                stream: StreamId {
                    category,
                    id: id.to_owned(),
                },
                sequence,
            }),
            _ => Err(InvalidFactId),
        }
    }
}

/// Something that happened. A new variant makes the compiler list every place that has to know
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// To an order.
    Order(order::Event),
    /// To what an order holds of the stock.
    Reservation(inventory::reservation::Event),
    /// To the stock of a SKU.
    Stock(inventory::stock::Event),
    /// To the payment of an order.
    Payment(payment::Event),
    /// To the delivery of an order.
    Delivery(delivery::Event),
}

impl Fact {
    /// Every name that [`Self::name`] gives.
    pub fn names() -> impl Iterator<Item = &'static str> {
        [
            order::Event::NAMES,
            inventory::reservation::Event::NAMES,
            inventory::stock::Event::NAMES,
            payment::Event::NAMES,
            delivery::Event::NAMES,
        ]
        .into_iter()
        .flatten()
        .copied()
    }

    /// The name under which it is stored and published, as in `order.created`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Order(event) => event.name(),
            Self::Reservation(event) => event.name(),
            Self::Stock(event) => event.name(),
            Self::Payment(event) => event.name(),
            Self::Delivery(event) => event.name(),
        }
    }

    /// The kind of stream that it belongs to.
    pub fn category(&self) -> Category {
        match self {
            Self::Order(_) => Category::Order,
            Self::Reservation(_) => Category::Reservation,
            Self::Stock(_) => Category::Stock,
            Self::Payment(_) => Category::Payment,
            Self::Delivery(_) => Category::Delivery,
        }
    }

    /// True for the fact that an undoing leaves where there was nothing to undo.
    pub fn is_tombstone(&self) -> bool {
        use inventory::reservation::Event::Released;
        match self {
            Self::Reservation(Released { lines, .. }) => lines.is_empty(),
            Self::Payment(event) => event.is_tombstone(),
            Self::Delivery(event) => event.is_tombstone(),
            Self::Order(_) | Self::Reservation(_) | Self::Stock(_) => false,
        }
    }
}

/// The names of a stream's facts: `name()`, which the compiler holds to every variant, and the list
/// `NAMES`, which codecs are held to by a test.
macro_rules! event_names {
    ($event:ident { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $event {
            /// Every name that [`Self::name`] gives.
            pub const NAMES: &[&str] = &[$($name),+];

            /// The name under which the fact is stored and published.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $name,)+
                }
            }
        }
    };
}
pub(crate) use event_names;

macro_rules! fact_from {
    ($($event:ty => $variant:ident),+ $(,)?) => {$(
        impl From<$event> for Fact {
            fn from(event: $event) -> Self {
                Self::$variant(event)
            }
        }

        impl TryFrom<Fact> for $event {
            /// The fact of another kind of stream, given back.
            type Error = Fact;

            fn try_from(fact: Fact) -> Result<Self, Fact> {
                match fact {
                    Fact::$variant(event) => Ok(event),
                    other => Err(other),
                }
            }
        }
    )+};
}

fact_from! {
    order::Event => Order,
    inventory::reservation::Event => Reservation,
    inventory::stock::Event => Stock,
    payment::Event => Payment,
    delivery::Event => Delivery,
}

/// What every fact of an order says about the order, so that no reader has to look it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderContext {
    /// Who ordered.
    pub customer_id: CustomerId,
    /// In which money.
    pub currency: Currency,
    /// For how much.
    pub total_amount: Amount,
    /// When.
    pub placed_at: Timestamp,
}

/// A fact as it stands in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its id: stream and sequence.
    pub id: FactId,
    /// Its number within its log.
    pub position: Position,
    /// When it happened: later than its cause and than its stream's last fact.
    pub time: Timestamp,
    /// What the chain of causes is about: the order id, or for a receipt of goods its stream's.
    pub correlation: String,
    /// The id of the fact or command behind it.
    pub causation: String,
    /// The order that it belongs to; none for goods received.
    pub order: Option<OrderContext>,
    /// The W3C trace context of the request that began the chain.
    pub traceparent: Option<String>,
    /// What happened.
    pub fact: Fact,
    /// How the log has it; none while it is about to be appended.
    pub written: Option<Written>,
}

/// A fact letter for letter, for who shows or hands on what was recorded. Nothing here reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The version of the payload's shape.
    pub version: String,
    /// The payload, one JSON object, in the shape of that version.
    pub payload: String,
}

impl Recorded {
    /// The order whose stream it is in; none for stock facts.
    pub fn order_id(&self) -> Option<OrderId> {
        match self.id.stream.category {
            Category::Stock => None,
            Category::Order | Category::Reservation | Category::Payment | Category::Delivery => {
                self.id.stream.id.parse().ok()
            }
        }
    }
}

#[cfg(test)]
mod tests;
