//! The facts of a log: what is appended is what is read.

use std::time::Duration;

use domain::{Category, Service, StreamId, Task};
use infra::event_store::{Append, Checkpoint, DueRow, MAX_FACT_BYTES, MAX_FACTS, NewFact};
use infra::ids;

use super::Stores;
use super::given::*;
use crate::support::eventually;

pub async fn an_empty_store_has_nothing(stores: impl Stores) {
    for service in Service::ALL {
        let store = stores.of(service);
        assert_eq!(store.service(), service);
        store.ready().await.unwrap();
        assert_eq!(store.last_position().await.unwrap(), 0);
        assert_eq!(log_of(&*store).await, []);
        assert_eq!(facts_of(&*store, &stream()).await, []);
        assert_eq!(store.read_last(&stream()).await.unwrap(), None);
        assert_eq!(store.stored_reply("POST /", "key").await.unwrap(), None);
        assert_eq!(due_at(&*store, second(1_000)).await, []);
        assert_eq!(store.next_due(second(-1_000)).await.unwrap(), None);
        assert_eq!(store.troubled(ALL).await.unwrap(), (vec![], 0));
        assert_eq!(store.parked("group", None, ALL).await.unwrap(), []);
        assert_eq!(store.checkpoint("relay").await.unwrap(), None);
    }
}

pub async fn appended_facts_are_read_back_byte_for_byte_in_order(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let (one, other) = (stream(), stream());
    let odd = |stream: &StreamId, sequence, payload: &str, metadata: &str| NewFact {
        name: "payment.undo-requested",
        version: "12",
        payload: payload.to_owned().into(),
        metadata: metadata.to_owned().into(),
        ..fact(stream, sequence)
    };
    // What a store that parses its JSON would write in another way.
    let facts = [
        odd(
            &one,
            1,
            r#"{"z":1,"a":2}"#,
            r#"{"causationId":"c","time":"t","correlationId":"c"}"#,
        ),
        odd(
            &other,
            1,
            "{ \"type\" :\n\t\"x\", \"n\": 1.50e+00 }",
            " {\t\"time\":\"t\", \"correlationId\":\"c\", \"causationId\":\"c\"} ",
        ),
        odd(
            &one,
            2,
            r#"{"a":1,"a":2,"b":"\u00e9é\u0000\/"}"#,
            r#"{"k":"\u0000","time":"\u0000","correlationId":"","causationId":"\/"}"#,
        ),
        odd(
            &other,
            2,
            r#"{"n":123456789012345678901234567890}"#,
            r#"{"time":"t","correlationId":"é","causationId":"c","time":"é"}"#,
        ),
    ];
    let request = Append {
        expect: vec![(other.clone(), 0), (one.clone(), 0)],
        facts: facts.to_vec(),
        ..Append::default()
    };
    let last = store.append(request).await.unwrap();

    let expected = facts.each_ref().map(stored);
    let log = log_of(&*store).await;
    assert_eq!(without_positions(&log), expected);
    assert!(log.is_sorted_by(|a, b| a.position < b.position), "{log:?}");
    assert!(log[0].position > 0);
    assert_eq!(log.last().unwrap().position, last);
    assert_eq!(store.last_position().await.unwrap(), last);
    for (stream, its) in [(&one, [0, 2]), (&other, [1, 3])] {
        let its = its.map(|n| log[n].clone());
        assert_eq!(facts_of(&*store, stream).await, its);
        assert_eq!(store.read_last(stream).await.unwrap().as_ref(), its.last());
    }
}

pub async fn streams_whose_ids_look_alike_are_kept_apart(stores: impl Stores) {
    let store = stores.of(Service::Inventory);
    let order = ids::order();
    let mut streams = ["a", "A", "a-1", "a-", "a.", "aa", "a_", "1", "a-1-1"]
        .map(stock)
        .to_vec();
    streams.push(stock(&order.to_string()));
    streams.push(StreamId::of(Category::Reservation, order));
    for (n, stream) in streams.iter().enumerate() {
        let count = u64::try_from(n + 1).unwrap();
        store.append(to(stream, 0, count)).await.unwrap();
    }
    for (n, stream) in streams.iter().enumerate() {
        let facts = facts_of(&*store, stream).await;
        let expected: Vec<_> = (1..=n as u64 + 1).map(|n| stream.fact(n)).collect();
        assert_eq!(ids_of(&facts), expected);
        assert_eq!(
            store.read_last(stream).await.unwrap().as_ref(),
            facts.last()
        );
    }
}

