//! Many at once: the group commit decides request by request, and the log shows facts in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Position, Service, StreamId};
use futures::FutureExt;
use futures::future::join_all;
use infra::event_store::{Append, AppendError, EventStore, StoreError, StoredFact};
use tokio::task::JoinSet;

use super::Stores;
use super::given::*;

const CROWD: u64 = 64;

pub async fn of_many_appends_at_one_version_exactly_one_is_accepted(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let stream = stream();
    for version in 0..50 {
        let requests: Vec<_> = (0..8).map(|_| to(&stream, version, 1)).collect();
        let facts = requests.iter().map(|request| stored(&request.facts[0]));
        let facts: Vec<_> = facts.collect();
        let sent = requests.into_iter().map(|request| store.append(request));
        let mut winners = vec![];
        for (answer, fact) in join_all(sent).await.into_iter().zip(facts) {
            match answer {
                Ok(position) => winners.push(StoredFact { position, ..fact }),
                refused => assert_conflict(refused, &stream),
            }
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        let there = store.read_stream(&stream, version, ALL).await.unwrap();
        assert_eq!(there, winners);
    }
}

pub async fn a_refused_request_does_not_touch_its_neighbours(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let (old, used) = (stream(), keyed("POST /", "used"));
    store.append(to(&old, 0, 3)).await.unwrap();
    store.append(used.clone()).await.unwrap();
    let before = store.last_position().await.unwrap();

    let good: Vec<StreamId> = (0..150).map(|_| stream()).collect();
    let requests = good.iter().enumerate().map(|(n, stream)| {
        let bad = match n % 5 {
            0 => to(&old, 2, 1),
            1 => Append {
                facts: vec![fact(&old, 9)],
                ..to(&old, 3, 0)
            },
            2 => keyed("POST /", "used"),
            3 => both(to(&self::stream(), 0, 2), to(&old, 7, 1)),
            _ => to(&self::stream(), 1, 1),
        };
        [(to(stream, 0, 2), true), (bad, false)]
    });
    let sent = requests.flatten().map(|(request, good)| {
        let answer = store.append(request);
        async move { (good, answer.await) }
    });
    for (good, answer) in join_all(sent).await {
        assert_eq!(answer.is_ok(), good, "{answer:?}");
    }
    let after = store.read_log(before, ALL).await.unwrap();
    let mut expected: Vec<_> = good.iter().flat_map(|s| [s.fact(1), s.fact(2)]).collect();
    let mut there = ids_of(&after);
    expected.sort();
    there.sort();
    assert_eq!(there, expected);
}

pub async fn of_many_looks_at_once_each_finds_its_own_stream(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    // None, some, and more than are usual.
    let streams: Vec<_> = (0..300).map(|n| (stream(), n % 40)).collect();
    let appended = streams.iter().map(|(stream, count)| {
        let request = to(stream, 0, *count);
        store.append(request)
    });
    for appended in join_all(appended).await {
        appended.unwrap();
    }
    let mut strange = stream();
    strange.id.push('\0');
    let looks = streams.iter().map(|(stream, count)| async {
        let whole = facts_of(&*store, stream).await;
        let expected: Vec<_> = (1..=*count).map(|n| stream.fact(n)).collect();
        assert_eq!(ids_of(&whole), expected);
        let (half, last) = (*count / 2, store.read_last(stream).await.unwrap());
        assert_eq!(last.as_ref(), whole.last());
        let rest = store.read_stream(stream, half, 10).await.unwrap();
        let expected: Vec<_> = whole.into_iter().skip(half as usize).take(10).collect();
        assert_eq!(rest, expected);
        // It has no facts, or is no id at all; whoever looks beside it does not notice.
        assert!(
            !matches!(store.read_stream(&strange, 0, ALL).await, Ok(found) if !found.is_empty())
        );
    });
    join_all(looks).await;
}

pub async fn every_acknowledged_append_of_a_crowd_is_there_exactly_once(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let hot: Arc<[StreamId]> = (0..4).map(|_| stream()).collect();
    let mut crowd = JoinSet::new();
    for n in 0..CROWD {
        crowd.spawn(append_for_a_while(store.clone(), hot.clone(), n));
    }
    let acknowledged = crowd.join_all().await.concat();

    let log = log_of(&*store).await;
    assert!(log.is_sorted_by(|a, b| a.position < b.position));
    let at: BTreeMap<Position, &StoredFact> =
        log.iter().map(|fact| (fact.position, fact)).collect();
    for (facts, position) in &acknowledged {
        assert_eq!(at[position].id, facts.last().unwrap().id);
    }
    let mut expected: Vec<_> = acknowledged
        .into_iter()
        .flat_map(|(facts, _)| facts)
        .collect();
    let mut there = without_positions(&log);
    expected.sort_by(|a, b| a.id.cmp(&b.id));
    there.sort_by(|a, b| a.id.cmp(&b.id));
    assert!(
        there == expected,
        "{} there, {} expected",
        there.len(),
        expected.len()
    );

    let mut versions: BTreeMap<&StreamId, u64> = BTreeMap::new();
    for fact in &log {
        let version = versions.entry(&fact.id.stream).or_default();
        *version += 1;
        assert_eq!(fact.id.sequence, *version, "a hole in {}", fact.id.stream);
    }
    for stream in versions.keys() {
        let in_log = log.iter().filter(|fact| fact.id.stream == **stream);
        assert!(facts_of(&*store, stream).await.iter().eq(in_log));
    }
    assert!(hot.iter().all(|stream| versions.contains_key(stream)));
}

/// Appends to one of the streams that all want, and beside it to one of its own; returns what was
/// acknowledged, with the positions that were told.
async fn append_for_a_while(
    store: Arc<dyn EventStore>,
    hot: Arc<[StreamId]>,
    n: u64,
) -> Vec<(Vec<StoredFact>, Position)> {
    let mut done = vec![];
    let (own, mut version) = (stream(), 0);
    let wanted = &hot[n as usize % hot.len()];
    for round in 0..12 {
        let last = store.read_last(wanted).await.unwrap();
        let last = last.map_or(0, |fact| fact.id.sequence);
        let contended = both(to(&own, version, 2), to(wanted, last, 1));
        let alone = to(&own, version, round % 3 + 1);
        let accepted = match tell(&store, contended, &mut done).await {
            Ok(()) => 2,
            // Somebody was faster.
            Err(at) if at == *wanted => {
                tell(&store, alone, &mut done).await.unwrap();
                round % 3 + 1
            }
            Err(at) => panic!("nobody else appends to {at}"),
        };
        version += accepted;
    }
    done
}

/// Appends, and notes what was acknowledged; gives back the stream of a conflict.
async fn tell(
    store: &Arc<dyn EventStore>,
    request: Append,
    done: &mut Vec<(Vec<StoredFact>, Position)>,
) -> Result<(), StreamId> {
    let facts = request.facts.iter().map(stored).collect();
    match store.append(request).await {
        Ok(position) => done.push((facts, position)),
        Err(AppendError::Conflict(stream)) => return Err(stream),
        Err(e) => panic!("{e}"),
    }
    Ok(())
}

pub async fn a_reader_that_follows_the_log_misses_nothing_while_64_append(stores: impl Stores) {
    const EACH: u64 = 40;
    let store = stores.of(Service::Payment);
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let (store, stream) = (store.clone(), stream());
        crowd.spawn(async move {
            for version in 0..EACH {
                store.append(to(&stream, version, 1)).await.unwrap();
            }
        });
    }
    let mut seen: Vec<StoredFact> = vec![];
    let mut all_appended = false;
    loop {
        let told = store.last_position().await.unwrap();
        let after = seen.last().map_or(0, |fact| fact.position);
        let page = store.read_log(after, 7).await.unwrap();
        assert!(
            !page.is_empty() || told <= after,
            "{told} was told and is not there"
        );
        if page.is_empty() {
            if all_appended {
                break;
            }
            // What is appended by now is seen by the next look, which is the last where empty.
            while crowd.try_join_next().is_some() {}
            all_appended = crowd.is_empty();
            tokio::task::yield_now().await;
        }
        seen.extend(page);
    }
    assert_eq!(seen.len() as u64, CROWD * EACH);
    assert!(
        seen == log_of(&*store).await,
        "the log showed a fact below one that was seen"
    );
}

