//! Consumer groups: what each has taken, and what comes again.

use std::sync::Arc;

use domain::{Recorded, Service};
use infra::bus::{Bus, Delivered};
use infra::ids;

use super::Buses;
use super::given::*;
use crate::support::eventually;

const TOPIC: Service = Service::Payment;

pub async fn a_new_group_begins_with_the_first_fact(buses: impl Buses) {
    let order = ids::order();
    buses.publish(&facts(TOPIC, order, 1..=5)).await;
    let bus = buses.bus();
    let mut early = bus.subscribe("early", &[TOPIC]).await.unwrap();
    let taken = take(&mut early, 5).await;
    early.commit(&past(&taken)).await.unwrap();
    buses.publish(&facts(TOPIC, order, 6..=9)).await;

    let mut late = bus.subscribe("late", &[TOPIC]).await.unwrap();
    let taken = take(&mut late, 9).await;
    assert_eq!(read_all(&taken), facts(TOPIC, order, 1..=9));
}

pub async fn what_was_committed_does_not_come_again(buses: impl Buses) {
    let order = ids::order();
    let bus = buses.bus();
    for round in 0..3 {
        let first = 4 * round + 1;
        buses.publish(&facts(TOPIC, order, first..first + 4)).await;
        let mut subscription = bus.subscribe("group", &[TOPIC]).await.unwrap();
        let taken = take(&mut subscription, 4).await;
        assert_eq!(read_all(&taken), facts(TOPIC, order, first..first + 4));
        // Bit by bit, also nothing, also again.
        for done in [0, 1, 3, 3, 4] {
            subscription.commit(&past(&taken[..done])).await.unwrap();
        }
    }
}

pub async fn what_was_not_committed_comes_again(buses: impl Buses) {
    let order = ids::order();
    let bus = buses.bus();
    buses.publish(&facts(TOPIC, order, 1..=10)).await;
    let mut first_left = 1;
    for (done, last) in [(0, 11), (4, 12), (0, 13), (9, 14)] {
        let mut subscription = bus.subscribe("group", &[TOPIC]).await.unwrap();
        let left = facts(TOPIC, order, first_left..last);
        let taken = take(&mut subscription, left.len()).await;
        assert_eq!(read_all(&taken), left);
        subscription.commit(&past(&taken[..done])).await.unwrap();
        first_left += done as u64;
        // It is taken once while the subscription lasts, committed or not.
        let next = fact(TOPIC, order, last);
        buses.publish(std::slice::from_ref(&next)).await;
        assert_eq!(take_until(&mut subscription, &next).await, [next]);
    }
}

pub async fn two_groups_take_the_same_facts(buses: impl Buses) {
    let order = ids::order();
    let bus = buses.bus();
    buses.publish(&facts(TOPIC, order, 1..=6)).await;
    let mut one = bus.subscribe("group", &[TOPIC]).await.unwrap();
    let mut other = bus.subscribe("group-2", &[TOPIC]).await.unwrap();
    let taken = take(&mut one, 6).await;
    one.commit(&past(&taken)).await.unwrap();
    assert_eq!(
        read_all(&take(&mut other, 6).await),
        facts(TOPIC, order, 1..=6)
    );
    drop((one, other));

    buses.publish(&facts(TOPIC, order, 7..=7)).await;
    let mut one = bus.subscribe("group", &[TOPIC]).await.unwrap();
    assert_eq!(
        read_all(&take(&mut one, 1).await),
        facts(TOPIC, order, 7..=7)
    );
    let mut other = bus.subscribe("group-2", &[TOPIC]).await.unwrap();
    assert_eq!(
        read_all(&take(&mut other, 7).await),
        facts(TOPIC, order, 1..=7)
    );
}

