//! Checkpoints: how far a reader is, and the fence before a holder that comes late.

use std::sync::Arc;
use std::time::Duration;

use domain::{Position, Service};
use infra::event_store::{Checkpoint, EventStore, StoreError};

use super::Stores;
use super::leases::{take, take_when_free};

const LONG: Duration = Duration::from_secs(600);

pub fn at(position: Position, offsets: &[(i32, i64)]) -> Checkpoint {
    Checkpoint {
        position,
        offsets: offsets.iter().copied().collect(),
        halted: None,
    }
}

async fn checkpoint(store: &Arc<dyn EventStore>, name: &str) -> Option<Checkpoint> {
    store.checkpoint(name).await.unwrap()
}

#[track_caller]
fn assert_fenced(answer: Result<(), StoreError>) {
    assert!(matches!(answer, Err(StoreError::Fenced)), "{answer:?}");
}

pub async fn a_checkpoint_is_what_was_last_set(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    // Also back again: a replay begins at the front.
    let halted = Checkpoint {
        halted: Some("a person\nhas to look".to_owned()),
        ..at(2, &[(1, -1)])
    };
    for set in [
        at(1, &[]),
        halted,
        at(300, &[(0, 5), (7, i64::MAX), (3, 0)]),
        at(1_000_000_000_000, &[(0, 6)]),
        at(0, &[]),
    ] {
        store.set_checkpoint("relay", &set, None).await.unwrap();
        assert_eq!(checkpoint(&store, "relay").await, Some(set));
    }
}

pub async fn checkpoints_of_two_names_are_two(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    for (n, name) in ["group:a", "group:a-2", "group:", "relay"]
        .into_iter()
        .enumerate()
    {
        assert_eq!(checkpoint(&store, name).await, None);
        let set = at(n as u64, &[]);
        store.set_checkpoint(name, &set, None).await.unwrap();
    }
    assert_eq!(checkpoint(&store, "group:a").await, Some(at(0, &[])));
    assert_eq!(checkpoint(&store, "relay").await, Some(at(3, &[])));
}

pub async fn a_fenced_checkpoint_is_set_by_the_holder_of_the_lease(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let lease = take(&store, "log", "one", LONG).await;
    let fence = Some(("log", lease.epoch));
    for position in [1, 2] {
        let set = at(position, &[(0, 9)]);
        store.set_checkpoint("relay", &set, fence).await.unwrap();
        assert_eq!(checkpoint(&store, "relay").await, Some(set));
        take(&store, "log", "one", LONG).await;
    }
}

pub async fn a_fenced_checkpoint_is_refused_once_another_has_the_lease(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let old = take(&store, "log", "one", LONG).await;
    let first = at(1, &[]);
    let by_old = Some(("log", old.epoch));
    store.set_checkpoint("relay", &first, by_old).await.unwrap();

    // It is about to expire.
    take(&store, "log", "one", Duration::from_millis(1)).await;
    let new = take_when_free(&store, "log", "two").await;
    assert_fenced(store.set_checkpoint("relay", &at(2, &[]), by_old).await);
    assert_eq!(checkpoint(&store, "relay").await, Some(first));
    let ahead = Some(("log", new.epoch + 1));
    assert_fenced(store.set_checkpoint("relay", &at(3, &[]), ahead).await);
    let by_new = Some(("log", new.epoch));
    store
        .set_checkpoint("relay", &at(4, &[]), by_new)
        .await
        .unwrap();
    assert_fenced(store.set_checkpoint("relay", &at(5, &[]), by_old).await);
    assert_eq!(checkpoint(&store, "relay").await, Some(at(4, &[])));
}

pub async fn a_checkpoint_behind_a_lease_that_nobody_ever_had_is_refused(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    take(&store, "log", "one", LONG).await;
    for (name, epoch) in [("other", 0), ("other", 1), ("log", 0)] {
        let fence = Some((name, epoch));
        assert_fenced(store.set_checkpoint("relay", &at(1, &[]), fence).await);
    }
    assert_eq!(checkpoint(&store, "relay").await, None);
}
