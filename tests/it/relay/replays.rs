//! Facts that are published again, beside a relay that runs and after one has halted.

use std::collections::HashSet;

use infra::envelope::{REPLAY, id_of};
use infra::relay::{ReplayError, Which, mend, replay};

use super::given::{Given, assert_first_occurrences_are_the_log, batch};
use crate::contract::{stream, to};

/// The ids of the records, and whether they are marked.
async fn marked(given: &Given) -> Vec<(String, bool)> {
    let records = given.read().await;
    let mark = |record: &infra::bus::Record| {
        let mut headers = record.headers.iter();
        headers.any(|(key, value)| key == REPLAY && value == "true")
    };
    records
        .iter()
        .map(|record| (id_of(record).unwrap().to_string(), mark(record)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_again_is_as_it_was_but_for_a_mark() {
    let Some(given) = Given::start().await else {
        return;
    };
    batch(&given, 200).await;
    let relay = given.run().await;
    given.relayed().await;
    let mut told = vec![];
    let mut tell = |count| told.push(count);
    let whole = replay(&given.relay(), Which::After(150), None, &mut tell).await;
    assert_eq!(whole.unwrap(), 50);
    batch(&given, 100).await;
    given.relayed().await;
    relay.end().await;

    let seen = marked(&given).await;
    let again: HashSet<_> = seen.iter().filter(|(_, again)| *again).collect();
    assert_eq!((seen.len(), again.len()), (350, 50));
    let log = given.log().await;
    for fact in &log {
        let id = fact.id.to_string();
        let expected = fact.position > 150 && fact.position <= 200;
        assert_eq!(again.contains(&(id, true)), expected, "{}", fact.id);
    }
    // Facts that were taken twice are the same fact.
    assert_first_occurrences_are_the_log(&given, &given.topic().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_facts_of_one_order_are_published_again_and_no_other() {
    let Some(given) = Given::start().await else {
        return;
    };
    let (one, other) = (stream(), stream());
    for stream in [&one, &other] {
        given.store.append(to(stream, 0, 3)).await.unwrap();
    }
    let relay = given.run().await;
    given.relayed().await;
    let order = Which::Order(one.id.parse().unwrap());
    let published = replay(&given.relay(), order, Some(1000), &mut |_| ()).await;
    assert_eq!(published.unwrap(), 3);
    relay.end().await;
    let seen = marked(&given).await;
    let again: Vec<_> = seen.into_iter().filter(|(_, again)| *again).collect();
    let expected = [1, 2, 3].map(|sequence| (one.fact(sequence).to_string(), true));
    assert_eq!(again, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_lacks_facts_is_filled_by_its_relay_alone() {
    let Some(given) = Given::start().await else {
        return;
    };
    batch(&given, 100).await;
    let relay = given.run().await;
    given.relayed().await;
    relay.end().await;
    given.make_anew().await;
    // Nobody has noticed yet, and a replay would hide it.
    let refused = replay(&given.relay(), Which::After(0), None, &mut |_| ()).await;
    assert!(
        matches!(refused, Err(ReplayError::Halted(_))),
        "{refused:?}"
    );
    assert_eq!(given.topic().await, []);

    let relay = given.run().await;
    given.halted().await;
    let order = Which::Order(stream().id.parse().unwrap());
    let refused = replay(&given.relay(), order, None, &mut |_| ()).await;
    assert!(
        matches!(refused, Err(ReplayError::Halted(_))),
        "{refused:?}"
    );
    batch(&given, 50).await;
    assert!(mend(&*given.store, &*given.publisher, 0).await.unwrap());
    given.relayed().await;
    // Those that were published before are marked, and none after them.
    let seen = marked(&given).await;
    let again = seen.iter().filter(|(_, again)| *again).count();
    assert_eq!((seen.len(), again), (150, 100));
    assert_first_occurrences_are_the_log(&given, &given.topic().await).await;
    relay.end().await;
}
