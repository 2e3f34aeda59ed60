//! What a record on a `raw.*` topic is: a CloudEvent 1.0 in binary mode. The value is the fact's
//! payload, byte for byte; everything else about the fact is in headers.
//!
//! A fact that goes through a record comes back as it was, metadata and all: the headers carry
//! every key of the metadata that waybill writes. Headers that are not ours are passed over.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use bytes::Bytes;
use domain::{FactId, Position};

use crate::bus::Record;
use crate::codec::{self, Unreadable};
use crate::event_store::StoredFact;

/// The headers that every record of ours has, before those of its metadata.
const FIRST: [&str; 9] = [
    "ce_specversion",
    "content-type",
    "ce_id",
    "ce_type",
    "ce_source",
    "ce_subject",
    "ce_dataschema",
    "ce_sequence",
    "ce_position",
];
/// The headers that carry metadata, and under which key.
const METADATA: [(&str, &str); 9] = [
    ("ce_time", "time"),
    ("ce_correlationid", "correlationId"),
    ("ce_causationid", "causationId"),
    ("ce_commandid", "commandId"),
    ("ce_customerid", "customerId"),
    ("ce_currency", "currency"),
    ("ce_totalamount", "totalAmount"),
    ("ce_placedat", "placedAt"),
    ("traceparent", "traceparent"),
];

/// Marks a record that was published again by `waybill replay`.
pub const REPLAY: &str = "ce_replay";
/// The headers that a dead letter has beside those of its record: where it came from, which group
/// could not take it, and why.
pub const DEAD_LETTER: [&str; 8] = [
    "dlq-topic",
    "dlq-partition",
    "dlq-offset",
    "dlq-group",
    "dlq-class",
    "dlq-reason",
    "dlq-attempts",
    "dlq-parked-at",
];

/// The record of a fact.
///
/// # Errors
/// [`Unreadable`] where the metadata is not a flat object of strings.
pub fn record_of(fact: &StoredFact) -> Result<Record, Unreadable> {
    let mut metadata: BTreeMap<&str, String> = serde_json::from_slice(&fact.metadata)
        .map_err(|e| Unreadable::Broken(format!("metadata: {e}")))?;
    let StoredFact { id, name, .. } = fact;
    let mut headers = Vec::with_capacity(FIRST.len() + METADATA.len());
    let mut put = |key: &'static str, value: String| headers.push((key.into(), value.into()));
    put("ce_specversion", "1.0".to_owned());
    put("content-type", "application/json".to_owned());
    put("ce_id", id.to_string());
    put("ce_type", name.clone());
    put("ce_source", source_of(id));
    put("ce_subject", codec::key_of(id).to_owned());
    put("ce_dataschema", schema_of(name, &fact.version));
    put("ce_sequence", id.sequence.to_string());
    put("ce_position", fact.position.to_string());
    for (header, key) in METADATA {
        if let Some(value) = metadata.remove(key) {
            put(header, value);
        }
    }
    Ok(Record {
        key: Some(Bytes::copy_from_slice(codec::key_of(id).as_bytes())),
        payload: Some(fact.payload.clone()),
        headers,
    })
}

/// The name of a header, copied where it is none of ours.
pub fn header_name(name: &str) -> Cow<'static, str> {
    let ours = FIRST.into_iter().chain(METADATA.map(|(header, _)| header));
    let known = ours.into_iter().find(|known| *known == name);
    known.map_or_else(|| name.to_owned().into(), Cow::Borrowed)
}

/// The fact of a record.
///
/// # Errors
/// [`Unreadable`] says which header is missing or wrong.
pub fn fact_of(record: &Record) -> Result<StoredFact, Unreadable> {
    let id: FactId = parsed(record, "ce_id")?;
    let name = required(record, "ce_type")?;
    let schema = required(record, "ce_dataschema")?;
    let known = format!("urn:waybill:{name}:");
    let version = schema.strip_prefix(&known);
    let version = version.ok_or_else(|| broken(format!("ce_dataschema is no {known}<version>")))?;
    let key = record.key.as_deref().unwrap_or_default();
    if key != codec::key_of(&id).as_bytes() {
        return Err(Unreadable::WrongKey {
            key: String::from_utf8_lossy(key).into_owned(),
            fact: id.to_string(),
        });
    }
    let payload = record.payload.clone();
    Ok(StoredFact {
        position: parsed(record, "ce_position")?,
        name: name.to_owned(),
        version: version.to_owned(),
        payload: payload.ok_or_else(|| broken("the record has no value".to_owned()))?,
        metadata: metadata_of(record)?,
        id,
    })
}

/// More of a subject is not looked at: ours have 64 at most, and rows of parked facts have it in their
/// key, which Postgres bounds at some 2700 bytes.
const MAX_SUBJECT_CHARS: usize = 400;

/// What the record is about, and so what waits behind it: its subject where that can be read,
/// else its key. Keys of ours have no NUL; where there is one, its picture stands for it, since not
/// every store keeps it.
pub fn subject_of(record: &Record) -> String {
    let subject = text(record, "ce_subject").ok().flatten();
    let key = || String::from_utf8_lossy(record.key.as_deref().unwrap_or_default());
    let subject = subject.map_or_else(key, Cow::Borrowed);
    if subject.len() <= MAX_SUBJECT_CHARS && !subject.contains('\0') {
        return subject.into_owned();
    }
    let subject = subject.chars().take(MAX_SUBJECT_CHARS);
    subject
        .map(|c| if c == '\0' { '\u{2400}' } else { c })
        .collect()
}

