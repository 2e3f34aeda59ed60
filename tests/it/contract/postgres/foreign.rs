//! Other writers of the table: the order of positions is not theirs to break.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::{Category, Service};
use infra::event_store::{AppendError, EventStore, StoreError};
use infra::ids;
use sqlx::{Connection, PgConnection};
use tokio::task::JoinSet;

use super::super::event_store::given::*;
use super::Postgres;

/// What a stock postgres-es repository sends.
const INSERT: &str = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, \
                      event_version, payload, metadata) \
                      VALUES ('payment', $1, $2, 'payment.requested', '1', '{}', '{}')";

async fn insert(on: &mut PgConnection, id: &str, sequence: i64) {
    sqlx::query(INSERT)
        .bind(id)
        .bind(sequence)
        .execute(on)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_misses_nothing_while_others_insert_in_transactions_of_their_own() {
    let Some(stores) = Postgres::start().await else {
        return;
    };
    let run = stores.databases.place(Service::Payment).run();
    let mut writers = JoinSet::new();
    for n in 0..4u64 {
        let mut on = stores.databases.session(Service::Payment, Some(&run)).await;
        writers.spawn(async move {
            for _ in 0..40 {
                let id = ids::order().to_string();
                let mut transaction = on.begin().await.unwrap();
                // It has its number as soon as it has written anything, long before its positions.
                let number = sqlx::query("SELECT pg_current_xact_id()");
                number.execute(&mut *transaction).await.unwrap();
                insert(&mut transaction, &id, 1).await;
                // The position is taken; the commit comes later, after others have asked for theirs.
                tokio::time::sleep(Duration::from_millis(n)).await;
                insert(&mut transaction, &id, 2).await;
                match n {
                    3 => transaction.rollback().await.unwrap(),
                    _ => transaction.commit().await.unwrap(),
                }
            }
        });
    }
    // Two processes of ours beside them.
    for _ in 0..2 {
        let payment: Arc<dyn EventStore> = Arc::new(stores.databases.open(Service::Payment));
        for _ in 0..8 {
            let store = payment.clone();
            writers.spawn(async move {
                let stream = stream();
                for version in 0..40 {
                    store.append(to(&stream, version, 1)).await.unwrap();
                }
            });
        }
    }
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(follow(stores.payment(), done.clone()));
    writers.join_all().await;
    done.store(true, Ordering::Release);
    let seen = reader.await.unwrap();

    let there: BTreeSet<u64> = log_of(&*stores.payment())
        .await
        .iter()
        .map(|f| f.position)
        .collect();
    assert_eq!(there.len(), 3 * 40 * 2 + 2 * 8 * 40);
    let missed: Vec<_> = there.difference(&seen).collect();
    assert!(
        missed.is_empty() && seen.len() == there.len(),
        "missed {missed:?}"
    );
    // Who comes late meets pages of many transactions.
    assert_eq!(follow(stores.payment(), done).await, there);
}

/// Follows the log, and says what it saw.
async fn follow(store: Arc<dyn EventStore>, done: Arc<AtomicBool>) -> BTreeSet<u64> {
    let (mut seen, mut after) = (BTreeSet::new(), 0);
    loop {
        let last_look = done.load(Ordering::Acquire);
        let page = store.read_log(after, 100).await.unwrap();
        for fact in &page {
            assert!(fact.position > after);
            after = fact.position;
            seen.insert(after);
        }
        if last_look && page.is_empty() {
            return seen;
        }
    }
}

#[tokio::test]
async fn what_somebody_else_inserted_is_read_and_appended_to() {
    let Some(stores) = Postgres::start().await else {
        return;
    };
    let store = stores.payment();
    let mut changes = store.changes();
    let order = ids::order();
    let run = stores.databases.place(Service::Payment).run();
    let mut on = stores.databases.session(Service::Payment, Some(&run)).await;
    for sequence in 1..=2 {
        insert(&mut on, &order.to_string(), sequence).await;
    }
    // Nobody has told this process.
    tokio::time::timeout(Duration::from_secs(10), changes.changed())
        .await
        .unwrap()
        .unwrap();
    let stream = domain::StreamId::of(Category::Payment, order);
    assert_conflict(store.append(to(&stream, 0, 1)).await, &stream);
    assert_conflict(store.append(to(&stream, 1, 1)).await, &stream);
    store.append(to(&stream, 2, 1)).await.unwrap();
    assert_eq!(facts_of(&*store, &stream).await.len(), 3);
}

#[tokio::test]
async fn a_transaction_that_is_left_open_does_not_stop_the_log_for_good() {
    let Some(stores) = Postgres::start().await else {
        return;
    };
    let store = stores.payment();
    store.append(to(&stream(), 0, 1)).await.unwrap();
    let mut on = stores.databases.session(Service::Payment, None).await;
    sqlx::raw_sql("SET idle_in_transaction_session_timeout = '5s'")
        .execute(&mut on)
        .await
        .unwrap();
    let mut left = on.begin().await.unwrap();
    insert(&mut left, &ids::order().to_string(), 1).await;

    let refused = store.append(to(&stream(), 0, 1)).await.unwrap_err();
    let transient = matches!(&refused, AppendError::Store(StoreError::Unavailable(_)));
    assert!(transient, "{refused}");
    // Those who only read do not wait.
    assert_eq!(log_of(&*store).await.len(), 1);
    let appended = async || store.append(to(&stream(), 0, 1)).await.is_ok();
    crate::support::eventually(appended, |appended| *appended).await;
    assert!(left.commit().await.is_err());
    assert_eq!(log_of(&*store).await.len(), 2);
}

#[tokio::test]
async fn a_category_is_read_with_what_somebody_else_inserted_and_without_other_aggregates() {
    let Some(stores) = Postgres::start().await else {
        return;
    };
    let store = stores.payment();
    let ours = stream();
    store.append(to(&ours, 0, 2)).await.unwrap();
    let run = stores.databases.place(Service::Payment).run();
    let mut on = stores.databases.session(Service::Payment, Some(&run)).await;
    let order = ids::order();
    insert(&mut on, &order.to_string(), 1).await;
    for aggregate in ["invoice", "payments", "Payment"] {
        let foreign = INSERT.replace("'payment', ", &format!("'{aggregate}', "));
        let inserted = sqlx::query(&foreign).bind(&ours.id).bind(3_i64);
        inserted.execute(&mut on).await.unwrap();
    }

    let (mut read, mut after) = (vec![], None);
    loop {
        let page = store.read_category(Category::Payment, after.as_ref(), 2);
        let page = page.await.unwrap();
        let last = page.len() < 2;
        after = page.last().map(|fact| fact.id.clone());
        read.extend(page);
        if last {
            break;
        }
    }
    let theirs = domain::StreamId::of(Category::Payment, order).fact(1);
    let mut expected = vec![ours.fact(1), ours.fact(2), theirs.clone()];
    expected.sort_by_key(|id| (id.stream.id.clone(), id.sequence));
    assert_eq!(ids_of(&read), expected);
    // What it did not say is known all the same.
    let of_theirs = read.iter().find(|fact| fact.id == theirs).unwrap();
    let metadata = String::from_utf8(of_theirs.metadata.to_vec()).unwrap();
    assert!(metadata.contains("correlationId"), "{metadata}");
}
