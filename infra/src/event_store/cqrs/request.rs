//! Events of cqrs-es as facts to be appended.

use std::collections::BTreeMap;

use cqrs_es::persist::{PersistenceError, SerializedEvent};
use domain::StreamId;

use super::repository::unreadable;
use crate::codec;
use crate::event_store::{Append, StoredFact};
use crate::handler::with_agenda;
use crate::origin::Origin;
use crate::{clock, ids};

type Metadata = BTreeMap<String, String>;

/// One request for all `events`, which follow each other; it expects the version before the first.
///
/// What a caller does not say in the metadata is filled in: a command of its own, now, is behind
/// the facts. `last` is the stream's last fact: these happen later, and belong to the same order.
pub fn request(
    stream: &StreamId,
    events: &[SerializedEvent],
    last: Option<&StoredFact>,
) -> Result<Append, PersistenceError> {
    let last = last.map(codec::decode).transpose().map_err(unreadable)?;
    let order = last.as_ref().and_then(|last| last.order.clone());
    let mut after = last.map(|last| last.time);
    let origin = Origin::of_person(ids::unique(), stream.id.clone(), clock::now());
    let mut request = Append::default();
    for event in events {
        let given: Metadata = serde_json::from_value(event.metadata.clone())?;
        let metadata = filled_in(given.clone(), &origin);
        let mut fact = codec::decode(&StoredFact {
            id: stream.fact(event.sequence as u64),
            position: 0,
            name: event.event_type.clone(),
            version: event.event_version.clone(),
            payload: event.payload.to_string().into(),
            metadata: serde_json::to_vec(&metadata)?.into(),
        })
        .map_err(unreadable)?;
        fact.time = after.map_or(fact.time, |last| fact.time.max(last.next()));
        fact.order = fact.order.or_else(|| order.clone());
        after = Some(fact.time);

        let command_id = metadata.get(COMMAND_ID).and_then(|id| id.parse().ok());
        let origin = Origin {
            command_id: command_id.unwrap_or(origin.command_id),
            ..origin.clone()
        };
        let mut one = with_agenda(&[fact], &origin);
        for new in &mut one.facts {
            new.metadata = with_more(&new.metadata, given.clone())?.into();
        }
        request.facts.extend(one.facts);
        request.opens.extend(one.opens);
        request.settles.extend(one.settles);
    }
    let first = events.first().map_or(1, |event| event.sequence as u64);
    request.expect = vec![(stream.clone(), first.saturating_sub(1))];
    Ok(request)
}

const COMMAND_ID: &str = "commandId";

fn filled_in(mut metadata: Metadata, origin: &Origin) -> Metadata {
    let mut missing = |key: &str, value: String| {
        metadata.entry(key.to_owned()).or_insert(value);
    };
    missing("time", origin.at.to_string());
    missing("correlationId", origin.correlation.clone());
    missing(COMMAND_ID, origin.command_id.to_string());
    missing("causationId", origin.causation.clone());
    metadata
}

/// What waybill writes, and what else the caller gave behind it.
fn with_more(written: &[u8], mut given: Metadata) -> Result<Vec<u8>, PersistenceError> {
    let ours: Metadata = serde_json::from_slice(written)?;
    given.retain(|key, _| !ours.contains_key(key));
    let mut text = written.to_vec();
    if !given.is_empty() {
        let more = serde_json::to_vec(&given)?;
        text.pop();
        text.push(b',');
        text.extend_from_slice(&more[1..]);
    }
    Ok(text)
}
