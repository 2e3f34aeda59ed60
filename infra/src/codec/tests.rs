use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use domain::view::Fold;
use domain::view::order_timeline::OrderTimeline;
use domain::{FactId, StreamId, View};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

const ORDER: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const OTHER: &str = "7f868704-a621-5628-88d9-e4b17101b5d5";
const TIME: &str = "2026-01-31T12:00:00.000001Z";

/// The examples of the schema of every version in which facts are written today. What stands there
/// was published, and is added to only.
pub(crate) fn published() -> Vec<(Category, Value)> {
    let today = VERSIONS.iter();
    today
        .flat_map(|(name, version)| examples(name, version))
        .collect()
}

/// The examples of `schemas/events/{category}/{name}.v{version}.json`.
pub(crate) fn examples(name: &str, version: &str) -> Vec<(Category, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/events");
    let file = |category: &Category| folder.join(format!("{category}/{name}.v{version}.json"));
    let category = Category::ALL
        .into_iter()
        .find(|category| file(category).exists())
        .unwrap_or_else(|| panic!("{name} of version {version} has no schema"));
    let schema = fs::read_to_string(file(&category)).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let examples = schema["examples"].as_array().unwrap().iter();
    examples
        .map(|example| (category, example.clone()))
        .collect()
}

fn metadata() -> Value {
    json!({
        "time": TIME,
        "correlationId": ORDER,
        "causationId": "order-1",
        "commandId": OTHER,
        "customerId": "customer-7",
        "currency": "EUR",
        "totalAmount": "1900",
        "placedAt": TIME,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    })
}

/// A fact as a store has it, of the version that is written today.
pub(crate) fn stored(category: Category, payload: &Value) -> StoredFact {
    let name = payload["type"].as_str().unwrap();
    StoredFact {
        id: FactId {
            stream: StreamId {
                category,
                id: ORDER.to_owned(),
            },
            sequence: 7,
        },
        position: 9,
        name: name.to_owned(),
        version: version_of(name).unwrap_or("1").to_owned(),
        payload: payload.to_string().into(),
        metadata: metadata().to_string().into(),
    }
}

#[test]
fn every_published_fact_is_read_and_written_again_as_it_was() {
    let command_id: Uuid = OTHER.parse().unwrap();
    for (category, payload) in published() {
        let recorded = decode(&stored(category, &payload)).unwrap();
        assert_eq!(recorded.fact.name(), payload["type"]);
        let again = encode(&recorded, command_id);
        assert_eq!(again.name, payload["type"]);
        assert_eq!(
            serde_json::from_slice::<Value>(&again.payload).unwrap(),
            payload
        );
        let written: Value = serde_json::from_slice(&again.metadata).unwrap();
        assert_eq!(written, metadata());
        assert!(written.as_object().unwrap().values().all(Value::is_string));
    }
}

#[test]
fn every_older_version_is_read_as_todays_and_not_written_again() {
    for step in STEPS {
        for (category, payload) in examples(step.name, step.from) {
            let older = StoredFact {
                version: step.from.to_owned(),
                ..stored(category, &payload)
            };
            let recorded = decode(&older).unwrap();
            let again = encode(&recorded, Uuid::nil());
            assert_eq!(Some(again.version), version_of(step.name));
            let today = StoredFact {
                version: again.version.to_owned(),
                payload: again.payload,
                ..older.clone()
            };
            let read = decode(&today).unwrap();
            assert_eq!(read.fact, recorded.fact);
            let kept = recorded.written.unwrap();
            assert_eq!(kept.version, step.from);
            assert_eq!(kept.payload.as_bytes(), older.payload, "letter for letter");
        }
    }
}

#[test]
fn the_list_of_versions_names_every_fact() {
    let published = published();
    let names: BTreeSet<_> = published
        .iter()
        .map(|(_, p)| p["type"].as_str().unwrap())
        .collect();
    let listed: BTreeSet<_> = VERSIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, Fact::names().collect());
    assert_eq!(listed, names, "a schema has no example");
    assert_eq!(VERSIONS.len(), listed.len());
}

