//! Micro-benchmarks of the pure verbs and of encoding: `cargo bench -p bench`. A regression here is
//! seen by itself, before it drowns in what a whole hop takes.

#![expect(
    clippy::unwrap_used,
    reason = "what cannot be made has nothing to measure"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use domain::inventory::{hold, reservation, stock};
use domain::order::{self, Command, Order, Place};
use domain::process::react;
use domain::values::{Currency, CustomerId, Item, Items, Line, OrderId, Quantity, Sku, UnitPrice};
use domain::view::order_timeline::OrderTimeline;
use domain::view::order_view::OrderView;
use domain::{Category, Decider, OrderContext, Recorded, StreamId, View, fold};
use infra::event_store::StoredFact;
use infra::{clock, codec, envelope, ids};

/// Lines of an order: two are usual, a hundred are the most.
const LINES: [usize; 2] = [2, 100];

fn place(lines: usize) -> Place {
    let item = |n| Item {
        sku: format!("sku-{n}").parse::<Sku>().unwrap(),
        quantity: quantity(1),
        unit_price: UnitPrice::try_from(1900).unwrap(),
    };
    Place {
        customer_id: "customer-7".parse::<CustomerId>().unwrap(),
        items: Items::try_from((0..lines).map(item).collect::<Vec<_>>()).unwrap(),
        currency: "EUR".parse::<Currency>().unwrap(),
        deadline_ms: 900_000,
    }
}

fn quantity(units: u64) -> Quantity {
    serde_json::from_value(units.into()).unwrap()
}

fn created(lines: usize) -> Recorded {
    let place = place(lines);
    let order = ids::order();
    let context = OrderContext {
        customer_id: place.customer_id.clone(),
        currency: place.currency,
        total_amount: place.items.total(),
        placed_at: clock::now(),
    };
    let events = Order::decide(&order::State::None, Command::Place(place));
    Recorded {
        id: StreamId::of(Category::Order, order).fact(1),
        position: 1,
        time: clock::now(),
        correlation: order.to_string(),
        causation: ids::unique().to_string(),
        order: Some(context),
        traceparent: None,
        fact: events.unwrap().remove(0).into(),
        written: None,
    }
}

fn stored(fact: &Recorded) -> StoredFact {
    let new = codec::encode(fact, ids::unique());
    StoredFact {
        id: fact.id.clone(),
        position: 1,
        name: new.name.to_owned(),
        version: new.version.to_owned(),
        payload: new.payload,
        metadata: new.metadata,
    }
}

fn verbs(c: &mut Criterion) {
    for lines in LINES {
        let place = place(lines);
        c.bench_function(&format!("decide/place/{lines}"), |b| {
            b.iter(|| Order::decide(&order::State::None, Command::Place(place.clone())));
        });
        let wanted: Vec<Line> = place
            .items
            .as_slice()
            .iter()
            .map(|item| Line {
                sku: item.sku.clone(),
                quantity: item.quantity,
            })
            .collect();
        let order: OrderId = ids::order();
        let plenty = stock::State {
            on_hand: 1_000_000,
            held: 0,
        };
        c.bench_function(&format!("decide/hold/{lines}"), |b| {
            b.iter(|| {
                let hold = reservation::Command::Hold {
                    lines: wanted.clone(),
                };
                hold::decide(order, &reservation::State::None, hold, |_| plenty)
            });
        });
        let fact = created(lines);
        c.bench_function(&format!("react/created/{lines}"), |b| {
            b.iter(|| react(black_box(&fact)));
        });
        c.bench_function(&format!("project/order-view/{lines}"), |b| {
            b.iter(|| OrderView.project(black_box(&fact)));
        });
        let read = codec::decode(&stored(&fact)).unwrap();
        c.bench_function(&format!("project/order-timeline/{lines}"), |b| {
            b.iter(|| OrderTimeline.project(black_box(&read)));
        });
    }
    let mut life = Order::decide(&order::State::None, Command::Place(place(2))).unwrap();
    life.push(order::Event::Completed {});
    c.bench_function("fold/order", |b| {
        b.iter(|| fold::<Order>(black_box(&life)));
    });
}

fn encoding(c: &mut Criterion) {
    for lines in LINES {
        let fact = created(lines);
        let command = ids::unique();
        c.bench_function(&format!("encode/created/{lines}"), |b| {
            b.iter(|| codec::encode(black_box(&fact), command));
        });
        let stored = stored(&fact);
        c.bench_function(&format!("decode/created/{lines}"), |b| {
            b.iter(|| codec::decode(black_box(&stored)));
        });
        c.bench_function(&format!("record-of/created/{lines}"), |b| {
            b.iter(|| envelope::record_of(black_box(&stored)));
        });
        let record = envelope::record_of(&stored).unwrap();
        c.bench_function(&format!("fact-of/created/{lines}"), |b| {
            b.iter(|| envelope::fact_of(black_box(&record)));
        });
    }
}

criterion_group!(pure, verbs, encoding);
criterion_main!(pure);