pub async fn an_append_that_nobody_waits_for_is_there_as_a_whole_or_not_at_all(
    stores: impl Stores,
) {
    let store = stores.of(Service::Payment);
    let mut given_up = vec![];
    for n in 0..100 {
        let (one, other, row) = (stream(), stream(), task(second(1)));
        let key = format!("key {n}");
        let request = Append {
            opens: vec![row.clone()],
            reply: Some(reply("POST /", &key, second(1))),
            ..both(to(&one, 0, 2), to(&other, 0, 1))
        };
        let neighbour = store.append(to(&stream(), 0, 1));
        // Sent, and given up before the answer can be there.
        let sent = store.append(request).now_or_never();
        assert!(sent.is_none_or(|answer| answer.is_ok()));
        neighbour.await.unwrap();
        given_up.push((one, other, row, key));
    }
    // Whatever was sent before this is decided by now, or never will be.
    store.append(to(&stream(), 0, 1)).await.unwrap();
    for (one, other, row, key) in given_up {
        let there = (
            facts_of(&*store, &one).await.len(),
            facts_of(&*store, &other).await.len(),
            store.due_of(row.order).await.unwrap().len(),
            store.stored_reply("POST /", &key).await.unwrap().is_some(),
        );
        let whole = there == (2, 1, 1, true) || there == (0, 0, 0, false);
        assert!(whole, "{there:?}");
    }
}

pub async fn a_flood_is_appended_or_refused_as_overload_and_loses_nothing(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let mut left: Vec<StreamId> = (0..10_000).map(|_| stream()).collect();
    let all = left.len();
    while !left.is_empty() {
        let sent = left.iter().map(|stream| store.append(to(stream, 0, 1)));
        let answers = join_all(sent).await;
        let before = left.len();
        let mut refused = vec![];
        for (stream, answer) in left.into_iter().zip(answers) {
            match answer {
                Ok(_) => {}
                Err(AppendError::Store(StoreError::Overloaded)) => {
                    assert_eq!(facts_of(&*store, &stream).await, []);
                    refused.push(stream);
                }
                Err(e) => panic!("{e}"),
            }
        }
        assert!(refused.len() < before, "nobody was let in");
        left = refused;
    }
    assert_eq!(log_of(&*store).await.len(), all);
}
