//! The record of any fact. A row that somebody else wrote may have metadata that is no flat object
//! of strings; it is published with what there is, since a gap would stop all that is behind it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::bus::Record;
use crate::codec::Unreadable;
use crate::envelope;
use crate::event_store::StoredFact;

/// The record of a fact, and then what is left of it where that is too large: without its value,
/// and without its metadata too.
pub fn records_of(fact: &StoredFact) -> impl Iterator<Item = Record> + '_ {
    let whole = || record_of(fact).ok();
    let no_value = || Some(without_value(record_of(fact).ok()?));
    let bare = || {
        let no_metadata = StoredFact {
            metadata: "{}".into(),
            ..fact.clone()
        };
        Some(without_value(record_of(&no_metadata).ok()?))
    };
    let all: [Box<dyn Fn() -> Option<Record> + '_>; 3] =
        [Box::new(whole), Box::new(no_value), Box::new(bare)];
    all.into_iter().filter_map(|record| record())
}

fn record_of(fact: &StoredFact) -> Result<Record, Unreadable> {
    envelope::record_of(fact).or_else(|_| envelope::record_of(&flat(fact)))
}

fn without_value(record: Record) -> Record {
    Record {
        payload: None,
        ..record
    }
}

/// The fact with those of its metadata that are strings under plain names.
fn flat(fact: &StoredFact) -> StoredFact {
    let all: Map<String, Value> = serde_json::from_slice(&fact.metadata).unwrap_or_default();
    let strings = all.iter().filter_map(|(key, value)| {
        let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        plain.then_some((key, value.as_str()?))
    });
    let strings: BTreeMap<_, _> = strings.collect();
    StoredFact {
        metadata: serde_json::to_vec(&strings).unwrap_or_default().into(),
        ..fact.clone()
    }
}

#[cfg(test)]
mod tests {
    use domain::Category;
    use serde_json::json;

    use super::*;
    use crate::codec::tests::stored;

    #[test]
    fn a_fact_with_any_metadata_has_a_record_with_the_strings_of_it() {
        let strange = [
            r#"{"time":"2026-01-01T00:00:00.000000Z","nested":{"a":1},"\u0061\n":"b"}"#,
            "[1]",
            "null",
            "",
        ];
        for metadata in strange {
            let fact = StoredFact {
                metadata: metadata.as_bytes().to_vec().into(),
                ..stored(Category::Order, &json!({"type": "order.completed"}))
            };
            let record = record_of(&fact).unwrap();
            assert_eq!(record.payload, Some(fact.payload));
            let time = record.headers.iter().any(|(key, _)| key == "ce_time");
            assert_eq!(time, metadata.contains("time"), "{metadata}");
        }
    }
}
