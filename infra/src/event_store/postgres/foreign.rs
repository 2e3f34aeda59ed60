//! Rows that somebody else wrote, with a stock repository of postgres-es for one.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use domain::FactId;
use domain::values::Timestamp;
use serde_json::{Map, Value};

use super::values::{Micros, corrupt};
use crate::event_store::StoreError;

/// The metadata of `id`, with what is known of a fact whose writer did not say it: it happened when
/// it was recorded, it is about its stream, and nothing is behind it but itself.
///
/// What waybill wrote is told by its first bytes and costs next to nothing. What is no object at
/// all is left as it is, for the codec to name.
pub fn completed(
    metadata: Bytes,
    id: &FactId,
    recorded_at: impl FnOnce() -> Result<Micros, StoreError>,
) -> Result<Bytes, StoreError> {
    if is_ours(&metadata) {
        return Ok(metadata);
    }
    let Ok(mut keys) = serde_json::from_slice::<Map<String, Value>>(&metadata) else {
        return Ok(metadata);
    };
    let complete = ["time", "correlationId", "causationId"]
        .iter()
        .all(|key| keys.contains_key(*key));
    if complete {
        return Ok(metadata);
    }
    let time = Timestamp::from(recorded_at()?).to_string();
    let mut missing = |key: &str, value: String| {
        keys.entry(key).or_insert(Value::String(value));
    };
    missing("time", time);
    missing("correlationId", id.stream.id.clone());
    missing("causationId", id.to_string());
    Ok(serde_json::to_vec(&keys).map_err(corrupt)?.into())
}

/// True where the text begins with the three keys that no fact lacks, in the order in which the
/// codec writes them. False says nothing.
fn is_ours(metadata: &[u8]) -> bool {
    let keys = [
        b"{\"time\":\"".as_slice(),
        b",\"correlationId\":\"",
        b",\"causationId\":\"",
    ];
    let mut rest = metadata;
    for key in keys {
        let Some(value) = rest.strip_prefix(key) else {
            return false;
        };
        let Some(end) = value.iter().position(|b| *b == b'"') else {
            return false;
        };
        rest = &value[end + 1..];
    }
    true
}

/// Whether rows of aggregates that are not ours have been met; told once a process and store.
#[derive(Default)]
pub struct Strangers {
    told: AtomicBool,
}

impl Strangers {
    /// Such a row belongs to no service, so there is no topic for it, and nothing here knows what
    /// it means.
    pub fn met(&self, aggregate_type: &str, position: i64) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                aggregate_type,
                position,
                "the table of events has rows of an aggregate that is not ours: they are passed over"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{Category, StreamId};

    use super::*;
    use crate::codec;

    fn id() -> FactId {
        let stream = StreamId {
            category: Category::Order,
            id: "an-order".to_owned(),
        };
        stream.fact(3)
    }

    fn complete(metadata: &str) -> String {
        let noon = Timestamp::from_micros(1_767_268_800_000_001);
        let bytes = completed(metadata.to_owned().into(), &id(), || Ok(noon.into())).unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn what_waybill_writes_is_known_as_ours() {
        for (category, payload) in codec::tests::published() {
            let stored = codec::tests::stored(category, &payload);
            let read = codec::decode(&stored).unwrap();
            let written = codec::encode(&read, uuid::Uuid::nil());
            assert!(is_ours(&written.metadata), "{:?}", written.metadata);
        }
    }

    #[test]
    fn a_key_that_is_missing_is_added_and_one_that_is_there_is_kept() {
        let all = r#"{"causationId":"order-an-order-3","correlationId":"an-order","time":"2026-01-01T12:00:00.000001Z"}"#;
        assert_eq!(complete("{}"), all);
        let more = complete(r#"{"tenant":"a","correlationId":"mine"}"#);
        let more: Value = serde_json::from_str(&more).unwrap();
        assert_eq!(more["correlationId"], "mine");
        assert_eq!(more["causationId"], "order-an-order-3");
        assert_eq!(more["tenant"], "a");
        // Begins as ours do, and lacks the last.
        let two = r#"{"time":"then","correlationId":"mine","x":",\"causationId\":\""}"#;
        assert!(complete(two).contains("order-an-order-3"));
    }

    #[test]
    fn what_lacks_nothing_or_is_no_object_is_left_byte_for_byte() {
        for whole in [
            r#"{"time":"t","correlationId":"a","causationId":"b","tenant":"c"}"#,
            r#"{ "causationId": "b", "correlationId": "a", "time": null }"#,
            r#"{"time":"t\"","correlationId":"a","causationId":"b"}"#,
            "[]",
            "null",
            "7",
        ] {
            assert_eq!(complete(whole), whole);
        }
    }
}
