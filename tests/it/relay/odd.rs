//! Rows of other programs in the log: none of them stops it for good.

use std::collections::HashMap;
use std::sync::Arc;

use domain::Service;
use infra::event_store::{Append, Checkpoints, Log, StoredFact};
use infra::relay::{CHECKPOINT, mend};

use super::given::Given;
use crate::contract::{Databases, fact, stream, to};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_with_metadata_of_somebody_else_is_published_too() {
    let (Some(databases), Some(mut given)) = (Databases::new(), Given::start().await) else {
        return;
    };
    databases.migrate(Service::Payment).await;
    let store = databases.open(Service::Payment);
    let (odd, plain) = (stream(), stream());
    let mut strange = fact(&odd, 1);
    strange.metadata = r#"{"nested":{"a":[1]},"correlationId":"theirs"}"#.into();
    let request = Append {
        expect: vec![(odd, 0)],
        facts: vec![strange],
        ..Append::default()
    };
    store.append(request).await.unwrap();
    store.append(to(&plain, 0, 3)).await.unwrap();
    given.store = Arc::new(store.clone());
    let relay = given.run().await;
    given.relayed().await;
    relay.end().await;
    let topic = given.topic().await;
    let payloads = |facts: &[StoredFact]| {
        let of = |fact: &StoredFact| (fact.position, fact.payload.clone());
        facts.iter().map(of).collect::<HashMap<_, _>>()
    };
    assert_eq!(payloads(&topic), payloads(&given.log().await));
    assert_eq!(
        store.checkpoint(CHECKPOINT).await.unwrap().unwrap().halted,
        None
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_too_large_for_a_record_is_published_without_its_value() {
    let (Some(databases), Some(mut given)) = (Databases::new(), Given::start().await) else {
        return;
    };
    databases.migrate(Service::Payment).await;
    let store = databases.open(Service::Payment);
    let (huge, after) = (stream(), stream());
    store.append(to(&huge, 0, 1)).await.unwrap();
    insert(&databases, "payment", &huge.id, 2, 1_500_000).await;
    store.append(to(&after, 0, 2)).await.unwrap();
    given.store = Arc::new(store.clone());
    let relay = given.run().await;
    given.relayed().await;
    relay.end().await;
    let records = given.records().await;
    let with_value = |id: &str| records.iter().find(|(of, _)| of == id).unwrap().1;
    assert_eq!(records.len(), 4);
    assert!(!with_value(&huge.fact(2).to_string()));
    assert!(with_value(&huge.fact(1).to_string()));
    assert!(with_value(&after.fact(2).to_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_an_aggregate_that_is_not_ours_is_passed_over() {
    let (Some(databases), Some(mut given)) = (Databases::new(), Given::start().await) else {
        return;
    };
    databases.migrate(Service::Payment).await;
    let store = databases.open(Service::Payment);
    store.append(to(&stream(), 0, 7)).await.unwrap();
    insert(&databases, "audit", "theirs", 1, 10).await;
    store.append(to(&stream(), 0, 3)).await.unwrap();
    insert(&databases, "audit", "theirs", 2, 10).await;
    given.store = Arc::new(store.clone());
    let relay = given.run().await;
    given.relayed().await;
    relay.end().await;
    assert_eq!(given.checkpoint().await.position, 11);
    assert_eq!(given.topic().await.len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_no_fact_is_named_after_all_before_it_is_published_and_can_be_passed() {
    let (Some(databases), Some(mut given)) = (Databases::new(), Given::start().await) else {
        return;
    };
    databases.migrate(Service::Payment).await;
    let store = databases.open(Service::Payment);
    let (before, after) = (stream(), stream());
    store.append(to(&before, 0, 7)).await.unwrap();
    // Damage: the server itself refuses such a row.
    let mut session = databases.session(Service::Payment, None).await;
    let drop = sqlx::query("ALTER TABLE events DROP CONSTRAINT events_sequence_check");
    drop.execute(&mut session).await.unwrap();
    insert(&databases, "payment", "damaged", -1, 10).await;
    store.append(to(&after, 0, 3)).await.unwrap();
    given.store = Arc::new(store.clone());
    let relay = given.run().await;
    let halt = given.halted().await;
    assert!(
        halt.contains("after position 7") && halt.contains("the number -1"),
        "{halt}"
    );
    assert_eq!(given.checkpoint().await.position, 7);
    assert!(mend(&store, &*given.publisher, 8).await.unwrap());
    given.relayed().await;
    relay.end().await;
    assert_eq!(given.topic().await.len(), 10);
}

/// Writes a row as a stock repository might.
async fn insert(databases: &Databases, category: &str, id: &str, sequence: i64, size: usize) {
    let mut session = databases.session(Service::Payment, None).await;
    let payload = format!(
        r#"{{"type":"payment.requested","note":"{}"}}"#,
        "x".repeat(size)
    );
    let sql = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, \
               event_version, payload, metadata) \
               VALUES ($1, $2, $3, 'payment.requested', '1', $4::json, '{}')";
    let insert = sqlx::query(sql).bind(category).bind(id).bind(sequence);
    insert.bind(payload).execute(&mut session).await.unwrap();
}
