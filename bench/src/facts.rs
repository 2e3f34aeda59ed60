//! What is appended and published: orders as customers place them, with two lines, some 300 bytes.

use anyhow::Context;
use bytes::Bytes;
use domain::delivery;
use domain::inventory::{reservation, stock};
use domain::order::{self, Command, Order, Place};
use domain::payment;
use domain::values::{
    Amount, Currency, CustomerId, DeliveryId, DriverName, Item, Items, Line, OrderId, PaymentId,
    Quantity, Sku, UnitPrice,
};
use domain::{Category, Decider, Fact, OrderContext, Recorded, Sequence, StreamId};
use infra::codec;
use infra::event_store::{Append, NewFact, StoredFact, StoredReply};
use infra::{clock, ids};

/// Two lines at 19.01 in all: a total at which the simulated provider always succeeds.
const PRICES: [(&str, u64); 2] = [("sku-1", 1900), ("sku-2", 1)];

/// An order of one of each of these SKUs.
pub fn place_of(skus: &[(&str, u64)]) -> anyhow::Result<Place> {
    let item = |(sku, price): &(&str, u64)| {
        Ok::<_, anyhow::Error>(Item {
            sku: sku.parse()?,
            quantity: quantity(1)?,
            unit_price: UnitPrice::try_from(*price)?,
        })
    };
    let items: Vec<Item> = skus.iter().map(item).collect::<Result<_, _>>()?;
    Ok(Place {
        customer_id: "customer-7".parse::<CustomerId>()?,
        items: Items::try_from(items)?,
        currency: "EUR".parse::<Currency>()?,
        deadline_ms: 0,
    })
}

/// The order that most rows place.
pub fn usual_place() -> anyhow::Result<Place> {
    place_of(&PRICES)
}

/// The body of a request that places it.
pub fn usual_body() -> String {
    body_of(&PRICES)
}

/// The body of a request that orders one of each.
pub fn body_of(skus: &[(&str, u64)]) -> String {
    let item = |(sku, price): &(&str, u64)| serde_json::json!({"sku": sku, "quantity": 1, "unitPrice": price});
    let items: Vec<_> = skus.iter().map(item).collect();
    serde_json::json!({"customerId": "customer-7", "currency": "EUR", "items": items}).to_string()
}

/// How many.
pub fn quantity(units: u64) -> anyhow::Result<Quantity> {
    Ok(serde_json::from_value(units.into())?)
}

/// Facts of one order, as their services record them.
pub struct Story {
    pub order: OrderId,
    context: OrderContext,
    place: Place,
}

impl Story {
    /// A new order of `place`.
    pub fn of(place: &Place) -> Self {
        let context = OrderContext {
            customer_id: place.customer_id.clone(),
            currency: place.currency,
            total_amount: place.items.total(),
            placed_at: clock::now(),
        };
        Self {
            order: ids::order(),
            context,
            place: place.clone(),
        }
    }

    /// It was placed.
    pub fn created(&self) -> anyhow::Result<Recorded> {
        let events = Order::decide(&order::State::None, Command::Place(self.place.clone()));
        let event = events.ok().and_then(|mut events| events.pop());
        Ok(self.fact(1, event.context("a placed order")?))
    }

    /// It was delivered and is over.
    pub fn completed(&self) -> Recorded {
        self.fact(2, order::Event::Completed {})
    }

    /// Some later fact of its stream, for where nobody decides about it.
    pub fn nth(&self, sequence: Sequence) -> Recorded {
        self.fact(sequence, order::Event::CancellationRefused {})
    }

    /// The lines are held.
    pub fn reserved(&self) -> anyhow::Result<Recorded> {
        let lines = PRICES.iter().map(|(sku, _)| {
            Ok::<_, anyhow::Error>(Line {
                sku: sku.parse()?,
                quantity: quantity(1)?,
            })
        });
        let lines = lines.collect::<Result<_, _>>()?;
        Ok(self.fact(1, reservation::Event::Reserved { lines }))
    }

    /// The payment, from its request to its answer.
    pub fn paid(&self) -> [Recorded; 2] {
        let payment_id = PaymentId::of(self.order);
        let amount: Amount = self.context.total_amount;
        let currency = self.context.currency;
        [
            self.fact(
                1,
                payment::Event::Requested {
                    payment_id,
                    amount,
                    currency,
                },
            ),
            self.fact(2, payment::Event::Authorized { payment_id, amount }),
        ]
    }

