//! Records of the largest size that brokers take, by any of their parts: each is set aside, with a row
//! that its store takes and a letter that the brokers take, for what is not would hold up its partition.

use std::borrow::Cow;

use domain::Service;
use infra::bus::{Delivered, Record};
use infra::event_store::{Original, ParkedRow};
use infra::ids;
use rdkafka::Message;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::{BorrowedMessage, Headers};
use tokio::time::timeout;

use super::Kafka;
use crate::contract::bus::Buses;
use crate::contract::bus::given::*;
use crate::contract::event_store::Stores;
use crate::contract::event_store::given::ALL;
use crate::contract::postgres::Postgres;

const TOPIC: Service = Service::Payment;
/// What is large: with all else it makes a batch of a little less than the 1,048,588 bytes that brokers
/// take, and leaves no room for what a letter has beside.
const LARGE: usize = 1_047_300;
/// One of many headers, each of which is small.
const SMALL: usize = 500;
/// The same with its name and two lengths.
const SMALL_ON_WIRE: usize = SMALL + 9;
/// What is kept of a reason and of what a row is about, in characters.
const REASON: usize = 1000;
const SUBJECT: usize = 400;

/// Of so many bytes, which no index makes fewer.
fn large(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 36);
    while text.len() < bytes {
        text.push_str(&ids::unique().to_string());
    }
    text.truncate(bytes);
    text
}

/// Records of which one part is large, each with what is said of it.
fn larges(fact: &Record) -> [(Record, &'static str); 6] {
    let with = |header: &str, value: String| {
        let mut record = fact.clone();
        let of_name = |(name, _): &&mut (Cow<_>, _)| name == header;
        record.headers.iter_mut().find(of_name).unwrap().1 = value.into();
        record
    };
    let key = Some(large(LARGE).into());
    let no_subject = Record {
        key: key.clone(),
        payload: Some("{}".into()),
        headers: vec![],
    };
    let other_key = Record {
        key,
        ..fact.clone()
    };
    let subject = Record {
        payload: None,
        ..with("ce_subject", large(LARGE))
    };
    // A reason as long as it may be, so that there is no room for it.
    let mut many = with("ce_type", large(REASON));
    let value = large(SMALL);
    let headers = (0..(LARGE - REASON) / SMALL_ON_WIRE)
        .map(|n| (format!("n-{n:04}").into(), value.clone().into()));
    many.headers.extend(headers);
    let value = Record {
        payload: Some(large(LARGE).into()),
        ..fact.clone()
    };
    [
        (no_subject, "the header ce_id is missing"),
        (other_key, "was published under the key"),
        (subject, "the record has no value"),
        (
            with("ce_type", large(LARGE)),
            "ce_dataschema is no urn:waybill:",
        ),
        (many, "ce_dataschema is no urn:waybill:"),
        (value, "the fact cannot be decoded"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_part_of_a_record_is_as_large_as_can_be_it_is_set_aside() {
    let (Some(kafka), Some(stores)) = (Kafka::start().await, Postgres::start().await) else {
        return;
    };
    let store = stores.of(TOPIC);
    let larges = larges(&kafka.record_of(&fact(TOPIC, ids::order(), 1)));
    for (record, _) in &larges {
        kafka.put(&kafka.place().topic(TOPIC), record).await;
    }
    let bus = kafka.bus();
    let mut subscription = bus.subscribe("group", &[TOPIC]).await.unwrap();
    for taken in take(&mut subscription, larges.len()).await {
        let record = taken.record.as_ref();
        let (_, says) = larges.iter().find(|(one, _)| record == Some(one)).unwrap();
        let row = set_aside(&taken);
        assert!(row.reason.contains(says), "{says}: {}", row.reason);
        store.park(row.clone()).await.unwrap();
        bus.dead_letter(&taken, &row)
            .await
            .unwrap_or_else(|e| panic!("{says}: {e}"));
    }

    let rows = store.parked("group", None, ALL).await.unwrap();
    assert_eq!(rows.len(), larges.len());
    for row in &rows {
        assert!(row.key.chars().count() <= SUBJECT);
        let original = row.original.as_ref().map(Original::record).unwrap();
        assert!(larges.iter().any(|(record, _)| *record == original));
    }
    let letters: StreamConsumer = kafka
        .client()
        .set("group.id", kafka.place().group("letters"))
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    let topic = kafka.place().dead_letters(TOPIC);
    letters.subscribe(&[&topic]).unwrap();
    for _ in &larges {
        let letter = timeout(PATIENCE, letters.recv()).await.unwrap().unwrap();
        let reason = header(&letter, "dlq-reason");
        assert!(rows.iter().any(|row| row.reason == reason), "{reason}");
        assert!(reason.chars().count() <= REASON);
    }
}

fn set_aside(taken: &Delivered) -> ParkedRow {
    let e = taken.decode().unwrap_err();
    taken.parked("group", e.class(), &e.to_string(), 1)
}

fn header(letter: &BorrowedMessage<'_>, name: &str) -> String {
    let mut headers = letter.headers().unwrap().iter();
    let found = headers.find(|header| header.key == name).unwrap();
    String::from_utf8(found.value.unwrap().to_vec()).unwrap()
}
