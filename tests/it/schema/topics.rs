//! The AsyncAPI document, held against what is published, and what stands beside a payload.

use std::collections::{BTreeMap, BTreeSet};

use domain::Service;
use infra::bus::{KafkaPlace, Record};
use infra::codec;
use infra::envelope::{DEAD_LETTER, REPLAY, record_of};
use infra::event_store::StoredFact;
use serde_json::{Map, Value, json};

use super::events::{ORDER, every_published, every_version, read, schemas, validator};

fn document() -> Value {
    read(&schemas().join("asyncapi.json"))
}

fn metadata() -> Value {
    read(&schemas().join("events/metadata.json"))
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

fn texts(array: &Value) -> BTreeSet<&str> {
    let array = array.as_array().unwrap().iter();
    array.map(|text| text.as_str().unwrap()).collect()
}

/// Every example with the metadata of [`metadata`], as it is stored.
fn stored() -> Vec<StoredFact> {
    let metadata = metadata()["examples"][0].to_string();
    let every = every_published();
    let facts = every.iter().flat_map(|one| {
        let metadata = metadata.clone();
        one.examples().iter().map(move |example| StoredFact {
            metadata: metadata.clone().into(),
            ..one.stored(example)
        })
    });
    facts.collect()
}

fn headers_of(record: &Record) -> Value {
    let texts = record.headers.iter().map(|(key, value)| {
        let text = String::from_utf8(value.to_vec()).unwrap();
        (key.to_string(), Value::from(text))
    });
    Value::Object(texts.collect::<Map<_, _>>())
}

#[test]
fn every_service_has_a_topic_for_its_facts_and_one_for_dead_letters() {
    let document = document();
    let place = KafkaPlace::new("127.0.0.1:9092", "", BTreeMap::new());
    let channels = document["channels"].as_object().unwrap();
    let addresses: BTreeSet<_> = channels
        .values()
        .map(|channel| channel["address"].as_str().unwrap().to_owned())
        .collect();
    let facts = Service::ALL.map(|service| place.topic(service));
    let letters = Service::ALL.map(|service| place.dead_letters(service));
    assert_eq!(addresses, facts.into_iter().chain(letters).collect());
    assert_eq!(channels.len(), addresses.len());
    let operations = document["operations"].as_object().unwrap().values();
    let written: BTreeSet<_> = operations
        .map(|operation| operation["channel"]["$ref"].as_str().unwrap())
        .collect();
    assert_eq!(written.len(), channels.len());
}

#[test]
fn every_version_of_a_fact_is_a_message_of_its_services_topic() {
    let document = document();
    let mut expected: BTreeMap<Service, BTreeSet<String>> = BTreeMap::new();
    for one in every_published() {
        let (name, version) = (one.name, one.version);
        let key = format!("{name}.v{version}");
        let message = &document["components"]["messages"][&key];
        assert_eq!(message["name"], name, "{key}");
        let file = format!("./events/{}/{key}.json", one.category);
        assert_eq!(message["payload"]["schema"]["$ref"], file, "{key}");
        let fact = json!([{"$ref": "#/components/messageTraits/fact"}]);
        assert_eq!(message["traits"], fact, "{key}");
        let messages = expected.entry(one.category.service()).or_default();
        messages.insert(key);
    }
    for (service, expected) in expected {
        let facts = &document["channels"][format!("{service}-events")]["messages"];
        assert_eq!(keys(facts), expected.iter().map(String::as_str).collect());
        let letters = &document["channels"][format!("{service}-dead-letters")]["messages"];
        assert_eq!(keys(letters), BTreeSet::from(["dead-letter"]));
    }
    let messages = keys(&document["components"]["messages"]).len();
    assert_eq!(messages, every_version().count() + 1);
}

#[test]
fn the_headers_of_a_record_are_those_of_the_document() {
    let document = document();
    let schema = &document["components"]["schemas"]["factHeaders"];
    let validator = validator(schema);
    let documented = keys(&schema["properties"]);
    let required = texts(&schema["required"]);
    for fact in stored() {
        let record = record_of(&fact).unwrap();
        let headers = headers_of(&record);
        if let Err(e) = validator.validate(&headers) {
            panic!("{}: {e} at {}", fact.name, e.instance_path());
        }
        let mut written = keys(&headers);
        assert_eq!(
            record.headers.len(),
            written.len(),
            "a header is there twice"
        );
        written.insert(REPLAY);
        assert_eq!(written, documented);
        assert_eq!(record.key.unwrap(), headers["ce_subject"].as_str().unwrap());

        // Goods received, and rows of other writers, are of no order.
        let bare = json!({"time": "2026-01-31T12:00:00.000001Z", "correlationId": ORDER,
            "causationId": "order-1"});
        let bare = StoredFact {
            metadata: bare.to_string().into(),
            ..fact
        };
        let headers = headers_of(&record_of(&bare).unwrap());
        assert_eq!(keys(&headers), required);
        assert!(validator.is_valid(&headers));
    }
    let sources = Service::ALL.map(|service| format!("urn:waybill:{service}"));
    let documented = texts(&schema["properties"]["ce_source"]["enum"]);
    assert_eq!(documented, sources.iter().map(String::as_str).collect());
}

#[test]
fn a_dead_letter_says_where_it_came_from_and_why() {
    let document = document();
    let schema = &document["components"]["schemas"]["deadLetterHeaders"];
    assert_eq!(keys(&schema["properties"]), DEAD_LETTER.into());
    assert_eq!(texts(&schema["required"]), DEAD_LETTER.into());
}

#[test]
fn what_stands_beside_a_payload_is_what_its_schema_says() {
    let schema = metadata();
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = validator(&schema);
    for fact in stored() {
        let read = codec::decode(&fact).unwrap();
        let written = codec::encode(&read, uuid::Uuid::nil()).metadata;
        let metadata: Value = serde_json::from_slice(&written).unwrap();
        assert!(validator.is_valid(&metadata), "{metadata}");
        assert_eq!(keys(&metadata), keys(&schema["properties"]));
    }
    // The first fact of an order says in its payload what the order is about.
    let mut facts = stored().into_iter();
    let mut fact = facts.find(|fact| fact.name == "order.completed").unwrap();
    // What an order is about is there as a whole, or not at all.
    let mut required = texts(&schema["required"]);
    required.extend(keys(&schema["dependentRequired"]));
    for key in keys(&schema["properties"]) {
        let mut without = schema["examples"][0].clone();
        without.as_object_mut().unwrap().remove(key);
        fact.metadata = without.to_string().into();
        assert_eq!(
            validator.is_valid(&without),
            !required.contains(key),
            "{key}"
        );
        assert_eq!(
            codec::decode(&fact).is_ok(),
            !required.contains(key),
            "{key}"
        );
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = document();
    let mut found = vec![];
    references(&document, &mut found);
    assert!(found.len() > 100, "{}", found.len());
    let mut named = BTreeSet::new();
    for reference in found {
        let there = match reference.strip_prefix('#') {
            Some(pointer) => document.pointer(pointer).is_some(),
            None => schemas().join(reference).is_file(),
        };
        assert!(there, "{reference} leads nowhere");
        named.insert(reference);
    }
    // And all that is kept for reference is referred to.
    for kind in keys(&document["components"]) {
        for key in keys(&document["components"][kind]) {
            let reference = format!("#/components/{kind}/{key}");
            assert!(named.contains(&*reference), "{reference} is not used");
        }
    }
}
