//! Logs that were recorded from every release are read by today's code, and fold into the views that
//! they folded into then.
//!
//! `tests/recorded/v0.1` has what a pipeline of version 0.1 did: a file a service, one line a fact in
//! the order of its log, and `views.jsonl`, every row of every view. The folder of a version that is
//! out is never written again; `make record` writes that of the version in `Cargo.toml`.

mod files;
mod run;
mod views;

use std::collections::{BTreeMap, BTreeSet};

use domain::delivery::Delivery;
use domain::inventory::reservation;
use domain::inventory::stock::Stock;
use domain::order::Order;
use domain::payment::Payment;
use domain::{Decider, Fact, Recorded, Service, StreamId, delivery, inventory, order, payment};
use infra::codec::{STEPS, VERSIONS, decode, encode, version_of};
use infra::event_store::StoredFact;
use serde_json::Value;
use uuid::Uuid;

use files::Recording;

/// What is wrong with a recording, or with the code that reads it.
fn check(recording: &Recording) -> Result<(), String> {
    let facts = recording.facts()?;
    let mut states: BTreeMap<StreamId, State> = BTreeMap::new();
    let mut read = vec![];
    for stored in &facts {
        let id = &stored.id;
        let recorded = decode(stored).map_err(|e| format!("{id} cannot be read: {e}"))?;
        let state = states.remove(&id.stream).unwrap_or_default();
        if id.sequence != state.facts + 1 {
            return Err(format!("{id} comes behind number {}", state.facts));
        }
        states.insert(id.stream.clone(), state.evolve(&recorded.fact));
        written_again(stored, &recorded)?;
        read.push(recorded);
    }
    views::check(&recording.views, &read)
}

/// That a fact says as much in today's version as it did in its own.
fn written_again(stored: &StoredFact, recorded: &Recorded) -> Result<(), String> {
    let id = &stored.id;
    let again = encode(recorded, Uuid::nil());
    let today = version_of(&stored.name);
    if Some(again.version) != today || again.name != stored.name {
        return Err(format!("{id} is written as {} today", again.version));
    }
    if today == Some(&stored.version) {
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let (then, now) = (json(&stored.payload), json(&again.payload));
        if !has_all_of(&now, &then) {
            return Err(format!("{id} was {then} and is written as {now} today"));
        }
    }
    let today = StoredFact {
        version: again.version.to_owned(),
        payload: again.payload,
        ..stored.clone()
    };
    match decode(&today) {
        Ok(same) if same.fact == recorded.fact => Ok(()),
        other => Err(format!(
            "{id} is read as {other:?} once it is written again"
        )),
    }
}

/// Whether `now` has everything of `then`; it may have more.
fn has_all_of(now: &Value, then: &Value) -> bool {
    match (now, then) {
        (Value::Object(now), Value::Object(then)) => then.iter().all(|(key, value)| {
            let now = now.get(key);
            now.is_some_and(|now| has_all_of(now, value))
        }),
        (Value::Array(now), Value::Array(then)) => {
            let pairs = now.iter().zip(then);
            now.len() == then.len() && pairs.into_iter().all(|(now, then)| has_all_of(now, then))
        }
        _ => now == then,
    }
}

/// What the deciders make of a stream; only that of its category is folded.
#[derive(Default)]
struct State {
    facts: u64,
    order: order::State,
    reservation: reservation::State,
    stock: inventory::stock::State,
    payment: payment::State,
    delivery: delivery::State,
}

impl State {
    fn evolve(mut self, fact: &Fact) -> Self {
        self.facts += 1;
        match fact {
            Fact::Order(event) => self.order = Order::evolve(self.order, event),
            Fact::Reservation(event) => self.reservation = self.reservation.evolve(event),
            Fact::Stock(event) => self.stock = Stock::evolve(self.stock, event),
            Fact::Payment(event) => self.payment = Payment::evolve(self.payment, event),
            Fact::Delivery(event) => self.delivery = Delivery::evolve(self.delivery, event),
        }
        self
    }
}

