//! Facts that could not be taken, and those that wait behind them.

use std::collections::HashSet;
use std::sync::Arc;

use domain::Service;
use domain::values::Timestamp;
use infra::event_store::{ParkedRow, ParkedRows};

use super::Parking;
use super::given::*;

async fn all(store: &Arc<dyn ParkedRows>, group: &str) -> Vec<ParkedRow> {
    store.parked(group, None, ALL).await.unwrap()
}

pub async fn a_parked_fact_is_kept_as_it_was_given(stores: impl Parking) {
    let store = stores.parking();
    let full = ParkedRow {
        partition: 7,
        fact: Some("order-1-1".to_owned()),
        class: "unknown-version".to_owned(),
        reason: "é \" \\ \n 'twas ".repeat(500),
        attempts: 5,
        parked_at: Timestamp::from_micros(1_767_225_600_123_457),
        ..parked_fact("payment", Service::Order, "é key", 1 << 40)
    };
    let bare = ParkedRow {
        fact: None,
        reason: String::new(),
        attempts: 0,
        ..parked_fact("payment", Service::Order, "", 0)
    };
    for row in [&full, &bare] {
        store.park(row.clone()).await.unwrap();
    }
    assert_eq!(all(&store, "payment").await, [bare, full]);
}

pub async fn parking_a_fact_again_changes_nothing(stores: impl Parking) {
    let store = stores.parking();
    let first = parked_fact("payment", Service::Order, "key", 3);
    store.park(first.clone()).await.unwrap();
    let again = ParkedRow {
        class: "waiting".to_owned(),
        reason: "another".to_owned(),
        attempts: 9,
        parked_at: second(99),
        ..first.clone()
    };
    store.park(again).await.unwrap();
    assert_eq!(all(&store, "payment").await, [first]);
}

pub async fn parked_facts_come_by_topic_key_and_offset_up_to_a_limit(stores: impl Parking) {
    let store = stores.parking();
    let mut rows = vec![];
    for topic in [Service::Delivery, Service::Order] {
        for key in ["A", "a", "a-1", "a1", "b"] {
            for offset in [0, 1, 2, 10, 255, 256, 70_000] {
                rows.push(parked_fact("payment", topic, key, offset));
            }
        }
    }
    for n in 0..rows.len() {
        // Another order, in which each comes once: 27 and 70 have no common divisor.
        store.park(rows[n * 27 % rows.len()].clone()).await.unwrap();
    }
    assert_eq!(all(&store, "payment").await, rows);
    for limit in [0, 1, 8, rows.len() - 1, rows.len()] {
        let some = store.parked("payment", None, limit).await.unwrap();
        assert_eq!(some, rows[..limit]);
    }
}

pub async fn parked_facts_of_one_key_are_found_among_others(stores: impl Parking) {
    let store = stores.parking();
    for offset in 0..5 {
        for topic in [Service::Delivery, Service::Order] {
            for key in ["a", "a-1", "A", "b"] {
                let row = parked_fact("payment", topic, key, offset);
                store.park(row).await.unwrap();
            }
        }
    }
    let found = store.parked("payment", Some("a-1"), ALL).await.unwrap();
    let expected: Vec<_> = [Service::Delivery, Service::Order]
        .into_iter()
        .flat_map(|topic| (0..5).map(move |n| parked_fact("payment", topic, "a-1", n)))
        .collect();
    assert_eq!(found, expected);
    for limit in [0, 1, 7] {
        let some = store.parked("payment", Some("a-1"), limit).await.unwrap();
        assert_eq!(some, expected[..limit]);
    }
    assert_eq!(store.parked("payment", Some("c"), ALL).await.unwrap(), []);
}

pub async fn each_topic_and_key_with_parked_facts_is_told_once(stores: impl Parking) {
    let store = stores.parking();
    assert!(store.parked_keys("payment").await.unwrap().is_empty());
    for (topic, key) in [
        (Service::Order, "a"),
        (Service::Order, "b"),
        (Service::Delivery, "a"),
    ] {
        for offset in 0..3 {
            let row = parked_fact("payment", topic, key, offset);
            store.park(row).await.unwrap();
        }
    }
    let elsewhere = parked_fact("payment-2", Service::Order, "c", 0);
    store.park(elsewhere).await.unwrap();
    let mut expected = HashSet::from(
        [("order", "a"), ("order", "b"), ("delivery", "a")]
            .map(|(topic, key)| (topic.to_owned(), key.to_owned())),
    );
    for offset in 0..3 {
        assert_eq!(store.parked_keys("payment").await.unwrap(), expected);
        let row = parked_fact("payment", Service::Order, "a", offset);
        store.unpark(&row).await.unwrap();
    }
    expected.remove(&("order".to_owned(), "a".to_owned()));
    assert_eq!(store.parked_keys("payment").await.unwrap(), expected);
}

pub async fn parked_facts_of_two_groups_are_apart(stores: impl Parking) {
    let store = stores.parking();
    let groups = ["payment", "payment-2", "paymen", "order_view-g1"];
    let rows = groups.map(|group| parked_fact(group, Service::Order, "key", 3));
    for row in &rows {
        store.park(row.clone()).await.unwrap();
    }
    for (group, row) in groups.into_iter().zip(&rows) {
        assert_eq!(all(&store, group).await, only(row));
    }
    store.unpark(&rows[0]).await.unwrap();
    assert_eq!(all(&store, "payment").await, []);
    assert_eq!(all(&store, "payment-2").await, only(&rows[1]));
}

pub async fn unparking_forgets_that_fact_only(stores: impl Parking) {
    let store = stores.parking();
    let rows = [1, 2, 3].map(|n| parked_fact("payment", Service::Order, "key", n));
    for row in &rows {
        store.park(row.clone()).await.unwrap();
    }
    // It is known by where it came from, whatever else the row says.
    let other = ParkedRow {
        class: "waiting".to_owned(),
        attempts: 9,
        ..rows[1].clone()
    };
    store.unpark(&other).await.unwrap();
    assert_eq!(
        all(&store, "payment").await,
        [rows[0].clone(), rows[2].clone()]
    );
    for elsewhere in [
        ParkedRow {
            partition: 1,
            ..rows[0].clone()
        },
        ParkedRow {
            offset: 4,
            ..rows[0].clone()
        },
        ParkedRow {
            key: "other".to_owned(),
            ..rows[0].clone()
        },
        ParkedRow {
            topic: "delivery".to_owned(),
            ..rows[0].clone()
        },
        other,
    ] {
        store.unpark(&elsewhere).await.unwrap();
    }
    assert_eq!(
        all(&store, "payment").await,
        [rows[0].clone(), rows[2].clone()]
    );
    store.park(rows[1].clone()).await.unwrap();
    assert_eq!(all(&store, "payment").await, rows);
}
