//! Topics that hold what their logs hold, and topics that somebody has hurt.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::Service;
use infra::bus::{KafkaReader, Partition, Record, TopicReader};
use infra::envelope::{self, REPLAY};
use infra::event_store::{Log, StoredFact};
use infra::relay::{Which, replay};
use projectors::verify::log::{Kind, MAX_NAMED, Reconciliation, TopicError};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::given::{Published, reconciled};
use super::{named, said};
use crate::contract::{Databases, stream, to};
use crate::relay::given::{Given, batch};

fn header(record: &mut Record, name: &str, value: &str) {
    record.headers.retain(|(known, _)| known != name);
    let value = value.to_owned().into();
    record.headers.push((name.to_owned().into(), value));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_relay_published_is_what_the_log_holds_and_replays_are_fine() {
    let Some(given) = Given::start().await else {
        return;
    };
    batch(&given, 3000).await;
    let relay = given.run().await;
    given.relayed().await;
    let first = reconciled(&given).await;
    assert!(
        first.finds.is_empty() && first.unexamined == 0,
        "{first:#?}"
    );
    assert_eq!((first.facts, first.records, first.repeats), (3000, 3000, 0));
    let tell = &mut |_| {};
    for which in [Which::After(0), Which::After(2000)] {
        replay(&given.relay(), which, None, tell).await.unwrap();
    }
    batch(&given, 50).await;
    given.relayed().await;
    relay.end().await;
    let last = reconciled(&given).await;
    assert!(last.finds.is_empty() && last.unexamined == 0, "{last:#?}");
    assert_eq!((last.facts, last.records, last.repeats), (3050, 7050, 4000));
    assert_eq!((last.published, last.older), (3050, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_left_out_is_named_and_no_other() {
    let Some(published) = Published::with(2500).await else {
        return;
    };
    let records = published.records().into_iter().enumerate();
    let left_out = [0, 7, 1234, 2499];
    let others = records.filter(|(n, _)| !left_out.contains(n));
    published.send(others.map(|(_, record)| record)).await;
    published.all().await;
    let report = reconciled(&published.given).await;
    let left_out = left_out.map(|n| published.id(n));
    let mut expected: Vec<_> = left_out.iter().map(|id| (Kind::Missing, &id[..])).collect();
    expected.sort_unstable();
    assert_eq!(named(&report.finds), expected);
    assert_eq!((report.facts, report.records), (2500, 2496));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_that_is_lost_is_counted_and_its_first_facts_are_named() {
    let Some(published) = Published::with(1000).await else {
        return;
    };
    let records = published.records().into_iter().take(600);
    published.send(records).await;
    published.all().await;
    let report = reconciled(&published.given).await;
    assert_eq!(report.finds.count(Kind::Missing), 400);
    assert_eq!(report.finds.counts.len(), 1, "{:?}", report.finds.counts);
    assert_eq!(report.finds.named.len(), MAX_NAMED);
    assert_eq!(report.finds.named[0].fact, Some(published.id(600)));
    // Not acknowledged yet is not lost.
    published.up_to(published.facts[599].position).await;
    let report = reconciled(&published.given).await;
    assert!(report.finds.is_empty(), "{report:#?}");
    assert_eq!(report.facts, 600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_no_fact_are_named_whatever_position_they_claim() {
    let Some(published) = Published::with(300).await else {
        return;
    };
    let mut records = published.records();
    let strangers: Vec<_> = [1, 150, 299, 301, 9_000_000, 2]
        .map(|position| {
            let fact = StoredFact {
                id: stream().fact(1),
                position,
                ..published.facts[0].clone()
            };
            (fact.id.to_string(), envelope::record_of(&fact).unwrap())
        })
        .into();
    let late = [
        (stream().fact(1), 3),
        (published.facts[9].id.stream.fact(99), 10),
    ];
    // Among the others, so that true records come after them.
    for (n, (_, record)) in strangers.iter().enumerate() {
        records.insert(n * 50, record.clone());
    }
    // And behind all of them, as a repeat would be.
    for (id, position) in &late {
        let fact = StoredFact {
            id: id.clone(),
            position: *position,
            ..published.facts[0].clone()
        };
        records.push(envelope::record_of(&fact).unwrap());
    }
    let bare = Record {
        key: Some("a-key".into()),
        payload: Some("a value".into()),
        headers: vec![],
    };
    records.push(bare);
    let mut nowhere = records[10].clone();
    header(&mut nowhere, "ce_id", &stream().fact(7).to_string());
    header(&mut nowhere, "ce_position", "the third");
    let nowhere_id = envelope::id_of(&nowhere).unwrap().to_string();
    records.push(nowhere);
    published.send(records).await;
    published.all().await;
    let report = reconciled(&published.given).await;
    assert_eq!(report.finds.count(Kind::Foreign), 10, "{report:#?}");
    assert_eq!(report.finds.counts.len(), 1, "{report:#?}");
    let late = late.map(|(id, _)| id.to_string());
    let ids = strangers.iter().map(|(id, _)| id).chain([&nowhere_id]);
    for id in ids.chain(&late) {
        assert!(said(&report.finds, id).contains("not in the log"), "{id}");
    }
    let without = report.finds.named.iter().find(|find| find.fact.is_none());
    let says = &without.unwrap().says;
    assert!(
        says.contains("partition") && says.contains("offset"),
        "{says}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_changed_is_named_with_the_part_that_differs() {
    let Some(published) = Published::with(300).await else {
        return;
    };
    let mut records = published.records();
    let (first, key, head, more, fine) = (20, 70, 120, 170, 220);
    records[first].payload = Some(r#"{"type":"payment.requested","note":"?"}"#.into());
    records[key].key = Some("another".into());
    header(&mut records[head], "ce_time", "2026-01-31T12:00:00.000000Z");
    header(&mut records[more], "ce_tenant", "seven");
    header(&mut records[fine], REPLAY, "true");
    header(&mut records[fine], "b3", "of somebody's tracing");
    // Published right, and then once more with another value; and without one.
    let (repeat, empty) = (260, 280);
    let mut again = records[repeat].clone();
    again.payload = Some("{}".into());
    records.push(again);
    records[empty].payload = None;
    published.send(records).await;
    published.all().await;
    let report = reconciled(&published.given).await;
    let changed = [
        (first, "value"),
        (key, "key"),
        (head, "headers"),
        (more, "headers"),
        (repeat, "value"),
        (empty, "value"),
    ];
    for (n, part) in changed {
        let says = said(&report.finds, &published.id(n));
        assert!(says.ends_with(&format!("has another {part}")), "{says}");
    }
    assert_eq!(
        report.finds.counts,
        BTreeMap::from([(Kind::Different, changed.len() as u64)])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_was_ahead_of_the_relay_is_fine() {
    let Some(published) = Published::with(400).await else {
        return;
    };
    let records = published.records();
    published.send(records[..100].to_vec()).await;
    published.send(records[200..250].to_vec()).await;
    published.send(records[100..].to_vec()).await;
    published.all().await;
    let report = reconciled(&published.given).await;
    assert!(report.finds.is_empty(), "{report:#?}");
    assert_eq!((report.facts, report.records), (400, 450));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_topic_no_longer_keeps_is_a_number_and_not_missing() {
    let Some(published) = Published::with(600).await else {
        return;
    };
    let mut records = published.records();
    let gone = records.remove(500);
    assert!(envelope::id_of(&gone).is_some());
    published.send(records).await;
    published.all().await;
    let given = &published.given;
    let reader = KafkaReader::new(given.place.clone());
    let ends = reader.ends(Service::Payment).await.unwrap().unwrap();
    // Some of one partition, all of another, nothing of the third.
    let mut offsets = TopicPartitionList::new();
    let topic = reader.topic(Service::Payment);
    let mut dropped = 0;
    for (partition, keep) in [(0, ends[&0].high / 4), (1, ends[&1].high)] {
        dropped += keep;
        offsets
            .add_partition_offset(&topic, partition, Offset::Offset(keep))
            .unwrap();
    }
    let (admin, options) = given.admin();
    admin.delete_records(&offsets, &options).await.unwrap();
    let report = reconciled(given).await;
    let key = &published.facts[500].id.stream.id;
    let expected = match reader.partition_of(key.as_bytes(), ends.len()) {
        1 => (vec![], dropped.unsigned_abs() + 1),
        _ => (
            vec![(Kind::Missing, published.id(500))],
            dropped.unsigned_abs(),
        ),
    };
    let found = named(&report.finds).into_iter();
    let found: Vec<_> = found.map(|(kind, id)| (kind, id.to_owned())).collect();
    assert_eq!((found, report.older), expected);
    assert_eq!(report.facts, 600 - report.older);

    // Whoever began before they were dropped is told.
    let partition = Partition {
        topic: Service::Payment,
        number: 0,
    };
    let mut late = reader.read(partition, 0, ends[&0].high).unwrap();
    let e = late.next().await.unwrap_err().to_string();
    assert!(e.contains("no longer keeps"), "{e}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_too_large_for_its_value_is_fine_and_is_missed_where_it_is_gone() {
    let (Some(databases), Some(mut given)) = (Databases::new(), Given::start().await) else {
        return;
    };
    databases.migrate(Service::Payment).await;
    let store = databases.open(Service::Payment);
    let (huge, after) = (stream(), stream());
    store.append(to(&after, 0, 10)).await.unwrap();
    let mut session = databases.session(Service::Payment, None).await;
    let sql = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, \
               event_version, payload, metadata) \
               VALUES ('payment', $1, 1, 'payment.requested', '1', $2::json, '{}')";
    let insert = sqlx::query(sql).bind(&huge.id);
    let payload = format!(r#"{{"type":"{}"}}"#, "x".repeat(1_500_000));
    insert.bind(payload).execute(&mut session).await.unwrap();
    store.append(to(&after, 10, 10)).await.unwrap();
    given.store = Arc::new(store.clone());
    let relay = given.run().await;
    given.relayed().await;
    relay.end().await;
    let report = reconciled(&given).await;
    assert!(report.finds.is_empty(), "{report:#?}");
    assert_eq!((report.facts, report.records), (21, 21));
    // Another topic, onto which all but the large one was published.
    given.make_anew().await;
    let facts = given.log().await;
    let published = Published { given, facts };
    let others = published.facts.iter().filter(|f| f.id.stream != huge);
    let others = others.map(|fact| envelope::record_of(fact).unwrap());
    published.send(others.collect::<Vec<_>>()).await;
    published.all().await;
    let report = reconciled(&published.given).await;
    let missing = huge.fact(1).to_string();
    assert_eq!(named(&report.finds), [(Kind::Missing, &missing[..])]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_not_there_and_brokers_that_are_away_are_errors_and_nothing_is_missing() {
    let Some(given) = Given::start().await else {
        return;
    };
    batch(&given, 20).await;
    let reader = Arc::new(KafkaReader::new(given.place.clone()));
    let (admin, options) = given.admin();
    let topic = reader.topic(Service::Payment);
    admin.delete_topics(&[&topic], &options).await.unwrap();
    let ends = || reader.ends(Service::Payment);
    crate::support::eventually(ends, |seen| matches!(seen, Ok(None)))
        .await
        .unwrap();
    let begun = Reconciliation::begin(given.store.clone(), reader.clone()).await;
    let Err(TopicError::NoTopic(named)) = begun else {
        panic!("there is no topic");
    };
    assert_eq!(named, topic);
    let nobody = infra::bus::KafkaPlace::new("127.0.0.1:1", "away_", BTreeMap::new());
    let reader = Arc::new(KafkaReader::new(nobody));
    let begun = Reconciliation::begin(given.store.clone(), reader).await;
    assert!(matches!(begun, Err(TopicError::Bus(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconciliation_whose_steps_are_cut_off_goes_on_where_it_was() {
    let Some(published) = Published::with(3000).await else {
        return;
    };
    let mut records = published.records();
    records.remove(1500);
    published.send(records).await;
    published.all().await;
    let given = &published.given;
    let reader = Arc::new(KafkaReader::new(given.place.clone()));
    let begun = Reconciliation::begin(given.store.clone(), reader).await;
    let mut reconciliation = begun.unwrap();
    let mut cut = 0;
    loop {
        // Sooner than a reader's first records, then as long as it takes.
        let patience = std::time::Duration::from_millis(if cut < 20 { 2 * cut } else { 10_000 });
        match tokio::time::timeout(patience, reconciliation.step()).await {
            Ok(over) if over.as_ref().is_ok_and(|over| *over) => break,
            Ok(step) => assert!(!step.unwrap()),
            Err(_) => cut += 1,
        }
        let (done, of) = reconciliation.progress();
        assert!(done <= of, "{done} of {of}");
    }
    assert!(cut > 0);
    let report = reconciliation.report();
    let missing = published.id(1500);
    assert_eq!(named(&report.finds), [(Kind::Missing, &missing[..])]);
    assert_eq!((report.facts, report.records), (3000, 2999));
}