pub async fn a_stream_is_read_after_a_sequence_and_up_to_a_limit(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let stream = stream();
    store.append(to(&stream, 0, 300)).await.unwrap();
    let all = facts_of(&*store, &stream).await;
    let expected: Vec<_> = (1..=300).map(|n| stream.fact(n)).collect();
    assert_eq!(ids_of(&all), expected);
    for (after, limit, range) in [
        (0, 1, 0..1),
        (0, 0, 0..0),
        (254, 4, 254..258),
        (298, 100, 298..300),
        (300, 100, 300..300),
        (9_000, 100, 300..300),
    ] {
        let read = store.read_stream(&stream, after, limit).await.unwrap();
        assert_eq!(read, all[range], "after {after}, at most {limit}");
    }
}

pub async fn the_log_is_read_after_a_position_and_up_to_a_limit(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let mut expected = vec![];
    for count in [1, 299, 7] {
        let stream = stream();
        store.append(to(&stream, 0, count)).await.unwrap();
        expected.extend((1..=count).map(|n| stream.fact(n)));
    }
    let all = log_of(&*store).await;
    assert_eq!(ids_of(&all), expected);
    for (after, limit) in [
        (0, 1),
        (0, 0),
        (1, 1),
        (254, 4),
        (299, 100),
        (306, 1),
        (307, 9),
    ] {
        let position = usize::checked_sub(after, 1).map_or(0, |n| all[n].position);
        let read = store.read_log(position, limit).await.unwrap();
        let until = (after + limit).min(all.len());
        assert_eq!(read, all[after..until], "after {after}, at most {limit}");
    }
    let last = store.last_position().await.unwrap();
    assert_eq!(store.read_log(last + 100, 10).await.unwrap(), []);
}

pub async fn the_last_fact_of_a_stream_is_that_with_the_highest_sequence(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let stream = stream();
    let mut version = 0;
    for count in [1, 8, 1, 246, 3] {
        store.append(to(&stream, version, count)).await.unwrap();
        version += count;
        let last = store.read_last(&stream).await.unwrap().unwrap();
        assert_eq!(last.id, stream.fact(version));
        assert_eq!(Some(&last), facts_of(&*store, &stream).await.last());
    }
}

pub async fn a_fact_of_the_largest_size_is_kept_and_a_larger_one_is_invalid(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let stream = stream();
    let of_size = |size: usize| {
        let bare = fact_saying(&stream, 1, "");
        let room = size - bare.payload.len() - bare.metadata.len();
        Append {
            facts: vec![fact_saying(&stream, 1, &"x".repeat(room))],
            ..to(&stream, 0, 1)
        }
    };
    let answer = store.append(of_size(MAX_FACT_BYTES + 1)).await;
    assert_invalid(answer, "a fact that is too large");
    assert_eq!(log_of(&*store).await, []);

    let largest = of_size(MAX_FACT_BYTES);
    let expected = stored(&largest.facts[0]);
    store.append(largest).await.unwrap();
    let facts = facts_of(&*store, &stream).await;
    assert!(without_positions(&facts) == [expected]);
}

