//! The schema of every version of every fact, held against the codec that reads and writes them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use domain::{Category, FactId, StreamId};
use infra::codec::{self, STEPS, Unreadable, VERSIONS};
use infra::event_store::StoredFact;
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

pub const ORDER: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const TIME: &str = "2026-01-31T12:00:00.000001Z";

/// A version of a fact, as its file has it.
pub struct Published {
    pub category: Category,
    pub name: &'static str,
    pub version: &'static str,
    pub schema: Value,
    pub validator: Validator,
}

/// Every version that is read, today's and older.
pub fn every_version() -> impl Iterator<Item = (&'static str, &'static str)> {
    let older = STEPS.iter().map(|step| (step.name, step.from));
    VERSIONS.iter().copied().chain(older)
}

pub fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

pub fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Formats are checked, which a validator may leave out.
pub fn validator(schema: &Value) -> Validator {
    let options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true);
    options.build(schema).unwrap()
}

/// The category whose facts have names like this one.
fn category_of(name: &str) -> Category {
    let there = |category: &Category| {
        let file = format!("events/{category}/{name}.v1.json");
        schemas().join(file).exists()
    };
    let found = Category::ALL.into_iter().find(there);
    found.unwrap_or_else(|| panic!("{name} has no schema"))
}

pub fn published(name: &'static str, version: &'static str) -> Published {
    let category = category_of(name);
    let schema = read(&schemas().join(format!("events/{category}/{name}.v{version}.json")));
    Published {
        validator: validator(&schema),
        category,
        name,
        version,
        schema,
    }
}

pub fn every_published() -> Vec<Published> {
    every_version()
        .map(|(name, version)| published(name, version))
        .collect()
}

impl Published {
    pub fn examples(&self) -> &[Value] {
        self.schema["examples"].as_array().unwrap()
    }

    /// The payload as a store has it.
    pub fn stored(&self, payload: &Value) -> StoredFact {
        let metadata = json!({"time": TIME, "correlationId": ORDER, "causationId": "order-1"});
        let stream = StreamId {
            category: self.category,
            id: ORDER.to_owned(),
        };
        StoredFact {
            id: FactId {
                stream,
                sequence: 7,
            },
            position: 9,
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            payload: payload.to_string().into(),
            metadata: metadata.to_string().into(),
        }
    }

    pub fn is_valid(&self, payload: &Value) -> bool {
        self.validator.is_valid(payload)
    }

    pub fn decodes(&self, payload: &Value) -> Result<(), Unreadable> {
        codec::decode(&self.stored(payload)).map(|_| ())
    }
}

#[test]
fn every_version_that_is_read_has_a_schema_and_every_schema_is_of_one() {
    let mut files = BTreeSet::new();
    for category in Category::ALL {
        let folder = schemas().join(format!("events/{category}"));
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(files.insert(name.clone()), "{name} is there twice");
        }
    }
    let read = every_version().map(|(name, version)| format!("{name}.v{version}.json"));
    assert_eq!(files, read.collect());
}

