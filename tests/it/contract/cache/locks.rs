//! Locks.

use std::time::Instant;

use tokio::task::JoinSet;

use super::{AnyCache, LONG, SHORT};
use crate::support::eventually;

pub async fn a_lock_has_one_owner(cache: AnyCache) {
    assert!(cache.lock("key", "one", 1, LONG).await);
    for other in ["two", "One", "one ", ""] {
        assert!(!cache.lock("key", other, 1, LONG).await, "{other}");
    }
    assert!(cache.lock("key-2", "two", 1, LONG).await);
    assert!(!cache.lock("key-2", "one", 1, LONG).await);
}

pub async fn its_owner_may_take_a_lock_again_and_it_lasts_longer(cache: AnyCache) {
    assert!(cache.lock("key", "one", 1, SHORT).await);
    assert!(cache.lock("key", "one", 1, LONG).await);
    assert!(cache.lock("beside", "one", 1, SHORT).await);
    // Taken after the key's first, for the same life: when another gets it, that is over.
    eventually(|| cache.lock("beside", "two", 1, LONG), |got| *got).await;
    assert!(!cache.lock("key", "two", 1, LONG).await);
}

pub async fn a_lock_is_free_when_its_owner_unlocks_it(cache: AnyCache) {
    assert!(cache.lock("key", "one", 1, LONG).await);
    // Also where it was taken twice.
    assert!(cache.lock("key", "one", 1, LONG).await);
    cache.unlock("key", "one").await;
    assert!(cache.lock("key", "two", 1, LONG).await);
    assert!(!cache.lock("key", "one", 1, LONG).await);
}

pub async fn nobody_else_unlocks_a_lock(cache: AnyCache) {
    cache.unlock("key", "one").await;
    assert!(cache.lock("key", "one", 1, LONG).await);
    assert!(cache.lock("key-2", "two", 1, LONG).await);
    cache.unlock("key", "two").await;
    cache.unlock("key", "").await;
    cache.unlock("key-2", "one").await;
    assert!(!cache.lock("key", "two", 1, LONG).await);
    assert!(!cache.lock("key-2", "one", 1, LONG).await);
}

pub async fn a_lock_is_free_when_its_life_ends_and_not_before(cache: AnyCache) {
    let begun = Instant::now();
    assert!(cache.lock("key", "one", 1, SHORT).await);
    eventually(|| cache.lock("key", "two", 1, LONG), |got| *got).await;
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
    assert!(!cache.lock("key", "one", 1, LONG).await);
}

pub async fn an_owner_that_comes_late_does_not_unlock_the_next(cache: AnyCache) {
    assert!(cache.lock("key", "one", 1, SHORT).await);
    eventually(|| cache.lock("key", "two", 1, LONG), |got| *got).await;
    cache.unlock("key", "one").await;
    assert!(!cache.lock("key", "three", 1, LONG).await);
    cache.unlock("key", "two").await;
    assert!(cache.lock("key", "three", 1, LONG).await);
}

pub async fn a_later_epoch_takes_a_lock_from_an_earlier(cache: AnyCache) {
    assert!(cache.lock("key", "one", 9, LONG).await);
    assert!(!cache.lock("key", "two", 8, LONG).await);
    assert!(!cache.lock("key", "two", 9, LONG).await);
    assert!(cache.lock("key", "two", 10, LONG).await);
    assert!(!cache.lock("key", "one", 9, LONG).await);
    cache.unlock("key", "one").await;
    assert!(!cache.lock("key", "three", 10, LONG).await);
    cache.unlock("key", "two").await;
    assert!(cache.lock("key", "three", 1, LONG).await);
}

pub async fn of_many_who_want_a_lock_one_gets_it(cache: AnyCache) {
    for n in 0..50 {
        let key = format!("key-{n}");
        let mut asking = JoinSet::new();
        for n in 0..16 {
            let (cache, key, owner) = (cache.clone(), key.clone(), format!("owner-{n}"));
            asking.spawn(async move { cache.lock(&key, &owner, 1, LONG).await });
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
