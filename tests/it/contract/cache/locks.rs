//! Locks.

use std::time::Instant;

use tokio::task::JoinSet;

use super::{AnyCache, LONG, SHORT};
use crate::support::eventually;

pub async fn a_lock_has_one_owner(cache: AnyCache) {
    assert!(cache.lock("key", "one", LONG).await);
    for other in ["two", "One", "one ", ""] {
        assert!(!cache.lock("key", other, LONG).await, "{other}");
    }
    assert!(cache.lock("key-2", "two", LONG).await);
    assert!(!cache.lock("key-2", "one", LONG).await);
}

pub async fn its_owner_may_take_a_lock_again_and_it_lasts_longer(cache: AnyCache) {
    assert!(cache.lock("key", "one", SHORT).await);
    assert!(cache.lock("key", "one", LONG).await);
    assert!(cache.lock("beside", "one", SHORT).await);
    // Taken after the key's first, for the same life: when another gets it, that is over.
    eventually(|| cache.lock("beside", "two", LONG), |got| *got).await;
    assert!(!cache.lock("key", "two", LONG).await);
}

pub async fn a_lock_is_free_when_its_owner_unlocks_it(cache: AnyCache) {
    assert!(cache.lock("key", "one", LONG).await);
    // Also where it was taken twice.
    assert!(cache.lock("key", "one", LONG).await);
    cache.unlock("key", "one").await;
    assert!(cache.lock("key", "two", LONG).await);
    assert!(!cache.lock("key", "one", LONG).await);
}

pub async fn nobody_else_unlocks_a_lock(cache: AnyCache) {
    cache.unlock("key", "one").await;
    assert!(cache.lock("key", "one", LONG).await);
    assert!(cache.lock("key-2", "two", LONG).await);
    cache.unlock("key", "two").await;
    cache.unlock("key", "").await;
    cache.unlock("key-2", "one").await;
    assert!(!cache.lock("key", "two", LONG).await);
    assert!(!cache.lock("key-2", "one", LONG).await);
}

pub async fn a_lock_is_free_when_its_life_ends_and_not_before(cache: AnyCache) {
    let begun = Instant::now();
    assert!(cache.lock("key", "one", SHORT).await);
    eventually(|| cache.lock("key", "two", LONG), |got| *got).await;
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
    assert!(!cache.lock("key", "one", LONG).await);
}

pub async fn an_owner_that_comes_late_does_not_unlock_the_next(cache: AnyCache) {
    assert!(cache.lock("key", "one", SHORT).await);
    eventually(|| cache.lock("key", "two", LONG), |got| *got).await;
    cache.unlock("key", "one").await;
    assert!(!cache.lock("key", "three", LONG).await);
    cache.unlock("key", "two").await;
    assert!(cache.lock("key", "three", LONG).await);
}

pub async fn of_many_who_want_a_lock_one_gets_it(cache: AnyCache) {
    for n in 0..50 {
        let key = format!("key-{n}");
        let mut asking = JoinSet::new();
        for n in 0..16 {
            let (cache, key, owner) = (cache.clone(), key.clone(), format!("owner-{n}"));
            asking.spawn(async move { cache.lock(&key, &owner, LONG).await });
        }
        let got = asking
            .join_all()
            .await
            .into_iter()
            .filter(|got| *got)
            .count();
        assert_eq!(got, 1);
    }
}
