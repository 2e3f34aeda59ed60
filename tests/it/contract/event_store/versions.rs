//! Expected versions: the one thing that keeps two deciders of a stream apart.

use domain::Service;
use infra::event_store::{Append, AppendError};

use super::Stores;
use super::given::*;

pub async fn a_version_below_or_above_that_of_the_stream_is_refused(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let stream = stream();
    store.append(to(&stream, 0, 3)).await.unwrap();
    let before = log_of(&*store).await;
    for version in [0, 1, 2, 4, 5, 1_000_000] {
        for count in [0, 1, 5] {
            let answer = store.append(to(&stream, version, count)).await;
            assert_conflict(answer, &stream);
            assert_eq!(log_of(&*store).await, before, "{count} at {version}");
        }
    }
    store.append(to(&stream, 3, 1)).await.unwrap();
    assert_eq!(facts_of(&*store, &stream).await.len(), 4);
}

pub async fn a_stream_without_facts_is_at_version_0(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    for version in [1, 2, 100] {
        let stream = stream();
        assert_conflict(store.append(to(&stream, version, 1)).await, &stream);
        assert_conflict(store.append(to(&stream, version, 0)).await, &stream);
        assert_eq!(facts_of(&*store, &stream).await, []);
        assert_eq!(store.append(to(&stream, 0, 0)).await.unwrap(), 0);
        store.append(to(&stream, 0, 1)).await.unwrap();
    }
}

pub async fn a_stream_that_is_only_expected_is_checked(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let (seen, absent) = (stream(), stream());
    store.append(to(&seen, 0, 2)).await.unwrap();
    for (only, version) in [(&seen, 1), (&seen, 3), (&seen, 0), (&absent, 1)] {
        let written = stream();
        let request = both(to(&written, 0, 1), to(only, version, 0));
        assert_conflict(store.append(request).await, only);
        assert_eq!(facts_of(&*store, &written).await, []);
    }
    for (only, version) in [(&seen, 2), (&absent, 0)] {
        let request = both(to(&stream(), 0, 1), to(only, version, 0));
        store.append(request).await.unwrap();
    }
    // To be expected changes nothing.
    store.append(to(&seen, 2, 1)).await.unwrap();
    store.append(to(&absent, 0, 1)).await.unwrap();
}

pub async fn an_append_over_several_streams_is_refused_as_a_whole(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let settled = task(second(1));
    store.append(opening([&settled])).await.unwrap();
    let before = log_of(&*store).await;
    for wrong in 0..3 {
        let streams = [stream(), stream(), stream()];
        let opened = task(second(1));
        let request = |wrong: Option<usize>| {
            let version = |n: usize| if wrong == Some(n) { 1 } else { 0 };
            let facts = [0, 1, 2].map(|n| to(&streams[n], version(n), 2));
            let facts = facts.into_iter().reduce(both).unwrap();
            Append {
                opens: vec![opened.clone()],
                settles: vec![settled.id()],
                reply: Some(reply("POST /", &format!("key {wrong:?}"), second(1))),
                ..facts
            }
        };
        assert_conflict(store.append(request(Some(wrong))).await, &streams[wrong]);
        assert_eq!(log_of(&*store).await, before);
        assert_eq!(store.due_of(opened.order).await.unwrap(), []);
        assert_eq!(store.due_of(settled.order).await.unwrap().len(), 1);
        let key = format!("key {:?}", Some(wrong));
        assert_eq!(store.stored_reply("POST /", &key).await.unwrap(), None);
    }
    let streams = [stream(), stream(), stream()];
    let all = streams.each_ref().map(|stream| to(stream, 0, 2));
    store
        .append(all.into_iter().reduce(both).unwrap())
        .await
        .unwrap();
    for stream in &streams {
        assert_eq!(facts_of(&*store, stream).await.len(), 2);
    }
}

pub async fn a_version_past_all_numbers_is_refused_and_harms_nobody(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    for version in [u64::MAX, u64::MAX - 1, i64::MAX as u64, i64::MAX as u64 - 1] {
        let stream = stream();
        let next = fact(&stream, version.wrapping_add(1));
        for facts in [vec![], vec![next]] {
            let request = Append {
                facts,
                ..to(&stream, version, 0)
            };
            let answer = store.append(request).await;
            let refused = matches!(
                &answer,
                Err(AppendError::Conflict(_) | AppendError::Invalid(_))
            );
            assert!(refused, "{version}: {answer:?}");
        }
        store.append(to(&stream, 0, 1)).await.unwrap();
    }
}