pub async fn what_no_store_could_keep_is_invalid_and_changes_nothing(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let (known, other) = (stream(), stream());
    store.append(to(&known, 0, 2)).await.unwrap();
    let before = log_of(&*store).await;
    let row = task(second(1));
    let with = |expect: Vec<(StreamId, u64)>, facts: Vec<NewFact>| Append {
        expect,
        facts,
        opens: vec![row.clone()],
        reply: Some(reply("POST /", "key", second(1))),
        ..Append::default()
    };
    let at_2 = || vec![(known.clone(), 2)];
    let nul = stock("a\0b");
    for (what, request) in [
        ("a hole at the front", with(at_2(), vec![fact(&known, 4)])),
        (
            "a hole",
            with(at_2(), vec![fact(&known, 3), fact(&known, 5)]),
        ),
        (
            "a sequence twice",
            with(at_2(), vec![fact(&known, 3), fact(&known, 3)]),
        ),
        (
            "the wrong way round",
            with(at_2(), vec![fact(&known, 4), fact(&known, 3)]),
        ),
        (
            "a sequence that is there",
            with(at_2(), vec![fact(&known, 2)]),
        ),
        (
            "the sequence 0",
            with(vec![(other.clone(), 0)], vec![fact(&other, 0)]),
        ),
        (
            "a stream without a version",
            with(at_2(), vec![fact(&other, 1)]),
        ),
        (
            "a stream expected twice",
            with([at_2(), at_2()].concat(), vec![]),
        ),
        (
            "an id with a NUL byte",
            with(vec![(nul.clone(), 0)], vec![fact(&nul, 1)]),
        ),
        (
            "an id with a NUL byte, expected only",
            with(vec![(nul.clone(), 0)], vec![]),
        ),
        (
            "a task with a NUL byte",
            Append {
                settles: vec!["a\0b".to_owned()],
                ..with(at_2(), vec![])
            },
        ),
        ("too many facts", to(&other, 0, MAX_FACTS as u64 + 1)),
    ] {
        assert_invalid(store.append(request).await, what);
        assert_eq!(log_of(&*store).await, before, "{what}");
        assert_eq!(store.due_of(row.order).await.unwrap(), [], "{what}");
        assert_eq!(
            store.stored_reply("POST /", "key").await.unwrap(),
            None,
            "{what}"
        );
    }
    store.append(to(&other, 0, MAX_FACTS as u64)).await.unwrap();
}

pub async fn services_share_nothing(stores: impl Stores) {
    let (payment, delivery) = (stores.of(Service::Payment), stores.of(Service::Delivery));
    let stream = stream();
    let row = task(second(1));
    let request = Append {
        opens: vec![row.clone()],
        reply: Some(reply("POST /", "key", second(1))),
        ..to(&stream, 0, 3)
    };
    payment.append(request).await.unwrap();
    let parked = parked_fact("group", Service::Order, "key", 1);
    payment.park(parked).await.unwrap();
    let checkpoint = Checkpoint::default();
    payment
        .set_checkpoint("relay", &checkpoint, None)
        .await
        .unwrap();
    let ttl = Duration::from_secs(60);
    payment.acquire("log", "one", ttl).await.unwrap().unwrap();

    assert_eq!(facts_of(&*delivery, &stream).await, []);
    assert_eq!(log_of(&*delivery).await, []);
    assert_eq!(delivery.last_position().await.unwrap(), 0);
    assert_eq!(delivery.stored_reply("POST /", "key").await.unwrap(), None);
    assert_eq!(due_at(&*delivery, second(9)).await, []);
    assert_eq!(delivery.next_due(second(0)).await.unwrap(), None);
    assert_eq!(delivery.due_of(row.order).await.unwrap(), []);
    assert_eq!(delivery.troubled(ALL).await.unwrap(), (vec![], 0));
    assert_eq!(delivery.parked("group", None, ALL).await.unwrap(), []);
    assert_eq!(delivery.checkpoint("relay").await.unwrap(), None);
    assert!(delivery.acquire("log", "two", ttl).await.unwrap().is_some());
    assert_eq!(delivery.purge_replies(second(9)).await.unwrap(), 0);

    let own = Append {
        opens: vec![task_of(row.order, Task::Courier, second(1))],
        settles: vec![row.id()],
        reply: Some(reply("POST /", "key", second(1))),
        ..to(&stream, 0, 1)
    };
    delivery.append(own).await.unwrap();
    assert_eq!(facts_of(&*payment, &stream).await.len(), 3);
    assert_eq!(payment.due_of(row.order).await.unwrap(), [row]);
}

pub async fn changes_wake_whoever_waits_for_facts_or_tasks(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let row = task(second(1));
    let opened = Append {
        opens: vec![row.clone()],
        ..Append::default()
    };
    let mut changes = store.changes();
    for request in [to(&stream(), 0, 1), opened] {
        changes.mark_unchanged();
        store.append(request).await.unwrap();
        eventually(
            || async { changes.has_changed().unwrap() },
            |changed| *changed,
        )
        .await;
    }
    changes.mark_unchanged();
    let sooner = DueRow {
        not_before: second(0),
        ..row
    };
    store.put_back(&sooner).await.unwrap();
    eventually(
        || async { changes.has_changed().unwrap() },
        |changed| *changed,
    )
    .await;
}
