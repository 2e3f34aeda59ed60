//! A fact that breaks an invariant: a delivery that has left for an order which nobody placed.

use domain::values::OrderId;
use domain::{Category, StreamId};
use infra::event_store::{Append, EventStore, NewFact};
use infra::{clock, ids};
use oracle::World;
use serde_json::{Value, json};

use crate::oracle::audit;

/// The groups that would have to do something about it: the others have nothing to say.
pub const MINDED_BY: [&str; 2] = ["inventory", "payment"];

/// Appends it, as somebody else would have written it; says of which order it is.
pub async fn append(store: &dyn EventStore) -> String {
    let log = store.read_log(0, usize::MAX).await.unwrap();
    let left = log.iter().find(|fact| fact.name == "delivery.dispatched");
    let left = left.unwrap().clone();
    let order: OrderId = ids::order();
    let stream = StreamId::of(Category::Delivery, order);
    let mut about: Value = serde_json::from_slice(&left.metadata).unwrap();
    about["time"] = clock::now().to_string().into();
    about["correlationId"] = order.to_string().into();
    let command = ids::unique().to_string();
    about["commandId"] = command.clone().into();
    about["causationId"] = command.into();
    let fact = NewFact {
        stream: stream.clone(),
        sequence: 1,
        name: "delivery.dispatched",
        version: "1",
        payload: left.payload,
        metadata: about.to_string().into(),
    };
    let request = Append {
        expect: vec![(stream, 0)],
        facts: vec![fact],
        ..Append::default()
    };
    store.append(request).await.unwrap();
    order.to_string()
}

/// That a letter is one of those.
pub fn expect_letter(letter: &Value, order: &str) {
    assert_eq!(letter["class"], "invariant", "{letter}");
    assert_eq!(letter["key"], order);
    assert!(MINDED_BY.contains(&letter["group"].as_str().unwrap()));
}

/// That the oracle says that nobody asked for it, and finds nothing else of which nobody did; what
/// there is beside it.
pub fn expect_named(mut world: World, order: &str) -> World {
    let report = audit(&world);
    let named = &report.check("I2").unwrap().findings;
    assert!(!named.is_empty(), "{report}");
    for finding in named {
        assert!(finding.subject.contains(order), "{report}");
    }
    world.facts.retain(|fact| fact.stored.of != order);
    for table in &mut world.tables {
        table.rows.retain(|row| !row.key.contains(&json!(order)));
    }
    let is_other = |key: &Option<String>| key.as_deref() != Some(order);
    if let Some(records) = &mut world.topics {
        records.retain(|record| is_other(&record.key));
    }
    if let Some(letters) = &mut world.dead_letters {
        letters.retain(|letter| is_other(&letter.key));
    }
    world.parked.retain(|row| row.key != order);
    world.poison.retain(|poison| poison.key != order);
    world
}