#[test]
fn a_reader_ignores_fields_that_it_does_not_know() {
    let payload = json!({"type": "order.completed", "rating": 5});
    let mut fact = stored(Category::Order, &payload);
    let mut metadata = metadata();
    metadata["tenant"] = json!("seven");
    fact.metadata = metadata.to_string().into();
    assert_eq!(decode(&fact).unwrap().fact.name(), "order.completed");
}

#[test]
fn an_unknown_name_or_version_is_told_from_a_broken_fact() {
    let payload = json!({"type": "order.gift-wrapped"});
    let unknown = decode(&stored(Category::Order, &payload));
    assert!(
        matches!(unknown, Err(Unreadable::Unknown { .. })),
        "{unknown:?}"
    );

    let mut newer = stored(Category::Order, &json!({"type": "order.completed"}));
    newer.version = "2".to_owned();
    assert!(matches!(decode(&newer), Err(Unreadable::Unknown { .. })));

    let broken = |change: &dyn Fn(&mut StoredFact)| {
        let mut fact = stored(Category::Order, &json!({"type": "order.completed"}));
        change(&mut fact);
        let read = decode(&fact);
        assert!(matches!(read, Err(Unreadable::Broken(_))), "{read:?}");
    };
    broken(&|fact| fact.payload = "{".into());
    broken(&|fact| fact.payload = r#"{"type":"order.cancelled","reason":"x"}"#.into());
    broken(&|fact| fact.payload = r#"{"reason":"x"}"#.into());
    broken(&|fact| fact.metadata = "{}".into());
    broken(&|fact| {
        let metadata = metadata().to_string().replace(TIME, "yesterday");
        fact.metadata = metadata.into();
    });
    broken(&|fact| {
        let metadata = metadata().to_string().replace("1900", "-1");
        fact.metadata = metadata.into();
    });
    broken(&|fact| fact.id.stream.category = Category::Payment);
}

#[test]
fn a_fact_without_an_order_belongs_to_none() {
    let payload = json!({"type": "stock.received", "quantity": 10, "onHand": 10, "held": 0});
    let mut fact = stored(Category::Stock, &payload);
    let bare = json!({"time": TIME, "correlationId": "sku-1", "causationId": "c"});
    fact.metadata = bare.to_string().into();
    assert_eq!(decode(&fact).unwrap().order, None);
}

#[test]
fn the_placing_of_an_order_says_by_itself_what_the_order_is() {
    for (category, payload) in published() {
        let mut fact = stored(category, &payload);
        let whole = decode(&fact).unwrap();
        let bare = json!({"time": TIME, "correlationId": ORDER, "causationId": "c"});
        fact.metadata = bare.to_string().into();
        let order = decode(&fact).unwrap().order;
        assert_eq!(order.is_some(), fact.name == "order.created");
        if let Some(order) = order {
            assert_eq!(order.placed_at, whole.time);
            assert_eq!(order.customer_id.as_str(), payload["customerId"]);
        }
    }
}

#[test]
fn a_fact_comes_back_from_its_row_in_the_timeline() {
    for (category, payload) in published() {
        if category == Category::Stock {
            continue;
        }
        let recorded = decode(&stored(category, &payload)).unwrap();
        let patch = OrderTimeline.project(&recorded).unwrap();
        let place = patch.key[1..].to_vec();
        let mut row = Fold::default();
        row.add(patch);
        let cells = row.cells(OrderTimeline.schema());
        let entry = Entry::read(ORDER.parse().unwrap(), &place, &cells).unwrap();
        let read = decode_entry(&entry).unwrap();
        let kept = Recorded {
            order: None,
            traceparent: None,
            ..recorded
        };
        assert_eq!(read, kept);
    }
}