pub async fn offsets_of_two_topics_are_two(buses: impl Buses) {
    let topics = [Service::Order, Service::Payment];
    let order = ids::order();
    let bus = buses.bus();
    for topic in topics {
        buses.publish(&facts(topic, order, 1..=5)).await;
    }
    let mut subscription = bus.subscribe("group", &topics).await.unwrap();
    let taken = take(&mut subscription, 10).await;
    let (of_payment, of_order): (Vec<_>, Vec<_>) = taken
        .into_iter()
        .partition(|record| record.partition.topic == Service::Payment);
    let done = [past(&of_payment[..3]), past(&of_order[..1])].concat();
    subscription.commit(&done).await.unwrap();
    drop(subscription);

    let mut subscription = bus.subscribe("group", &topics).await.unwrap();
    let taken = by_topic(&take(&mut subscription, 6).await);
    assert_eq!(taken[0], facts(Service::Order, order, 2..=5));
    assert_eq!(taken[1], facts(Service::Payment, order, 4..=5));
}

/// What came from the topics of orders and of payments.
fn by_topic(records: &[Delivered]) -> [Vec<Recorded>; 2] {
    [Service::Order, Service::Payment].map(|topic| {
        let of_topic = records
            .iter()
            .filter(|record| record.partition.topic == topic);
        of_topic.map(read).collect()
    })
}

pub async fn a_group_takes_the_topics_that_it_asked_for(buses: impl Buses) {
    let order = ids::order();
    for topic in Service::ALL {
        buses.publish(&facts(topic, order, 1..=3)).await;
    }
    let bus = buses.bus();
    let asked = [Service::Delivery, Service::Order];
    let mut subscription = bus.subscribe("group", &asked).await.unwrap();
    let mut taken = take(&mut subscription, 6).await;
    // A last one on each, behind which nothing else can be left.
    for topic in asked {
        let last = fact(topic, order, 4);
        buses.publish(std::slice::from_ref(&last)).await;
        taken.extend(take(&mut subscription, 1).await);
    }
    assert_eq!(taken.len(), 8);
    assert!(
        taken
            .iter()
            .all(|record| asked.contains(&record.partition.topic))
    );
}

pub async fn the_lag_is_what_a_group_has_yet_to_take(buses: impl Buses) {
    let topics = [Service::Payment, Service::Order, Service::Delivery];
    let order = ids::order();
    let bus = buses.bus();
    assert_lag(&bus, "group", &topics, &[0, 0, 0]).await;
    buses.publish(&facts(Service::Order, order, 1..=7)).await;
    buses.publish(&facts(Service::Payment, order, 1..=2)).await;
    assert_lag(&bus, "group", &topics, &[2, 7, 0]).await;

    let mut subscription = bus.subscribe("group", &topics).await.unwrap();
    let taken = take(&mut subscription, 9).await;
    // What was taken and not committed may come again: it is yet to be taken.
    assert_lag(&bus, "group", &topics, &[2, 7, 0]).await;
    let of_order: Vec<_> = taken
        .iter()
        .filter(|record| record.partition.topic == Service::Order)
        .cloned()
        .collect();
    subscription.commit(&past(&of_order[..5])).await.unwrap();
    assert_lag(&bus, "group", &topics, &[2, 2, 0]).await;
    subscription.commit(&past(&taken)).await.unwrap();
    assert_lag(&bus, "group", &topics, &[0, 0, 0]).await;
    assert_lag(&bus, "group-2", &topics[1..], &[7, 0]).await;
    buses.publish(&facts(Service::Delivery, order, 1..=3)).await;
    assert_lag(&bus, "group", &topics, &[0, 0, 3]).await;
}

async fn assert_lag(bus: &Arc<dyn Bus>, group: &str, topics: &[Service], lags: &[u64]) {
    let expected: Vec<_> = topics.iter().copied().zip(lags.iter().copied()).collect();
    // A bus may not know for a moment, and says so: a broker whose topics were just made.
    let look = || async { bus.lag(group, topics).await.map_err(|e| e.to_string()) };
    let known = eventually(look, |lags| lags.as_ref() == Ok(&expected)).await;
    assert!(known.is_ok(), "{known:?}");
}
