//! I3: the topics hold the logs, and nothing else.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::evidence::Record;
use crate::fact::Fact;
use crate::{Case, Checked};

/// `raw.*` as a set equals the log; first occurrences per stream in order.
pub fn topics(case: &Case<'_>) -> Checked {
    let mut checked = Checked::new(
        "I3",
        "the topics as a set equal the log, first occurrences per stream in order",
    );
    let Some(records) = &case.world.topics else {
        let note = "this bus has no topics of its own";
        checked.notes.push(note.to_owned());
        return checked;
    };
    let poisoned = case.world.poison.iter();
    let poisoned: HashMap<_, _> = poisoned
        .map(|poison| ((poison.service, poison.partition, poison.offset), poison))
        .collect();
    let mut records: Vec<_> = records.iter().collect();
    records.sort_by_key(|record| (record.service, record.partition, record.offset));
    let mut seen: HashSet<&str> = HashSet::new();
    let mut heads: HashMap<String, i64> = HashMap::new();
    let mut homes: HashMap<(_, &str), i32> = HashMap::new();
    for record in records {
        if let Some(poison) = poisoned.get(&(record.service, record.partition, record.offset)) {
            checked.looked_at("broken on purpose", 1);
            seen.extend(poison.instead_of.as_deref());
            continue;
        }
        checked.looked_at("records", 1);
        let fact = record.fact_id().and_then(|id| case.by_id.get(id));
        let Some(fact) = fact else {
            checked.find(
                place(record),
                format!("it is no fact of the log: {:?}", record.fact_id()),
            );
            continue;
        };
        for what in differences(record, fact) {
            checked.find(fact.id(), format!("{what} ({})", place(record)));
        }
        let home = homes.entry((record.service, &fact.stored.of));
        if *home.or_insert(record.partition) != record.partition {
            checked.find(
                fact.id(),
                format!(
                    "{} is in another partition than others of its key",
                    place(record)
                ),
            );
        }
        if !seen.insert(record.fact_id().unwrap_or_default()) {
            checked.looked_at("repeats", 1);
            continue;
        }
        let stream = format!("{}-{}", fact.stream().name(), fact.stored.of);
        let last = heads.entry(stream).or_default();
        if fact.sequence() < *last {
            checked.find(
                fact.id(),
                format!("the topic has it behind the fact {last} of its stream"),
            );
        }
        *last = fact.sequence().max(*last);
    }
    for fact in &case.world.facts {
        checked.looked_at("facts", 1);
        if !seen.contains(&*fact.id()) {
            checked.find(fact.id(), format!("{} was never published", fact.name()));
        }
    }
    checked
}

fn place(record: &Record) -> String {
    let Record {
        service,
        partition,
        offset,
        ..
    } = record;
    format!("{}[{partition}]@{offset}", service.name())
}

/// What a record says otherwise than its fact.
fn differences(record: &Record, fact: &Fact) -> Vec<String> {
    let mut all = vec![];
    let stored = &fact.stored;
    if record.service != stored.service {
        all.push("it is on the topic of another service".to_owned());
    }
    if record.key.as_ref() != Some(&stored.of) {
        all.push(format!("its key is {:?}", record.key));
    }
    if record.value.as_ref() != Some(&stored.payload) {
        all.push(format!(
            "the topic says {:?}, the log {}",
            record.value, stored.payload
        ));
    }
    let expected = headers(fact);
    let found = record
        .headers
        .iter()
        .filter(|(name, _)| *name != "ce_replay");
    let found: BTreeMap<&str, &str> = found.map(|(name, value)| (&**name, &**value)).collect();
    for (name, value) in &expected {
        let said = found.get(name).copied();
        if said != Some(value) {
            all.push(format!("its {name} is {said:?} and not {value}"));
        }
    }
    // Of a row that somebody else wrote, without our metadata, the envelope says what is known.
    let foreign = !fact.metadata.contains_key("time");
    let known = |name: &str| foreign && METADATA.iter().any(|(_, header)| *header == name);
    let unknown = found.keys().filter(|name| !expected.contains_key(*name));
    for name in unknown.filter(|name| !known(name)) {
        all.push(format!("its {name} is nothing that its log has"));
    }
    all
}

/// The headers that a fact is to have.
fn headers(fact: &Fact) -> BTreeMap<&'static str, String> {
    let stored = &fact.stored;
    let mut all = BTreeMap::from([
        ("ce_specversion", "1.0".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("ce_id", fact.id()),
        ("ce_type", stored.name.clone()),
        (
            "ce_source",
            format!("urn:waybill:{}", stored.service.name()),
        ),
        ("ce_subject", stored.of.clone()),
        (
            "ce_dataschema",
            format!("urn:waybill:{}:{}", stored.name, stored.version),
        ),
        ("ce_sequence", stored.sequence.to_string()),
        ("ce_position", stored.position.to_string()),
    ]);
    for (key, header) in METADATA {
        let said = fact.metadata.get(key).cloned();
        all.extend(said.map(|value| (header, value)));
    }
    all
}

/// What the log says beside a payload, and the header with the same.
const METADATA: [(&str, &str); 9] = [
    ("time", "ce_time"),
    ("correlationId", "ce_correlationid"),
    ("causationId", "ce_causationid"),
    ("commandId", "ce_commandid"),
    ("customerId", "ce_customerid"),
    ("currency", "ce_currency"),
    ("totalAmount", "ce_totalamount"),
    ("placedAt", "ce_placedat"),
    ("traceparent", "traceparent"),
];