#[test]
fn every_schema_is_one_and_says_what_it_is_of() {
    for one in every_published() {
        let id = infra::envelope::schema_of(one.name, one.version);
        assert!(jsonschema::meta::is_valid(&one.schema), "{id}");
        assert_eq!(one.schema["$id"], id);
        assert_eq!(
            one.schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        assert_eq!(one.schema["title"], one.name);
        assert_eq!(one.schema["properties"]["type"]["const"], one.name);
        assert!(one.name.starts_with(one.category.fact_prefix()), "{id}");
        assert!(is_explained(&one.schema), "{id} has no description");
        for (field, schema) in one.schema["properties"].as_object().unwrap() {
            let known = field == "type" || is_explained(schema);
            assert!(known, "{field} of {id} has no description");
        }
    }
}

fn is_explained(schema: &Value) -> bool {
    schema["description"]
        .as_str()
        .is_some_and(|text| text.ends_with('.'))
}

#[test]
fn every_example_is_of_its_schema_and_can_be_read() {
    for one in every_published() {
        assert!(!one.examples().is_empty(), "{} has no example", one.name);
        for example in one.examples() {
            if let Err(e) = one.validator.validate(example) {
                panic!("{} {}: {e} at {}", one.name, one.version, e.instance_path());
            }
            one.decodes(example).unwrap();
            // Newer writers add fields: neither the schema nor the codec minds.
            let mut newer = example.clone();
            newer["addedLater"] = json!({"by": "a newer version"});
            assert!(one.is_valid(&newer), "{newer}");
            one.decodes(&newer).unwrap();
        }
    }
}

#[test]
fn every_field_is_in_an_example_and_can_be_missing_where_it_is_in_none() {
    for one in every_published() {
        let fields = one.schema["properties"].as_object().unwrap();
        let examples = one.examples();
        for field in fields.keys() {
            let in_all = examples.iter().all(|example| example.get(field).is_some());
            let in_some = examples.iter().any(|example| example.get(field).is_some());
            let required = one.schema["required"].as_array().unwrap();
            let required = required.contains(&json!(field));
            assert!(in_some, "{field} of {}", one.name);
            assert_eq!(in_all, required, "{field} of {}", one.name);
        }
    }
}

#[test]
fn what_lacks_a_field_is_refused_by_the_schema_exactly_where_the_codec_refuses_it() {
    for one in every_published() {
        for example in one.examples() {
            for path in paths(example) {
                let mut without = example.clone();
                if remove(&mut without, &path) {
                    let (schema, codec) = (one.is_valid(&without), one.decodes(&without));
                    assert_eq!(
                        schema,
                        codec.is_ok(),
                        "without {path}: {without}: {codec:?}"
                    );
                }
            }
        }
    }
}

/// Readers take a little more than is written: see [`is_tolerated`].
#[test]
fn what_has_a_wrong_value_is_refused_by_the_schema_exactly_where_the_codec_refuses_it() {
    let wrong = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0.5),
        json!(9_007_199_254_740_992_u64),
        json!(""),
        json!(" \u{3000}"),
        json!("two\nlines"),
        json!("a\u{85}b"),
        json!("x"),
        json!("EURO"),
        json!("eur"),
        json!("XXX"),
        json!("2026-13-31T12:00:00.000001Z"),
        json!("y".repeat(64)),
        json!("é".repeat(65)),
        json!("y".repeat(100)),
        json!("é".repeat(101)),
        json!("y".repeat(200)),
        json!("é".repeat(201)),
        json!({}),
        json!([{}]),
        json!([null]),
    ];
    let mut refused = 0;
    for one in every_published() {
        for example in one.examples() {
            for path in paths(example) {
                for value in &wrong {
                    let mut changed = example.clone();
                    *changed.pointer_mut(&path).unwrap() = value.clone();
                    let (schema, codec) = (one.is_valid(&changed), one.decodes(&changed));
                    let same = schema == codec.is_ok();
                    let known = !schema && is_tolerated(&path, value);
                    assert!(
                        same || known,
                        "{schema} by the schema, {codec:?}: {changed}"
                    );
                    refused += usize::from(!schema);
                }
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

/// What is never written and is read nevertheless: a field that may be missing and is null, and
/// numbers past those that every reader keeps exact.
fn is_tolerated(path: &str, value: &Value) -> bool {
    let field = path.rsplit('/').next().unwrap_or_default();
    let optional = ["undoReason", "settledByHand", "deliveryId"];
    let unchecked = ["deadlineMs", "onHand", "held", "wanted", "available"];
    (value.is_null() && optional.contains(&field)) || (value.is_u64() && unchecked.contains(&field))
}

/// The JSON pointers of all that is in a payload, without the payload itself.
fn paths(value: &Value) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.map(|(n, v)| (n.to_string(), v)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![],
    };
    let with_own = |(key, value): (String, &Value)| {
        let below = paths(value).into_iter();
        let below: Vec<_> = below.map(|path| format!("/{key}{path}")).collect();
        [vec![format!("/{key}")], below].concat()
    };
    inner.into_iter().flat_map(with_own).collect()
}

/// False where it is no field.
fn remove(value: &mut Value, path: &str) -> bool {
    let (parent, field) = path.rsplit_once('/').unwrap();
    let parent = value.pointer_mut(parent).unwrap().as_object_mut();
    parent.is_some_and(|fields| fields.remove(field).is_some())
}
