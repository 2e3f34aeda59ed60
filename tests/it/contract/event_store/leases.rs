//! Leases: one holder at a time, and epochs that tell holders apart.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::Service;
use infra::event_store::{EventStore, Lease};
use tokio::task::JoinSet;

use super::Stores;
use crate::support::eventually;

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(60);

/// Acquires a lease that is free.
pub async fn take(store: &Arc<dyn EventStore>, name: &str, holder: &str, ttl: Duration) -> Lease {
    store.acquire(name, holder, ttl).await.unwrap().unwrap()
}

/// Acquires a lease as soon as it is free.
pub async fn take_when_free(store: &Arc<dyn EventStore>, name: &str, holder: &str) -> Lease {
    let ask = || async { store.acquire(name, holder, LONG).await.unwrap() };
    eventually(ask, Option::is_some).await.unwrap()
}

pub async fn a_lease_has_one_holder(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let lease = take(&store, "log", "one", LONG).await;
    assert_eq!(lease.holder, "one");
    assert!(lease.epoch > 0);
    for other in ["two", "On", "one ", "ONE"] {
        assert_eq!(store.acquire("log", other, LONG).await.unwrap(), None);
    }
    assert_eq!(take(&store, "log", "one", LONG).await.epoch, lease.epoch);
}

pub async fn a_renewed_lease_keeps_its_epoch_and_lasts_longer(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let lease = take(&store, "log", "one", LONG).await;
    let again = take(&store, "log", "one", 2 * LONG).await;
    assert_eq!(again.epoch, lease.epoch);
    let longer = again.until.ms_since(lease.until);
    assert!(longer >= LONG.as_millis() as u64, "by {longer} ms");
    // It was the renewal that counts: the first term is over by far when the other gets it.
    let lease = take(&store, "other", "one", SHORT).await;
    take(&store, "other", "one", LONG).await;
    let now = || async { infra::clock::now() };
    eventually(now, |now| *now > lease.until.plus_ms(20)).await;
    assert_eq!(store.acquire("other", "two", LONG).await.unwrap(), None);
}

pub async fn an_expired_lease_goes_to_another_with_a_higher_epoch(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let lease = take(&store, "log", "one", SHORT).await;
    let next = take_when_free(&store, "log", "two").await;
    assert_eq!(next.holder, "two");
    assert!(next.epoch > lease.epoch);
    // The first comes back late.
    assert_eq!(store.acquire("log", "one", LONG).await.unwrap(), None);
    store.release("log", "one").await.unwrap();
    assert_eq!(store.acquire("log", "three", LONG).await.unwrap(), None);
    assert_eq!(take(&store, "log", "two", LONG).await.epoch, next.epoch);
}

pub async fn a_lease_that_is_given_back_is_free_at_once(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let lease = take(&store, "log", "one", LONG).await;
    store.release("log", "one").await.unwrap();
    let next = take(&store, "log", "two", LONG).await;
    assert!(next.epoch > lease.epoch);
}

pub async fn only_its_holder_gives_a_lease_back(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    store.release("log", "one").await.unwrap();
    let lease = take(&store, "log", "one", LONG).await;
    store.release("log", "two").await.unwrap();
    store.release("other", "one").await.unwrap();
    assert_eq!(store.acquire("log", "two", LONG).await.unwrap(), None);
    assert_eq!(take(&store, "log", "one", LONG).await.epoch, lease.epoch);
}

pub async fn epochs_grow_with_every_change_of_holder(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let mut epochs = BTreeSet::new();
    for holder in ["one", "two", "one", "three", "one", "two"] {
        let lease = take(&store, "log", holder, LONG).await;
        assert!(epochs.last().is_none_or(|last| *last < lease.epoch));
        epochs.insert(lease.epoch);
        store.release("log", holder).await.unwrap();
    }
}

pub async fn leases_of_two_names_are_two(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    take(&store, "log", "one", LONG).await;
    take(&store, "log-2", "two", LONG).await;
    take(&store, "lo", "three", LONG).await;
    assert_eq!(store.acquire("log", "two", LONG).await.unwrap(), None);
    store.release("log-2", "two").await.unwrap();
    assert_eq!(store.acquire("log", "two", LONG).await.unwrap(), None);
}

pub async fn of_many_who_want_a_free_lease_one_gets_it(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let mut epoch = 0;
    for _ in 0..20 {
        let mut asking = JoinSet::new();
        for n in 0..16 {
            let (store, holder) = (store.clone(), format!("holder-{n}"));
            asking.spawn(async move { store.acquire("log", &holder, LONG).await.unwrap() });
        }
        let leases: Vec<Lease> = asking.join_all().await.into_iter().flatten().collect();
        let [lease] = &leases[..] else {
            panic!("one was expected to get it: {leases:?}")
        };
        assert!(lease.epoch > epoch);
        epoch = lease.epoch;
        store.release("log", &lease.holder).await.unwrap();
    }
}
