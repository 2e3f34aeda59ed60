//! Marks.

use std::time::Instant;

use super::{AnyCache, LONG, SHORT};
use crate::support::eventually;

pub async fn a_key_is_marked_from_then_on(cache: AnyCache) {
    let keys = ["dedup:a", "dedup:A", "dedup:a ", "dedup:é", "dedup:", ""];
    for (n, key) in keys.into_iter().enumerate() {
        for other in &keys[n..] {
            assert!(!cache.is_marked(other).await, "{other} before {key}");
        }
        cache.mark(key, LONG).await;
        for marked in &keys[..=n] {
            assert!(cache.is_marked(marked).await, "{marked} after {key}");
        }
    }
}

pub async fn a_mark_lives_as_long_as_it_was_told_and_no_longer(cache: AnyCache) {
    let begun = Instant::now();
    cache.mark("key", SHORT).await;
    cache.mark("other", LONG).await;
    eventually(|| cache.is_marked("key"), |marked| !marked).await;
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
    assert!(cache.is_marked("other").await);
}

pub async fn a_mark_that_is_set_again_lives_anew(cache: AnyCache) {
    cache.mark("key", SHORT).await;
    cache.mark("key", LONG).await;
    cache.mark("beside", SHORT).await;
    // Set after the first of the key's, with the same life: when it is gone, that is over.
    eventually(|| cache.is_marked("beside"), |marked| !marked).await;
    assert!(cache.is_marked("key").await);
}

pub async fn a_mark_that_has_gone_may_be_set_again(cache: AnyCache) {
    for _ in 0..3 {
        let begun = Instant::now();
        cache.mark("key", SHORT).await;
        eventually(|| cache.is_marked("key"), |marked| !marked).await;
        assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
    }
}
