//! Connections that are lost under load: nothing is lost, nothing is there twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use domain::Service;
use futures::future::join_all;
use infra::event_store::{
    Append, AppendError, DueRow, DueRows, EventStore, Log, PostgresEventStore,
};
use infra::ids;
use sqlx::Row;
use tokio::task::JoinSet;

use super::super::event_store::given::*;
use super::Postgres;
use crate::support::eventually;

const KILLS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_killed_lose_nothing_and_double_nothing() {
    let Some(stores) = Postgres::start().await else {
        return;
    };
    let store = stores.payment();
    let done = Arc::new(AtomicBool::new(false));
    let appended = Arc::new(AtomicUsize::new(0));
    let mut crowd = JoinSet::new();
    for n in 0..48 {
        let (store, done, appended) = (store.clone(), done.clone(), appended.clone());
        crowd.spawn(async move { append_until(&*store, &done, &appended, n).await });
    }

    let mut killer = stores.databases.session(Service::Payment, None).await;
    let mut killed = 0;
    while killed < KILLS {
        // Some progress between two, so that they are hit at work.
        let before = appended.load(Ordering::Relaxed);
        let progress = || async { appended.load(Ordering::Relaxed) - before };
        eventually(progress, |progress| *progress > 20).await;
        let rows = sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid() \
               AND (application_name LIKE '% writer' OR random() < 0.3)",
        )
        .fetch_all(&mut killer)
        .await
        .unwrap();
        killed += rows.iter().filter(|row| row.get::<bool, _>(0)).count();
    }
    done.store(true, Ordering::Relaxed);
    let acknowledged = crowd.join_all().await.concat();

    let log = log_of(&*store).await;
    let ids: BTreeSet<_> = ids_of(&log).into_iter().collect();
    assert_eq!(ids.len(), log.len());
    let mut expected = 0;
    for done in &acknowledged {
        let facts = facts_of(&*store, &done.request.expect[0].0).await;
        expected += done.request.facts.len();
        let there = &facts[done.request.expect[0].1 as usize..][..done.request.facts.len()];
        let wanted: Vec<_> = done.request.facts.iter().map(stored).collect();
        assert_eq!(without_positions(there), wanted);
        assert_eq!(there.last().unwrap().position, done.position);
        let kept = done.request.reply.as_ref().unwrap();
        let stored = store.stored_reply(&kept.scope, &kept.key).await.unwrap();
        assert_eq!(stored.as_ref(), Some(kept));
        assert_eq!(store.due_of(done.row.order).await.unwrap(), only(&done.row));
    }
    assert_eq!(
        log.len(),
        expected,
        "what was not acknowledged is not there"
    );
    assert_eq!(
        store.troubled(0).await.unwrap().1,
        acknowledged.len() as u64
    );
}

#[derive(Clone)]
struct Done {
    request: Append,
    row: DueRow,
    position: u64,
}

/// Appends to a stream of its own, and never appends a request twice: nobody else does, so that a
/// conflict would be its own fact.
async fn append_until(
    store: &dyn EventStore,
    done: &AtomicBool,
    appended: &AtomicUsize,
    n: u64,
) -> Vec<Done> {
    let (stream, mut version, mut all) = (stream(), 0, vec![]);
    while !done.load(Ordering::Relaxed) {
        let row = task(second(1));
        let count = n % 3 + 1;
        let request = Append {
            reply: Some(reply("POST /", &row.id(), second(1))),
            opens: vec![row.clone()],
            ..to(&stream, version, count)
        };
        match store.append(request.clone()).await {
            Ok(position) => {
                version += count;
                appended.fetch_add(1, Ordering::Relaxed);
                all.push(Done {
                    request,
                    row,
                    position,
                });
            }
            Err(AppendError::Store(e)) => panic!("given up: {e}"),
            Err(e) => panic!("{e}"),
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_answer_is_lost_counts_once_and_keeps_its_verdicts() {
    let Some(stores) = Postgres::start().await else {
        return;
    };
    let proxy = stores.databases.proxy().await;
    let place = stores.databases.by_way_of(&proxy, Service::Payment);
    let store = PostgresEventStore::new(&place);
    let hot = stream();
    store.append(keyed("POST /", "used")).await.unwrap();
    for round in 0..30u64 {
        let open = task(second(1));
        store.append(opening([&open])).await.unwrap();
        let before = store.last_position().await.unwrap();
        let key = format!("key {round}");
        let rivals = [0, 1].map(|_| to(&hot, round, 1));
        let same_key = [0, 1].map(|_| keyed("POST /", &key));
        let bare = Append {
            reply: Some(reply("POST /", &format!("bare {round}"), second(1))),
            settles: vec![open.id()],
            ..Append::default()
        };
        proxy.swallow(1);
        // Without the used key, the rivals and the repeated key it goes as a whole.
        let (as_a_whole, two) = (round % 2 == 0, to(&stream(), 0, 2));
        let mut sent = vec![two, bare];
        if !as_a_whole {
            let used = keyed("POST /", "used");
            sent.extend(rivals.into_iter().chain(same_key).chain([used]));
        } else {
            sent.extend([to(&hot, round, 1), keyed("POST /", &key)]);
        }
        let answers = join_all(sent.iter().map(|request| store.append(request.clone()))).await;
        assert_eq!(proxy.counts().swallowed as u64, round + 1);

        let won: Vec<_> = answers.iter().map(Result::is_ok).collect();
        let wins = won.iter().filter(|won| **won).count();
        assert_eq!(wins, 4, "{answers:?}");
        assert!(won[0] && won[1], "{answers:?}");
        let log = store.read_log(before, ALL).await.unwrap();
        assert_eq!(log.len(), 4, "{log:?}");
        for (request, answer) in sent.iter().zip(&answers) {
            let Ok(position) = answer else { continue };
            let last = request.facts.last().map(stored);
            let there = log.iter().find(|fact| fact.position == *position);
            assert_eq!(
                there.map(|fact| &fact.payload),
                last.as_ref().map(|f| &f.payload)
            );
        }
        assert_eq!(store.due_of(open.order).await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_poisonous_request_does_not_fail_its_neighbours() {
    let Some(stores) = Postgres::start().await else {
        return;
    };
    let store = stores.payment();
    // What no check of the port knows: a payload that is no JSON, an id that no index takes.
    let no_json = || {
        let mut request = to(&stream(), 0, 1);
        request.facts[0].payload = "{".into();
        request
    };
    // It must not compress.
    let long: String = (0..1_000).map(|_| ids::unique().to_string()).collect();
    let requests = (0..40).flat_map(|n| {
        let poison = if n % 2 == 0 {
            no_json()
        } else {
            to(&stock(&long), 0, 1)
        };
        [(to(&stream(), 0, 2), true), (poison, false)]
    });
    let sent = requests.map(|(request, good)| {
        let answer = store.append(request);
        async move { (good, answer.await) }
    });
    for (good, answer) in join_all(sent).await {
        match answer {
            Ok(_) => assert!(good),
            Err(AppendError::Invalid(_)) => assert!(!good),
            Err(e) => panic!("{e}"),
        }
    }
    assert_eq!(log_of(&*store).await.len(), 80);
}
