//! What every cache promises, as long as it is reachable.

mod local;
mod locks;
mod marks;
mod redis;

use std::sync::Arc;
use std::time::Duration;

use infra::cache::{Cache, LocalCache};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);
/// Shorter than anybody's patience.
const SHORT: Duration = Duration::from_millis(80);

macro_rules! cache_contract {
    ($adapter:ident, $($start:tt)+) => {
        contract! { $adapter, $($start)+;
            marks:
                a_key_is_marked_from_then_on,
                a_mark_lives_as_long_as_it_was_told_and_no_longer,
                a_mark_that_is_set_again_lives_anew,
                a_mark_that_has_gone_may_be_set_again;
            locks:
                a_lock_has_one_owner,
                its_owner_may_take_a_lock_again_and_it_lasts_longer,
                a_lock_is_free_when_its_owner_unlocks_it,
                nobody_else_unlocks_a_lock,
                a_lock_is_free_when_its_life_ends_and_not_before,
                an_owner_that_comes_late_does_not_unlock_the_next,
                a_later_epoch_takes_a_lock_from_an_earlier,
                of_many_who_want_a_lock_one_gets_it;
        }
    };
}

/// An empty cache, shared with nobody.
type AnyCache = Arc<dyn Cache>;

async fn local() -> AnyCache {
    Arc::new(LocalCache::new())
}

cache_contract!(in_process, local);
cache_contract!(on_redis, if_there redis::on_redis);
