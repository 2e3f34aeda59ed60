//! Where groups are, and where they are told to begin.

use domain::Service;
use infra::bus::Partition;
use infra::ids;

use super::Buses;
use super::given::*;
use crate::support::eventually;

const TOPICS: [Service; 2] = [Service::Payment, Service::Order];

/// What a bus says once it knows its topics: a broker may not, for a moment after they were made.
async fn said<T, F: Future<Output = Result<T, infra::bus::BusError>>>(ask: impl FnMut() -> F) -> T
where
    T: std::fmt::Debug,
{
    eventually(ask, Result::is_ok).await.unwrap()
}

/// Offsets by partition.
fn sorted(mut offsets: Vec<(Partition, i64)>) -> Vec<(Partition, i64)> {
    offsets.sort();
    offsets
}

pub async fn a_group_that_is_told_to_begin_at_the_ends_gets_exactly_what_comes_later(
    buses: impl Buses,
) {
    let (bus, order) = (buses.bus(), ids::order());
    // Some topics have facts, and some partitions.
    for _ in 0..10 {
        let of_one = facts(Service::Payment, ids::order(), 1..=3);
        buses.publish(&of_one).await;
    }
    let ends = said(|| bus.ends(&TOPICS)).await;
    bus.begin_at("group", &ends).await.unwrap();
    let offsets = bus.offsets("group", &TOPICS).await.unwrap();
    assert_eq!(sorted(offsets), sorted(ends));

    let later = facts(Service::Payment, order, 1..=5);
    buses.publish(&later).await;
    let of_order = facts(Service::Order, order, 1..=4);
    buses.publish(&of_order).await;
    let mut subscription = bus.subscribe("group", &TOPICS).await.unwrap();
    let taken = take(&mut subscription, 9).await;
    let last = fact(Service::Payment, order, 6);
    buses.publish(std::slice::from_ref(&last)).await;
    let mut all = read_all(&taken);
    all.extend(take_until(&mut subscription, &last).await);
    let (of_payment, rest): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|fact| fact.fact.category().service() == Service::Payment);
    assert_eq!(of_payment, [later, vec![last]].concat());
    assert_eq!(rest, of_order);
}

pub async fn a_group_is_where_it_has_committed_and_at_0_before(buses: impl Buses) {
    let (bus, order) = (buses.bus(), ids::order());
    buses.publish(&facts(Service::Payment, order, 1..=7)).await;
    let nowhere = said(|| bus.offsets("group", &TOPICS)).await;
    assert!(nowhere.iter().all(|(_, next)| *next == 0), "{nowhere:?}");

    let mut subscription = bus.subscribe("group", &TOPICS).await.unwrap();
    let taken = take(&mut subscription, 7).await;
    for done in [&taken[..3], &taken[..]] {
        subscription.commit(&past(done)).await.unwrap();
        let (partition, next) = past(done)[0];
        let offsets = bus.offsets("group", &TOPICS).await.unwrap();
        for (of, at) in &offsets {
            assert_eq!(*at, if *of == partition { next } else { 0 });
        }
        assert_eq!(offsets.len(), nowhere.len());
    }
    let ends = said(|| bus.ends(&[Service::Payment])).await;
    assert!(ends.contains(&past(&taken)[0]), "{ends:?}");
}

pub async fn a_group_without_members_is_told_to_begin_elsewhere(buses: impl Buses) {
    let (bus, order) = (buses.bus(), ids::order());
    buses.publish(&facts(Service::Payment, order, 1..=6)).await;
    let mut subscription = bus.subscribe("group", &TOPICS).await.unwrap();
    let taken = take(&mut subscription, 6).await;
    subscription.commit(&past(&taken)).await.unwrap();
    drop(subscription);

    // A member says goodbye on a thread of its own.
    let back = past(&taken[..2]);
    said(|| bus.begin_at("group", &back)).await;
    let mut subscription = bus.subscribe("group", &TOPICS).await.unwrap();
    let taken = take(&mut subscription, 4).await;
    assert_eq!(read_all(&taken), facts(Service::Payment, order, 3..=6));
}

pub async fn groups_that_are_told_where_to_begin_are_apart(buses: impl Buses) {
    let (bus, order) = (buses.bus(), ids::order());
    buses.publish(&facts(Service::Payment, order, 1..=3)).await;
    let ends = said(|| bus.ends(&TOPICS)).await;
    bus.begin_at("late", &ends).await.unwrap();
    bus.begin_at("late", &[]).await.unwrap();
    let early = bus.offsets("early", &TOPICS).await.unwrap();
    assert!(early.iter().all(|(_, next)| *next == 0), "{early:?}");
    let late = bus.offsets("late", &TOPICS).await.unwrap();
    assert_eq!(sorted(late), sorted(ends));
}
