//! The relay, from stores to topics of real brokers.

pub mod faults;
pub mod given;
mod mends;
mod odd;
mod replays;

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::Service;
use infra::bus::Publisher;
use infra::event_store::Log;
use infra::lease::{LeaseHolder, Terms};
use infra::relay::{CHECKPOINT, LEASE, Relay};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::contract::{Databases, stream, to};
use crate::support::eventually;
use given::{Given, assert_first_occurrences_are_the_log, batch};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fact_is_on_the_topic_once_and_in_order() {
    let Some(given) = Given::start().await else {
        return;
    };
    batch(&given, 300).await;
    let relay = given.run().await;
    batch(&given, 300).await;
    given.relayed().await;
    relay.end().await;
    let topic = given.topic().await;
    assert_first_occurrences_are_the_log(&given, &topic).await;
    assert_eq!(topic.len(), 600, "none is there twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_that_another_process_appended_are_on_the_topic_too() {
    let (Some(databases), Some(mut given)) = (Databases::new(), Given::start().await) else {
        return;
    };
    databases.migrate(Service::Payment).await;
    given.store = Arc::new(databases.open(Service::Payment));
    let relay = given.run().await;
    let other = databases.open(Service::Payment);
    for _ in 0..20 {
        other.append(to(&stream(), 0, 5)).await.unwrap();
    }
    given.relayed().await;
    relay.end().await;
    let topic = given.topic().await;
    assert_first_occurrences_are_the_log(&given, &topic).await;
    assert_eq!(topic.len(), 100, "none is there twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_cut_off_at_any_moment_loses_nothing_and_is_never_ahead_of_the_brokers() {
    let Some(given) = Given::start().await else {
        return;
    };
    for round in 0_u64..12 {
        batch(&given, 400).await;
        let relay = given.run().await;
        tokio::time::timeout(
            Duration::from_millis(round * 17),
            std::future::pending::<()>(),
        )
        .await
        .ok();
        relay.abort();
        let checkpoint = given.checkpoint().await;
        let topic = given.topic().await;
        let there: Vec<_> = topic.iter().map(|fact| fact.position).collect();
        for fact in given.log().await {
            let passed = fact.position <= checkpoint.position;
            assert!(!passed || there.contains(&fact.position), "round {round}");
        }
    }
    let relay = given.run().await;
    given.relayed().await;
    relay.end().await;
    assert_first_occurrences_are_the_log(&given, &given.topic().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_holders_that_compete_one_goes_on_where_the_other_was_cut_off() {
    let Some(given) = Given::start().await else {
        return;
    };
    let stop = CancellationToken::new();
    let mut holders = ["one", "two"].map(|name| {
        let holder = LeaseHolder {
            store: given.store.clone(),
            name: LEASE,
            holder: name.to_owned(),
            terms: Terms {
                lasts: Duration::from_millis(300),
                renewed_every: Duration::from_millis(90),
            },
        };
        let (relay, stop) = (Arc::new(given.relay()), stop.clone());
        tokio::spawn(holder.run(stop, move |epoch, end| {
            let relay = relay.clone();
            async move { relay.run(epoch, end).await }
        }))
    });
    batch(&given, 2000).await;
    eventually(|| given.checkpoint(), |seen| seen.position > 0).await;
    holders[0].abort();
    batch(&given, 2000).await;
    given.relayed().await;
    stop.cancel();
    (&mut holders[1]).await.unwrap();
    assert_first_occurrences_are_the_log(&given, &given.topic().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_whose_lease_is_somebody_elses_ends() {
    let Some(given) = Given::start().await else {
        return;
    };
    let lasts = Duration::from_millis(1);
    given.store.acquire(LEASE, "old", lasts).await.unwrap();
    let take = || async {
        let long = Duration::from_secs(60);
        given.store.acquire(LEASE, "new", long).await.unwrap()
    };
    eventually(take, Option::is_some).await;
    batch(&given, 10).await;
    let relay = given.relay();
    let run = timeout(
        Duration::from_secs(5),
        relay.run(1, CancellationToken::new()),
    );
    let ended = run.await;
    assert_eq!(given.store.checkpoint(CHECKPOINT).await.unwrap(), None);
    ended.expect("it ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_brokers_are_away_it_ends_at_once_when_asked() {
    let Some(mut given) = Given::start().await else {
        return;
    };
    given.away();
    batch(&given, 10).await;
    let relay = given.run().await;
    let problem = || async { given.status.now().problem };
    eventually(problem, Option::is_some).await;
    let begun = Instant::now();
    relay.end().await;
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_drained_at_the_speed_of_reading_and_producing() {
    const FACTS: u64 = 50_000;
    let Some(given) = Given::start().await else {
        return;
    };
    for _ in 0..FACTS / 1000 {
        batch(&given, 1000).await;
    }
    let begun = Instant::now();
    let mut facts = vec![];
    loop {
        let after = facts
            .last()
            .map_or(0, |fact: &infra::event_store::StoredFact| fact.position);
        let page = given.store.read_log(after, 2000).await.unwrap();
        if page.is_empty() {
            break;
        }
        facts.extend(page);
    }
    let reading = begun.elapsed();

    let records: Vec<_> = facts
        .iter()
        .map(|fact| infra::envelope::record_of(fact).unwrap())
        .collect();
    let mut session = given.publisher.begin(Service::Order).unwrap();
    let begun = Instant::now();
    let mut acks = std::collections::VecDeque::new();
    for record in &records {
        if acks.len() >= 10_000 {
            let ack: infra::bus::Ack = acks.pop_front().unwrap();
            ack.await.unwrap();
        }
        acks.push_back(session.send(record).unwrap());
    }
    for ack in acks {
        ack.await.unwrap();
    }
    let producing = begun.elapsed();

    let begun = Instant::now();
    let relay = given.run().await;
    given.relayed().await;
    let relaying = begun.elapsed();
    relay.end().await;
    let rate = |took: Duration| FACTS as f64 / took.as_secs_f64();
    let bound = 1.0 / (1.0 / rate(reading) + 1.0 / rate(producing));
    println!(
        "relay {:.0}/s; reading {:.0}/s, producing {:.0}/s, one after another {bound:.0}/s: {:.2}",
        rate(relaying),
        rate(reading),
        rate(producing),
        rate(relaying) / bound
    );
}

/// Relays in the background.
pub struct Running {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    pub fn of(relay: Relay, epoch: u64) -> Self {
        let stop = CancellationToken::new();
        let end = stop.clone();
        let task = tokio::spawn(async move { relay.run(epoch, end).await });
        Self { stop, task }
    }

    pub async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    pub fn abort(self) {
        self.task.abort();
    }
}