    /// The delivery, from its request until somebody is assigned.
    pub fn assigned(&self) -> anyhow::Result<[Recorded; 2]> {
        let delivery_id = DeliveryId::of(self.order);
        let assigned = delivery::Event::Assigned {
            delivery_id,
            driver_name: "Driver Ash".parse::<DriverName>()?,
            estimated_delivery_time: clock::now(),
        };
        Ok([
            self.fact(1, delivery::Event::Requested { delivery_id }),
            self.fact(2, assigned),
        ])
    }

    /// The goods have arrived.
    pub fn delivered(&self) -> Recorded {
        let delivery_id = DeliveryId::of(self.order);
        self.fact(4, delivery::Event::Delivered { delivery_id })
    }

    fn fact(&self, sequence: Sequence, fact: impl Into<Fact>) -> Recorded {
        let fact = fact.into();
        let stream = StreamId::of(fact.category(), self.order);
        Recorded {
            id: stream.fact(sequence),
            position: 0,
            time: clock::now(),
            correlation: self.order.to_string(),
            causation: ids::unique().to_string(),
            order: Some(self.context.clone()),
            traceparent: None,
            fact,
            written: None,
        }
    }
}

/// Goods that arrived, as the first fact of their SKU.
pub fn received(sku: &str, units: u64) -> anyhow::Result<Recorded> {
    let after = stock::State {
        on_hand: units,
        held: 0,
    };
    let quantity = quantity(units)?;
    let stream = StreamId {
        category: Category::Stock,
        id: sku.parse::<Sku>()?.to_string(),
    };
    Ok(Recorded {
        id: stream.fact(1),
        position: 0,
        time: clock::now(),
        correlation: sku.to_owned(),
        causation: ids::unique().to_string(),
        order: None,
        traceparent: None,
        fact: stock::Event::Received { quantity, after }.into(),
        written: None,
    })
}

/// As a request to append it behind the facts before it.
pub fn append_of(recorded: &Recorded) -> Append {
    Append {
        expect: vec![(recorded.id.stream.clone(), recorded.id.sequence - 1)],
        facts: vec![codec::encode(recorded, ids::unique())],
        ..Append::default()
    }
}

/// As a log has it at `position`.
pub fn stored(recorded: &Recorded, position: u64) -> StoredFact {
    let new = codec::encode(recorded, ids::unique());
    StoredFact {
        id: recorded.id.clone(),
        position,
        name: new.name.to_owned(),
        version: new.version.to_owned(),
        payload: new.payload,
        metadata: new.metadata,
    }
}

/// Appends that differ only in their streams and keys, so that making them costs next to nothing.
#[derive(Clone)]
pub struct Template {
    name: &'static str,
    version: &'static str,
    payload: Bytes,
    metadata: Bytes,
}

impl Template {
    /// Of the placing of an order.
    pub fn new() -> anyhow::Result<Self> {
        let created = Story::of(&usual_place()?).created()?;
        let NewFact {
            name,
            version,
            payload,
            metadata,
            ..
        } = codec::encode(&created, ids::unique());
        Ok(Self {
            name,
            version,
            payload,
            metadata,
        })
    }

    /// The bytes of a fact, payload and metadata.
    pub fn bytes(&self) -> (&Bytes, &Bytes) {
        (&self.payload, &self.metadata)
    }

    /// How many bytes these are.
    pub fn len(&self) -> usize {
        self.payload.len() + self.metadata.len()
    }

    /// What the fact is called, and in which version.
    pub fn name(&self) -> (&'static str, &'static str) {
        (self.name, self.version)
    }

    /// A fact behind version `expected` of the order's stream.
    pub fn append(&self, order: OrderId, expected: Sequence) -> Append {
        let stream = StreamId::of(Category::Order, order);
        let fact = NewFact {
            stream: stream.clone(),
            sequence: expected + 1,
            name: self.name,
            version: self.version,
            payload: self.payload.clone(),
            metadata: self.metadata.clone(),
        };
        Append {
            expect: vec![(stream, expected)],
            facts: vec![fact],
            ..Append::default()
        }
    }

    /// The same with a reply under a key of its own, of the size of an order's.
    pub fn append_once(&self, order: OrderId, expected: Sequence) -> Append {
        let id = order.to_string();
        let reply = StoredReply {
            scope: "POST /api/orders".to_owned(),
            key: format!("{id}-{expected}"),
            hash: [7; 32],
            status: 201,
            body: vec![b'x'; 180],
            location: Some(format!("/api/orders/{id}")),
            token: Some(format!("order-{id}-{}", expected + 1)),
            stored_at: clock::now(),
        };
        Append {
            reply: Some(reply),
            ..self.append(order, expected)
        }
    }
}
