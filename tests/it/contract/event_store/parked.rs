//! Facts that could not be taken, and those that wait behind them.

use std::collections::HashSet;
use std::sync::Arc;

use domain::Service;
use domain::values::Timestamp;
use infra::bus::Record;
use infra::event_store::{Ended, How, Original, ParkedRow, ParkedRows, Redrive, Replacement};

use super::Parking;
use super::given::*;

async fn all(store: &Arc<dyn ParkedRows>, group: &str) -> Vec<ParkedRow> {
    store.parked(group, None, ALL).await.unwrap()
}

/// The row as it is once it has ended so.
fn ended(row: &ParkedRow, how: How, at: i64) -> ParkedRow {
    ParkedRow {
        ended: Some(Ended {
            how,
            at: second(at),
            reason: Some("it was time".to_owned()),
        }),
        ..row.clone()
    }
}

/// The row as it is stored after a change.
fn changed(row: &ParkedRow) -> ParkedRow {
    ParkedRow {
        revision: row.revision + 1,
        ..row.clone()
    }
}

async fn end(store: &Arc<dyn ParkedRows>, row: &ParkedRow, how: How) {
    assert!(store.replace_parked(&ended(row, how, 5)).await.unwrap());
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
        original: Some(Original::from(&Record {
            key: Some("é key".into()),
            payload: Some(b"\xff\x00\xfe".to_vec().into()),
            headers: vec![("ce_id".into(), "a\0b".into())],
        })),
        replacement: Some(Replacement {
            name: "order.completed".to_owned(),
            version: "1".to_owned(),
            payload: r#"{ "type" : "order.completed" }"#.to_owned(),
        }),
        redrive: Some(Redrive {
            asked_at: second(7),
            reason: Some("é".to_owned()),
        }),
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

pub async fn of_the_keys_asked_for_those_with_open_rows_are_told(stores: impl Parking) {
    let store = stores.parking();
    let key = |topic: &str, key: &str| (topic.to_owned(), key.to_owned());
    let asked = HashSet::from([
        key("order", "a"),
        key("order", "b"),
        key("order", "a-1"),
        key("delivery", "a"),
        key("delivery", "b"),
    ]);
    let among = || store.parked_among("payment", &asked);
    assert!(among().await.unwrap().is_empty());
    for (topic, key) in [
        (Service::Order, "a"),
        (Service::Order, "c"),
        (Service::Delivery, "b"),
    ] {
        for offset in 0..3 {
            let row = parked_fact("payment", topic, key, offset);
            store.park(row).await.unwrap();
        }
    }
    let elsewhere = parked_fact("payment-2", Service::Order, "b", 0);
    store.park(elsewhere).await.unwrap();
    let mut expected = HashSet::from([key("order", "a"), key("delivery", "b")]);
    for offset in 0..3 {
        assert_eq!(among().await.unwrap(), expected);
        let row = parked_fact("payment", Service::Order, "a", offset);
        end(&store, &row, How::Redriven).await;
    }
    expected.remove(&key("order", "a"));
    assert_eq!(among().await.unwrap(), expected);
    let none = store.parked_among("payment", &HashSet::new()).await;
    assert!(none.unwrap().is_empty());
}

pub async fn the_first_open_row_of_each_key_is_its_head(stores: impl Parking) {
    let store = stores.parking();
    let mut heads = vec![];
    for topic in [Service::Delivery, Service::Order] {
        for key in ["", "A", "a", "a\u{1}", "a-1", "b"] {
            for offset in [2, 10, 255, 256] {
                let row = parked_fact("payment", topic, key, offset);
                store.park(row).await.unwrap();
            }
            heads.push(parked_fact("payment", topic, key, 2));
        }
    }
    let elsewhere = parked_fact("payment-2", Service::Order, "b", 0);
    store.park(elsewhere).await.unwrap();
    let found = store.parked_heads("payment", None, ALL).await.unwrap();
    assert_eq!(found, heads);
    end(&store, &heads[3], How::Discarded).await;
    heads[3].offset = 10;
    for page in [1, 5, heads.len()] {
        let (mut seen, mut after) = (vec![], None);
        loop {
            let some = store.parked_heads("payment", after.as_ref(), page).await;
            let some = some.unwrap();
            let Some(last) = some.last() else { break };
            after = Some(last.id());
            seen.extend(some);
        }
        assert_eq!(seen, heads, "by {page}");
    }
}

pub async fn open_rows_are_read_page_by_page(stores: impl Parking) {
    let store = stores.parking();
    let mut rows = vec![];
    for topic in [Service::Delivery, Service::Order] {
        for key in ["", "a", "b"] {
            for (partition, offset) in [(0, 3), (0, 70_000), (2, 0)] {
                rows.push(ParkedRow {
                    partition,
                    ..parked_fact("payment", topic, key, offset)
                });
            }
        }
    }
    for row in rows.iter().rev() {
        store.park(row.clone()).await.unwrap();
    }
    end(&store, &rows.remove(7), How::Redriven).await;
    let elsewhere = parked_fact("payment-2", Service::Order, "a", 0);
    store.park(elsewhere).await.unwrap();
    for page in [1, 4, rows.len()] {
        let (mut seen, mut after) = (vec![], None);
        loop {
            let some = store.parked_after("payment", after.as_ref(), page).await;
            let some = some.unwrap();
            let Some(last) = some.last() else { break };
            after = Some(last.id());
            seen.extend(some);
        }
        assert_eq!(seen, rows, "by {page}");
    }
}

pub async fn a_row_that_another_changed_is_not_replaced(stores: impl Parking) {
    let store = stores.parking();
    let first = parked_fact("payment", Service::Order, "key", 3);
    assert!(
        !store.replace_parked(&first).await.unwrap(),
        "there is none"
    );
    store.park(first.clone()).await.unwrap();
    let mut asked = first.clone();
    asked.redrive = Some(Redrive {
        asked_at: second(3),
        reason: None,
    });
    assert!(store.replace_parked(&asked).await.unwrap());
    assert_eq!(all(&store, "payment").await, only(&changed(&asked)));
    let stale = ended(&first, How::Discarded, 9);
    assert!(!store.replace_parked(&stale).await.unwrap());
    assert_eq!(all(&store, "payment").await, only(&changed(&asked)));
    end(&store, &changed(&asked), How::Redriven).await;
    let late = changed(&changed(&asked));
    assert!(!store.replace_parked(&late).await.unwrap(), "it has ended");
}

pub async fn of_many_who_change_a_row_at_once_one_does(stores: impl Parking) {
    let store = stores.parking();
    let row = parked_fact("payment", Service::Order, "key", 3);
    store.park(row.clone()).await.unwrap();
    let crowd = (0..8).map(|n| {
        let (store, row) = (store.clone(), ended(&row, How::Discarded, n));
        async move { store.replace_parked(&row).await.unwrap() }
    });
    let did = futures::future::join_all(crowd).await;
    assert_eq!(did.into_iter().filter(|did| *did).count(), 1);
}

pub async fn an_ended_fact_stays_on_record_until_it_is_purged(stores: impl Parking) {
    let store = stores.parking();
    let rows = [1, 2, 3].map(|n| parked_fact("payment", Service::Order, "key", n));
    let ways = [How::Redriven, How::TakenUp, How::Discarded];
    let mut records = vec![];
    for (n, (row, how)) in (1..).zip(rows.iter().zip(ways)) {
        store.park(row.clone()).await.unwrap();
        let row = ended(row, how, n);
        assert!(store.replace_parked(&row).await.unwrap());
        records.push(changed(&row));
    }
    assert_eq!(all(&store, "payment").await, []);
    let on_record = |key| store.ended_parked("payment", key, ALL);
    assert_eq!(on_record(None).await.unwrap(), records);
    assert_eq!(on_record(Some("key")).await.unwrap(), records);
    assert_eq!(on_record(Some("other")).await.unwrap(), []);
    let found = store.parked_row(&rows[1].id()).await.unwrap();
    assert_eq!(found.as_ref(), Some(&records[1]));
    assert_eq!(store.purge_parked("payment-2", second(9)).await.unwrap(), 0);
    assert_eq!(store.purge_parked("payment", second(2)).await.unwrap(), 1);
    assert_eq!(on_record(None).await.unwrap(), records[1..]);
    assert_eq!(store.parked_row(&rows[0].id()).await.unwrap(), None);
}

pub async fn what_was_replaced_is_never_purged(stores: impl Parking) {
    let store = stores.parking();
    let row = ParkedRow {
        replacement: Some(Replacement {
            name: "order.completed".to_owned(),
            version: "1".to_owned(),
            payload: r#"{"type":"order.completed"}"#.to_owned(),
        }),
        ..parked_fact("payment", Service::Order, "key", 3)
    };
    store.park(row.clone()).await.unwrap();
    end(&store, &row, How::Redriven).await;
    assert_eq!(store.purge_parked("payment", second(99)).await.unwrap(), 0);
    assert!(store.parked_row(&row.id()).await.unwrap().is_some());
}

pub async fn what_was_given_up_stays_given_up_when_it_comes_again(stores: impl Parking) {
    let store = stores.parking();
    let row = parked_fact("payment", Service::Order, "key", 3);
    store.park(row.clone()).await.unwrap();
    end(&store, &row, How::Discarded).await;
    store.park(row.clone()).await.unwrap();
    assert_eq!(all(&store, "payment").await, []);

    // The topic was made anew: another fact has that place.
    let other = ParkedRow {
        fact: Some("order-other-1".to_owned()),
        ..row
    };
    store.park(other.clone()).await.unwrap();
    let open = all(&store, "payment").await;
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].fact, other.fact);
}

