//! Several members of a group: partitions that come, go and come back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::{Recorded, Sequence, Service};
use infra::bus::{Delivered, Polled, Subscription};
use infra::consumer::{Consumer, Take};
use infra::failure::Failure;
use infra::ids;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Kafka, SHORT};
use crate::contract::bus::Buses;
use crate::contract::bus::given::*;
use crate::contract::embedded::Embedded;
use crate::contract::event_store::Stores;
use crate::support::eventually;

const TOPIC: Service = Service::Payment;

/// Remembers what was taken, by key in the order of taking.
#[derive(Default)]
struct Taken(Mutex<BTreeMap<String, Vec<Sequence>>>);

#[async_trait]
impl Take for Taken {
    async fn take(&self, fact: &Recorded) -> Result<(), Failure> {
        // Others get their turn, so that many are in hand.
        yield_now().await;
        let mut taken = self.0.lock().unwrap();
        let of_key = taken.entry(fact.id.stream.id.clone()).or_default();
        // Repeats are allowed.
        if !of_key.contains(&fact.id.sequence) {
            of_key.push(fact.id.sequence);
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_join_and_leave_take_every_fact_and_each_key_in_order() {
    const EACH: Sequence = 60;
    let Some(kafka) = Kafka::start().await else {
        return;
    };
    let embedded = Embedded::start().await;
    let orders: Vec<_> = (0..40).map(|_| ids::order()).collect();
    let taken = Arc::new(Taken::default());
    let bus = kafka.bus();
    let mut members = JoinSet::new();
    let mut join = || {
        let stop = CancellationToken::new();
        let member = Consumer {
            group: "group".to_owned(),
            topics: vec![TOPIC],
            bus: bus.clone(),
            store: embedded.of(TOPIC),
            take: taken.clone(),
        };
        members.spawn(member.run(stop.clone()));
        stop
    };
    let mut running = vec![join()];
    for round in 0..6 {
        let first = round * EACH / 6 + 1;
        for sequence in first..first + EACH / 6 {
            let facts: Vec<_> = orders.iter().map(|o| fact(TOPIC, *o, sequence)).collect();
            kafka.publish(&facts).await;
        }
        running.push(join());
        if round % 2 == 1 {
            running.remove(0).cancel();
        }
    }
    let count = || async {
        taken
            .0
            .lock()
            .unwrap()
            .values()
            .map(Vec::len)
            .sum::<usize>()
    };
    eventually(count, |count| *count == orders.len() * EACH as usize).await;
    for (key, sequences) in taken.0.lock().unwrap().iter() {
        assert_eq!(*sequences, Vec::from_iter(1..=EACH), "{key}");
    }
    let lag = || async { bus.lag("group", &[TOPIC]).await.unwrap() };
    eventually(lag, |lag| *lag == [(TOPIC, 0)]).await;
    running.iter().for_each(CancellationToken::cancel);
    members.join_all().await;
}

/// Publishes a fact each of many orders, so that every partition has some.
async fn publish_some(kafka: &Kafka) -> usize {
    let facts: Vec<_> = (0..60).map(|_| fact(TOPIC, ids::order(), 1)).collect();
    kafka.publish(&facts).await;
    facts.len()
}

/// Polls both until one has to give up partitions; what came meanwhile is dropped.
async fn until_leaving(
    one: &mut Box<dyn Subscription>,
    other: &mut Box<dyn Subscription>,
) -> Vec<infra::bus::Partition> {
    let leaving = async {
        loop {
            tokio::select! {
                polled = one.poll(MANY) => if let Polled::Leaving(partitions) = polled.unwrap() {
                    return partitions;
                },
                _ = other.poll(0) => {}
            }
        }
    };
    timeout(PATIENCE, leaving).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gets_a_partition_goes_on_after_the_last_commit_of_who_had_it() {
    let Some(kafka) = Kafka::start().await else {
        return;
    };
    let count = publish_some(&kafka).await;
    let bus = kafka.bus();
    let mut one = bus.subscribe("group", &[TOPIC]).await.unwrap();
    let taken = take(&mut one, count).await;
    let mut other = bus.subscribe("group", &[TOPIC]).await.unwrap();
    let leaving = until_leaving(&mut one, &mut other).await;
    let first_of = |partition| taken.iter().find(|r| r.partition == partition).unwrap();
    let done: Vec<_> = leaving
        .iter()
        .map(|partition| (*partition, first_of(*partition).offset + 1))
        .collect();
    one.commit(&done).await.unwrap();
    let moved: Vec<&Delivered> = taken
        .iter()
        .filter(|r| leaving.contains(&r.partition) && !done.contains(&(r.partition, r.offset + 1)))
        .collect();
    let mut came: Vec<Delivered> = vec![];
    let coming = async {
        while came.len() < moved.len() {
            tokio::select! {
                polled = other.poll(MANY) => if let Polled::Records(more) = polled.unwrap() {
                    came.extend(more);
                },
                polled = one.poll(MANY) => panic!("{polled:?}"),
            }
        }
    };
    timeout(PATIENCE, coming).await.unwrap();
    let places = |mut records: Vec<(i32, i64)>| {
        records.sort();
        records
    };
    assert_eq!(
        places(
            came.iter()
                .map(|r| (r.partition.number, r.offset))
                .collect()
        ),
        places(
            moved
                .iter()
                .map(|r| (r.partition.number, r.offset))
                .collect()
        )
    );
    // They are another's: nothing of it counts.
    let lag = bus.lag("group", &[TOPIC]).await.unwrap();
    let all: Vec<_> = past(&taken)
        .into_iter()
        .filter(|(partition, _)| leaving.contains(partition))
        .collect();
    one.commit(&all).await.unwrap();
    assert_eq!(bus.lag("group", &[TOPIC]).await.unwrap(), lag);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_partitions_of_a_member_that_polls_no_more_go_to_another() {
    let Some(kafka) = Kafka::start().await else {
        return;
    };
    let count = publish_some(&kafka).await;
    let bus = kafka.bus();
    let mut stuck = bus.subscribe("group", &[TOPIC]).await.unwrap();
    let taken = take(&mut stuck, count).await;
    let mut other = bus.subscribe("group", &[TOPIC]).await.unwrap();
    assert_eq!(take(&mut other, count).await.len(), count);
    // It comes too late.
    stuck.commit(&past(&taken)).await.ok();
    assert_eq!(
        bus.lag("group", &[TOPIC]).await.unwrap(),
        [(TOPIC, count as u64)]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_no_records_stays_in_the_group_and_misses_none() {
    const EACH: Sequence = 5_000;
    let Some(kafka) = Kafka::start().await else {
        return;
    };
    let orders: Vec<_> = (0..4).map(|_| ids::order()).collect();
    for order in &orders {
        kafka.publish(&facts(TOPIC, *order, 1..=EACH)).await;
    }
    let mut subscription = kafka.bus().subscribe("group", &[TOPIC]).await.unwrap();
    let mut taken = take(&mut subscription, 700).await;
    let longer = SHORT.max_poll_interval + Duration::from_secs(3);
    let none = timeout(longer, subscription.poll(0)).await;
    assert!(none.is_err(), "{none:?}");
    // Had it been out of the group, what is not committed would come again.
    let missing = orders.len() * EACH as usize - taken.len();
    taken.extend(take(&mut subscription, missing).await);
    let keys = by_key(&taken);
    for order in orders {
        let came = keys[&order.to_string()].iter().map(|fact| fact.id.sequence);
        assert_eq!(Vec::from_iter(came), Vec::from_iter(1..=EACH), "{order}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_has_members_is_not_told_where_to_begin() {
    let Some(kafka) = Kafka::start().await else {
        return;
    };
    let count = publish_some(&kafka).await;
    let bus = kafka.bus();
    let mut member = bus.subscribe("group", &[TOPIC]).await.unwrap();
    let taken = take(&mut member, count).await;
    member.commit(&past(&taken[..1])).await.unwrap();
    let before = bus.offsets("group", &[TOPIC]).await.unwrap();
    let ends = bus.ends(&[TOPIC]).await.unwrap();
    bus.begin_at("group", &ends).await.unwrap_err();
    assert_eq!(bus.offsets("group", &[TOPIC]).await.unwrap(), before);
}
