//! Records that are no facts of ours, and the copies of those that could not be taken.

use std::borrow::Cow;

use std::time::Duration;

use bytes::Bytes;
use domain::Service;
use infra::bus::{Bus, KafkaBus, KafkaPlace, Record};
use infra::ids;
use rdkafka::Message;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::Headers;
use tokio::time::timeout;

use super::{Kafka, SHORT};
use crate::contract::bus::Buses;
use crate::contract::bus::given::*;

const TOPIC: Service = Service::Payment;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_fact_comes_with_its_subject_and_what_is_wrong_with_it() {
    let Some(kafka) = Kafka::start().await else {
        return;
    };
    let topic = kafka.place().topic(TOPIC);
    let order = ids::order();
    let fact = kafka.record_of(&fact(TOPIC, order, 1));
    let wrong_key = Record {
        key: Some(Bytes::from_static(b"somebody-else")),
        ..fact.clone()
    };
    let empty = Record {
        payload: None,
        ..fact.clone()
    };
    let foreign = Record {
        key: Some(Bytes::from_static(b"\xffkey")),
        payload: Some(Bytes::from_static(b"\x00\x01")),
        headers: vec![],
    };
    for record in [&wrong_key, &empty, &foreign, &Record::default(), &fact] {
        kafka.put(&topic, record).await;
    }
    let mut subscription = kafka.bus().subscribe("group", &[TOPIC]).await.unwrap();
    let taken = take(&mut subscription, 5).await;
    for (record, key, class) in [
        (&wrong_key, order.to_string(), "wrong-key"),
        (&empty, order.to_string(), "undecodable"),
        (&foreign, "\u{fffd}key".to_owned(), "undecodable"),
        (&Record::default(), String::new(), "undecodable"),
    ] {
        let found = taken.iter().find(|of| of.record.as_ref() == Some(record));
        let found = found.unwrap_or_else(|| panic!("{record:?} is missing: {taken:#?}"));
        assert_eq!(found.key, key);
        assert_eq!(found.fact.as_ref().unwrap_err().class(), class);
    }
    let whole = taken.iter().find(|of| of.fact.is_ok()).unwrap();
    assert_eq!(whole.record.as_ref(), Some(&fact));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_the_record_as_it_was_and_says_why() {
    let Some(kafka) = Kafka::start().await else {
        return;
    };
    let mut record = kafka.record_of(&fact(TOPIC, ids::order(), 1));
    record
        .headers
        .push(("b3".into(), Bytes::from_static(b"\xff")));
    kafka.put(&kafka.place().topic(TOPIC), &record).await;
    let bus = kafka.bus();
    let mut subscription = bus.subscribe("group", &[TOPIC]).await.unwrap();
    let taken = take(&mut subscription, 1).await.remove(0);
    let row = taken.parked("group", "invariant", "it was cancelled — twice", 3);
    bus.dead_letter(&taken, &row).await.unwrap();

    let letters: StreamConsumer = kafka
        .client()
        .set("group.id", kafka.place().group("letters"))
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    letters
        .subscribe(&[&kafka.place().dead_letters(TOPIC)])
        .unwrap();
    let letter = timeout(PATIENCE, letters.recv()).await.unwrap().unwrap();
    assert_eq!(letter.key(), record.key.as_deref());
    assert_eq!(letter.payload(), record.payload.as_deref());
    let headers: Vec<_> = letter.headers().unwrap().iter().collect();
    let headers: Vec<(Cow<str>, Bytes)> = headers
        .iter()
        .map(|header| {
            let value = Bytes::copy_from_slice(header.value.unwrap());
            (header.key.into(), value)
        })
        .collect();
    let (original, why) = headers.split_at(record.headers.len());
    assert_eq!(original, record.headers);
    let expected = [
        ("dlq-topic", kafka.place().topic(TOPIC)),
        ("dlq-partition", taken.partition.number.to_string()),
        ("dlq-offset", taken.offset.to_string()),
        ("dlq-group", "group".to_owned()),
        ("dlq-class", "invariant".to_owned()),
        ("dlq-reason", "it was cancelled — twice".to_owned()),
        ("dlq-attempts", "3".to_owned()),
        ("dlq-parked-at", row.parked_at.to_string()),
    ];
    let expected = expected.map(|(key, value)| (key.into(), Bytes::from(value)));
    assert_eq!(why, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_topic_is_named_with_the_command_that_makes_it() {
    let Some(kafka) = Kafka::start().await else {
        return;
    };
    kafka.bus().ready().await.unwrap();
    let empty = KafkaPlace::new(&kafka.brokers, "nobody_", Default::default());
    let bus = KafkaBus::new(empty, SHORT);
    let e = bus.ready().await.unwrap_err().to_string();
    assert!(e.contains("nobody_raw.order-events"), "{e}");
    assert!(e.contains("waybill migrate"), "{e}");
    assert!(bus.subscribe("group", &[TOPIC]).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_are_not_there_are_an_error_within_seconds() {
    let nowhere = KafkaPlace::new("127.0.0.1:1", "nobody_", Default::default());
    let bus = KafkaBus::new(nowhere, SHORT);
    let asked = async {
        assert!(bus.ready().await.is_err());
        assert!(bus.subscribe("group", &[TOPIC]).await.is_err());
        assert!(bus.lag("group", &[TOPIC]).await.is_err());
    };
    timeout(Duration::from_secs(25), asked).await.unwrap();
}