/// The id of the record's fact, where that can be read.
pub fn id_of(record: &Record) -> Option<FactId> {
    parsed(record, "ce_id").ok()
}

/// The position of the record's fact in its log, where that can be read.
pub fn position_of(record: &Record) -> Option<Position> {
    parsed(record, "ce_position").ok()
}

/// `urn:waybill:{service}`: the log that the fact is in.
fn source_of(id: &FactId) -> String {
    format!("urn:waybill:{}", id.stream.category.service())
}

/// `urn:waybill:{name}:{version}`: the JSON schema of the value.
pub fn schema_of(name: &str, version: &str) -> String {
    format!("urn:waybill:{name}:{version}")
}

/// The metadata as waybill writes it: its keys in their order.
fn metadata_of(record: &Record) -> Result<Bytes, Unreadable> {
    let mut json = Vec::with_capacity(512);
    for (header, key) in METADATA {
        if let Some(value) = text(record, header)? {
            json.push(if json.is_empty() { b'{' } else { b',' });
            // Keys of ours, which need no escapes.
            json.push(b'"');
            json.extend_from_slice(key.as_bytes());
            json.extend_from_slice(b"\":");
            serde_json::to_writer(&mut json, value).map_err(|e| broken(e.to_string()))?;
        }
    }
    if json.is_empty() {
        json.push(b'{');
    }
    json.push(b'}');
    Ok(json.into())
}

fn broken(what: String) -> Unreadable {
    Unreadable::Broken(what)
}

fn text<'a>(record: &'a Record, header: &str) -> Result<Option<&'a str>, Unreadable> {
    let Some((_, value)) = record.headers.iter().find(|(key, _)| key == header) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(value);
    Ok(Some(
        text.map_err(|_| broken(format!("{header} is not UTF-8")))?,
    ))
}

fn required<'a>(record: &'a Record, header: &str) -> Result<&'a str, Unreadable> {
    text(record, header)?.ok_or_else(|| broken(format!("the header {header} is missing")))
}

fn parsed<T: FromStr>(record: &Record, header: &str) -> Result<T, Unreadable> {
    let text = required(record, header)?;
    let parsed = text.parse();
    parsed.map_err(|_| broken(format!("{header} cannot be {text:?}")))
}

#[cfg(test)]
mod tests {
    use domain::Category;
    use serde_json::json;

    use super::*;
    use crate::codec::tests::{published, stored};
    use crate::codec::{decode, encode};

    fn facts() -> Vec<StoredFact> {
        let as_written = |fact: StoredFact| {
            let command_id = "7f868704-a621-5628-88d9-e4b17101b5d5".parse().unwrap();
            let new = encode(&decode(&fact).unwrap(), command_id);
            StoredFact {
                payload: new.payload,
                metadata: new.metadata,
                ..fact
            }
        };
        let facts = published().into_iter();
        facts
            .map(|(category, payload)| as_written(stored(category, &payload)))
            .collect()
    }

    fn completed() -> Record {
        record_of(&stored(
            Category::Order,
            &json!({"type": "order.completed"}),
        ))
        .unwrap()
    }

    #[test]
    fn every_fact_comes_back_byte_for_byte() {
        for fact in facts() {
            let record = record_of(&fact).unwrap();
            assert_eq!(fact_of(&record).unwrap(), fact);
            assert_eq!(subject_of(&record), codec::key_of(&fact.id));
            assert_eq!(id_of(&record), Some(fact.id));
        }
    }

    #[test]
    fn a_record_without_one_of_our_headers_is_broken_and_the_header_is_named() {
        for header in ["ce_id", "ce_type", "ce_dataschema", "ce_position"] {
            let mut record = completed();
            record.headers.retain(|(key, _)| key != header);
            let e = fact_of(&record).unwrap_err();
            assert!(e.to_string().contains(header), "{e}");
            let mut record = completed();
            for (_, value) in record.headers.iter_mut().filter(|(key, _)| key == header) {
                *value = Bytes::from_static(b"\xff\xfe");
            }
            let e = fact_of(&record).unwrap_err();
            assert!(e.to_string().contains(header), "{e}");
        }
        let empty = Record {
            payload: None,
            ..completed()
        };
        assert!(matches!(fact_of(&empty), Err(Unreadable::Broken(_))));
    }

    #[test]
    fn a_record_under_a_wrong_key_is_told_apart_and_is_about_its_subject() {
        let record = Record {
            key: Some(Bytes::from_static(b"somebody-else")),
            ..completed()
        };
        assert!(matches!(fact_of(&record), Err(Unreadable::WrongKey { .. })));
        assert_eq!(subject_of(&record), subject_of(&completed()));
        let bare = Record {
            headers: vec![],
            ..record
        };
        assert_eq!(subject_of(&bare), "somebody-else");
    }

    #[test]
    fn headers_of_others_are_passed_over() {
        let mut record = completed();
        record
            .headers
            .push(("b3".into(), Bytes::from_static(b"\xff")));
        assert_eq!(fact_of(&record).unwrap(), fact_of(&completed()).unwrap());
    }
}
