//! The cache of a process, when it is full.

use infra::cache::{Cache, LocalCache};

use super::LONG;

#[tokio::test]
async fn a_full_cache_forgets_the_old_and_not_the_new() {
    let cache = LocalCache::new();
    for n in 0..150_000 {
        cache.mark(&format!("old-{n}"), LONG).await;
    }
    for n in 0..1_000 {
        cache.mark(&format!("mark-{n}"), LONG).await;
        assert!(cache.lock(&format!("lock-{n}"), "one", 1, LONG).await);
    }
    let mut lost = 0;
    for n in 0..1_000 {
        lost += u32::from(!cache.is_marked(&format!("mark-{n}")).await);
        lost += u32::from(cache.lock(&format!("lock-{n}"), "two", 1, LONG).await);
    }
    assert_eq!(lost, 0, "of 2000");
}
