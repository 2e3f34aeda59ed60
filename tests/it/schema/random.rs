//! Facts made up from their schemas: what a schema allows, the codec reads and writes again.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use domain::values::{MAX_AMOUNT, Timestamp};
use infra::codec;
use infra::event_store::StoredFact;
use proptest::prelude::*;
use proptest::strategy::Union;
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use super::events::{Published, every_published, published};

/// Cases of each version: some 35 versions in about two seconds.
const CASES: u32 = 64;

#[test]
fn what_a_schema_allows_is_read_and_written_again_as_it_was() {
    for one in every_published() {
        let today = published(one.name, codec::version_of(one.name).unwrap());
        check(&one, |payload| {
            let read = codec::decode(&one.stored(payload));
            if !adds_up(payload) {
                prop_assert!(read.is_err(), "no order has these lines: {payload}");
                return Ok(());
            }
            let read = read.map_err(|e| TestCaseError::fail(format!("{e}: {payload}")))?;
            let written = codec::encode(&read, uuid::Uuid::nil());
            let again: Value = serde_json::from_slice(&written.payload).unwrap();
            prop_assert_eq!(written.version, today.version);
            prop_assert!(today.is_valid(&again), "written is {again}");
            if one.version == today.version {
                prop_assert_eq!(&again, payload);
            }
            let stored = StoredFact {
                version: written.version.to_owned(),
                payload: written.payload,
                ..one.stored(payload)
            };
            prop_assert_eq!(codec::decode(&stored).unwrap().fact, read.fact);
            Ok(())
        });
    }
}

fn check(one: &Published, test: impl Fn(&Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let what = format!("{} {}", one.name, one.version);
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&values(&one.schema), |payload| {
        prop_assert!(one.is_valid(&payload), "made up wrongly: {payload}");
        test(&payload)
    });
    if let Err(e) = outcome {
        panic!("{what}: {e}");
    }
}

/// What the schema of an order says in words only: each SKU once, and a sum that is an amount.
fn adds_up(payload: &Value) -> bool {
    let Some(items) = payload["items"].as_array() else {
        return true;
    };
    let cost = |item: &Value| {
        let number = |field: &str| u128::from(item[field].as_u64().unwrap());
        number("quantity") * number("unitPrice")
    };
    let mut seen = HashSet::new();
    items.iter().all(|item| seen.insert(&item["sku"]))
        && items.iter().map(cost).sum::<u128>() <= u128::from(MAX_AMOUNT)
}

/// Values that a schema allows; of the words that are used in ours.
fn values(schema: &Value) -> BoxedStrategy<Value> {
    if let Some(only) = schema.get("const") {
        return Just(only.clone()).boxed();
    }
    if let Some(some) = schema.get("enum") {
        return proptest::sample::select(some.as_array().unwrap().clone()).boxed();
    }
    let number = |word: &str| schema[word].as_u64().unwrap();
    let size = |word: &str| usize::try_from(number(word)).unwrap();
    match schema["type"].as_str().unwrap() {
        "object" => object(schema),
        "array" => {
            let (most, least) = (size("maxItems"), size("minItems"));
            let some = least..=(least + 3).min(most);
            let many = |size: RangeInclusive<usize>| {
                prop::collection::vec(values(&schema["items"]), size).prop_map(Value::from)
            };
            prop_oneof![9 => many(some), 1 => many(most..=most)].boxed()
        }
        "integer" => {
            let (least, most) = (number("minimum"), number("maximum"));
            let few = least..=most.min(least + 1000);
            prop_oneof![Just(least), Just(most), few, least..=most]
                .prop_map(Value::from)
                .boxed()
        }
        "string" => string(schema),
        other => panic!("no values of type {other}"),
    }
}

fn object(schema: &Value) -> BoxedStrategy<Value> {
    let required = schema["required"].as_array().unwrap();
    let fields = schema["properties"].as_object().unwrap();
    let fields = fields.iter().map(|(field, schema)| {
        let field = field.clone();
        let needed = required.contains(&json!(field));
        let there = if needed {
            Just(true).boxed()
        } else {
            any::<bool>().boxed()
        };
        (there, values(schema))
            .prop_map(move |(there, value)| there.then(|| (field.clone(), value)))
    });
    let fields: Vec<_> = fields.collect();
    fields
        .prop_map(|fields| Value::Object(fields.into_iter().flatten().collect::<Map<_, _>>()))
        .boxed()
}

fn string(schema: &Value) -> BoxedStrategy<Value> {
    let made: BoxedStrategy<String> = if schema["format"] == "date-time" {
        let years_1_to_9999 = -62_135_596_800_000_000..=253_402_300_799_999_999_i64;
        years_1_to_9999
            .prop_map(|micros| Timestamp::from_micros(micros).to_string())
            .boxed()
    } else if let Some(longest) = schema["maxLength"].as_u64() {
        let longest = usize::try_from(longest).unwrap();
        let visible = any::<char>().prop_filter("neither control nor space", |c| {
            !c.is_control() && !c.is_whitespace() && *c != '\u{feff}'
        });
        let of = |size| {
            let chars = prop::collection::vec(visible.clone(), size);
            chars.prop_map(|chars| chars.into_iter().collect::<String>())
        };
        Union::new([of(1..=1), of(1..=12), of(longest..=longest)]).boxed()
    } else {
        let pattern = schema["pattern"].as_str().unwrap();
        let pattern = pattern.trim_start_matches('^').trim_end_matches('$');
        string_regex(pattern).unwrap().boxed()
    };
    made.prop_map(Value::from).boxed()
}