pub async fn a_fact_that_was_taken_and_fails_when_it_comes_again_is_parked_anew(
    stores: impl Parking,
) {
    let store = stores.parking();
    let row = parked_fact("payment", Service::Order, "key", 3);
    store.park(row.clone()).await.unwrap();
    end(&store, &row, How::Redriven).await;
    store.park(row.clone()).await.unwrap();
    let anew = all(&store, "payment").await.remove(0);
    assert!(
        anew.revision > row.revision + 1,
        "who knew it before is refused"
    );
    assert_eq!(store.ended_parked("payment", None, ALL).await.unwrap(), []);
    let stale = ended(&changed(&row), How::Redriven, 9);
    assert!(!store.replace_parked(&stale).await.unwrap());
    end(&store, &anew, How::Redriven).await;
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
    end(&store, &rows[0], How::Discarded).await;
    assert_eq!(all(&store, "payment").await, []);
    assert_eq!(all(&store, "payment-2").await, only(&rows[1]));
}

pub async fn ending_a_parked_fact_ends_that_one_only(stores: impl Parking) {
    let store = stores.parking();
    let rows = [1, 2, 3].map(|n| parked_fact("payment", Service::Order, "key", n));
    for row in &rows {
        store.park(row.clone()).await.unwrap();
    }
    end(&store, &rows[1], How::TakenUp).await;
    let left = [rows[0].clone(), rows[2].clone()];
    assert_eq!(all(&store, "payment").await, left);
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
    ] {
        let row = ended(&elsewhere, How::Redriven, 9);
        assert!(!store.replace_parked(&row).await.unwrap());
        assert_eq!(store.parked_row(&elsewhere.id()).await.unwrap(), None);
    }
    assert_eq!(all(&store, "payment").await, left);
}