#[test]
fn every_log_that_was_recorded_is_read_and_folds_into_the_views_of_then() {
    let versions = Recording::all();
    assert!(!versions.is_empty());
    for (version, recording) in versions {
        if let Err(wrong) = check(&recording) {
            panic!("tests/recorded/{version}: {wrong}");
        }
    }
}

#[test]
fn the_recording_of_this_version_has_every_fact_and_every_ending() {
    let recording = Recording::of_this_version();
    views::check_revisions(&recording.views).unwrap();
    let facts = recording.facts().unwrap();
    let written: BTreeSet<_> = facts
        .iter()
        .map(|fact| (fact.name.as_str(), fact.version.as_str()))
        .collect();
    let today = VERSIONS.iter().copied();
    let before = STEPS.iter().map(|step| (step.name, step.from));
    let all: BTreeSet<_> = today.chain(before).collect();
    assert_eq!(written, all, "`make record` records what is missing");

    let read: Vec<_> = facts.iter().map(|fact| decode(fact).unwrap()).collect();
    let orders = facts.iter().filter(|fact| fact.name == "order.created");
    assert!(orders.count() >= 60);
    let tombstones = read.iter().filter(|r| r.fact.is_tombstone());
    let tombstones: BTreeSet<_> = tombstones.map(|r| r.fact.name()).collect();
    let expected = ["delivery.cancelled", "inventory.released", "payment.voided"];
    assert_eq!(tombstones, expected.into());
    let reasons: BTreeSet<_> = read
        .iter()
        .filter_map(|recorded| match &recorded.fact {
            Fact::Order(order::Event::Cancelled { reason, .. }) => Some(reason.as_str()),
            _ => None,
        })
        .collect();
    for reason in run::REASONS {
        assert!(reasons.contains(reason), "{reason}: {reasons:?}");
    }
    let by_hand = facts.iter().any(|fact| {
        let payload = String::from_utf8_lossy(&fact.payload);
        fact.name == "payment.voided" && payload.contains(run::BY_HAND)
    });
    assert!(by_hand, "a payment was settled by hand");
}

#[test]
fn a_field_of_any_fact_that_is_called_otherwise_today_is_noticed() {
    let recording = Recording::of_this_version();
    let mut seen = BTreeSet::new();
    for service in Service::ALL {
        for (n, line) in recording.logs[&service].iter().enumerate() {
            let line: Value = serde_json::from_str(line).unwrap();
            if !seen.insert((line["name"].to_string(), line["version"].to_string())) {
                continue;
            }
            for field in line["payload"].as_object().unwrap().keys() {
                let mut changed = recording.clone();
                let line = &mut changed.logs.get_mut(&service).unwrap()[n];
                *line = line.replacen(&format!("\"{field}\":"), "\"isCalled\":", 1);
                let line = line.clone();
                let Err(wrong) = check(&changed) else {
                    panic!("{field} is not missed in {line}");
                };
                let noticed = wrong.contains("cannot be read") || wrong.contains("is written as");
                assert!(noticed, "{wrong}");
            }
        }
    }
    assert_eq!(seen.len(), VERSIONS.len() + STEPS.len());
}

#[test]
fn a_fact_that_is_gone_or_says_something_else_is_noticed_in_the_views() {
    let recording = Recording::of_this_version();
    let mut changed = recording.clone();
    let orders = changed.logs.get_mut(&Service::Order).unwrap();
    let placed = orders.iter_mut().find(|line| line.contains("customer-7"));
    let placed = placed.unwrap();
    *placed = placed.replace("customer-7", "customer-8");
    let wrong = check(&changed).unwrap_err();
    assert!(wrong.contains("revision"), "{wrong}");

    let mut changed = recording;
    changed.logs.get_mut(&Service::Order).unwrap().pop();
    let wrong = check(&changed).unwrap_err();
    assert!(wrong.contains("order_view"), "{wrong}");
}
