//! What outlives the process.

use std::time::Duration;

use domain::Service;
use infra::event_store::{Append, DueRow, Ended, How, ParkedRow, StoreError};

use super::Stores;
use super::checkpoints::at;
use super::given::*;
use super::leases::{take, take_when_free};

pub async fn facts_are_there_after_a_restart_and_positions_go_on(mut stores: impl Stores) {
    let (one, other) = (stream(), stream());
    let store = stores.of(Service::Payment);
    for version in 0..5 {
        let request = both(to(&one, version, 1), to(&other, 2 * version, 2));
        store.append(request).await.unwrap();
    }
    assert_conflict(store.append(to(&one, 3, 1)).await, &one);
    let delivery = stores.of(Service::Delivery);
    delivery.append(to(&one, 0, 1)).await.unwrap();
    let before = log_of(&*store).await;
    let last = store.last_position().await.unwrap();
    drop((store, delivery));

    stores.restart().await;
    let store = stores.of(Service::Payment);
    assert_eq!(log_of(&*store).await, before);
    assert_eq!(store.last_position().await.unwrap(), last);
    assert_eq!(facts_of(&*store, &other).await.len(), 10);
    assert_eq!(
        store.read_last(&one).await.unwrap().unwrap().id,
        one.fact(5)
    );
    assert_conflict(store.append(to(&one, 4, 1)).await, &one);
    assert!(store.append(to(&one, 5, 1)).await.unwrap() > last);
    let delivery = stores.of(Service::Delivery);
    assert_eq!(ids_of(&log_of(&*delivery).await), [one.fact(1)]);
}

pub async fn replies_are_there_after_a_restart_and_their_keys_are_used(mut stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let first = keyed("POST /", "key");
    store.append(first.clone()).await.unwrap();
    let purged = Append {
        reply: Some(reply("POST /", "old", second(0))),
        ..Append::default()
    };
    store.append(purged).await.unwrap();
    assert_eq!(store.purge_replies(second(1)).await.unwrap(), 1);
    drop(store);

    stores.restart().await;
    let store = stores.of(Service::Payment);
    let kept = store.stored_reply("POST /", "key").await.unwrap();
    assert_eq!(kept, first.reply);
    let told = repeated(store.append(keyed("POST /", "key")).await);
    assert_eq!(Some(told), first.reply);
    assert_eq!(log_of(&*store).await.len(), 1);
    assert_eq!(store.stored_reply("POST /", "old").await.unwrap(), None);
}

pub async fn tasks_are_there_after_a_restart_with_their_times(mut stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let mut rows: Vec<DueRow> = (1..8).map(|n| task(second(n))).collect();
    store.append(opening(&rows)).await.unwrap();
    rows[1].not_before = second(20);
    rows[1].problem = Some("no answer".to_owned());
    rows[1].failures = 3;
    rows[2].parked = true;
    store.put_back(&rows[1]).await.unwrap();
    store.put_back(&rows[2]).await.unwrap();
    store.append(settling(&rows[3..5])).await.unwrap();
    drop(store);

    stores.restart().await;
    let store = stores.of(Service::Payment);
    let expected = [0, 5, 6, 1].map(|n: usize| rows[n].clone());
    assert_eq!(due_at(&*store, second(60)).await, expected);
    assert_eq!(due_at(&*store, second(19)).await, expected[..3]);
    assert_eq!(store.next_due(second(7)).await.unwrap(), Some(second(20)));
    assert_eq!(store.due_of(rows[2].order).await.unwrap(), only(&rows[2]));
    assert_eq!(store.due_of(rows[3].order).await.unwrap(), []);
    let (troubled, open) = store.troubled(ALL).await.unwrap();
    assert_eq!((troubled.len(), open), (2, 5));

    store.append(settling(&rows)).await.unwrap();
    assert_eq!(store.next_due(second(-1)).await.unwrap(), None);
    assert_eq!(store.troubled(ALL).await.unwrap(), (vec![], 0));
}

pub async fn parked_facts_and_checkpoints_are_there_after_a_restart(mut stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let rows = [1, 2, 3].map(|n| parked_fact("payment", Service::Order, "key", n));
    for row in &rows {
        store.park(row.clone()).await.unwrap();
    }
    let ended = Ended {
        how: How::Discarded,
        at: second(5),
        reason: None,
    };
    let first = ParkedRow {
        ended: Some(ended),
        ..rows[0].clone()
    };
    assert!(store.replace_parked(&first).await.unwrap());
    let relay = at(70, &[(0, 5), (7, 9)]);
    for checkpoint in [at(3, &[(0, 1)]), relay.clone()] {
        store
            .set_checkpoint("relay", &checkpoint, None)
            .await
            .unwrap();
    }
    drop(store);

    stores.restart().await;
    let store = stores.of(Service::Payment);
    assert_eq!(store.parked("payment", None, ALL).await.unwrap(), rows[1..]);
    let record = store.parked_row(&first.id()).await.unwrap().unwrap();
    assert_eq!(record.ended, first.ended);
    assert_eq!(store.checkpoint("relay").await.unwrap(), Some(relay));
}

pub async fn epochs_go_on_after_a_restart(mut stores: impl Stores) {
    let ttl = Duration::from_millis(200);
    let store = stores.of(Service::Payment);
    for holder in ["one", "two"] {
        take(&store, "log", holder, ttl).await;
        store.release("log", holder).await.unwrap();
    }
    let old = take(&store, "log", "one", ttl).await;
    drop(store);

    stores.restart().await;
    let store = stores.of(Service::Payment);
    let new = take_when_free(&store, "log", "two").await;
    assert!(new.epoch > old.epoch, "{new:?} after {old:?}");
    let late = store
        .set_checkpoint("relay", &at(1, &[]), Some(("log", old.epoch)))
        .await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
}

pub async fn a_store_survives_many_restarts(mut stores: impl Stores) {
    let stream = stream();
    let mut last = 0;
    for version in 0..5 {
        let store = stores.of(Service::Payment);
        assert_eq!(facts_of(&*store, &stream).await.len() as u64, version);
        let position = store.append(to(&stream, version, 1)).await.unwrap();
        assert!(position > last);
        last = position;
        drop(store);
        stores.restart().await;
    }
}
