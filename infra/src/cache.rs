//! The cache: what only makes things faster. Losing it changes nothing else.

mod local;
mod redis;

use std::time::Duration;

use async_trait::async_trait;

pub use local::LocalCache;
pub use redis::{InvalidRedis, RedisCache};

/// How long a mark or a lock lives, by key.
pub mod lives {
    use std::time::Duration;

    /// `payment:dedup:{eventId}`: a fact that the payment service has taken.
    pub const DEDUP: Duration = Duration::from_secs(24 * 3600);
    /// `payment-lock:order:{orderId}`: a call to the provider that is on its way.
    pub const PAYMENT_LOCK: Duration = Duration::from_secs(30);
}

/// The cache that processes share does not answer: each uses one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shared cache does not answer")]
pub struct Away;

/// Marks and locks that other processes may see. None of their methods fails: a cache that does not
/// answer is one that knows nothing.
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// True where `key` was marked and the mark lives. A mark is set only after the effect that
    /// it stands for is durable.
    async fn is_marked(&self, key: &str) -> bool;

    /// Marks `key` for `life`.
    async fn mark(&self, key: &str, life: Duration);

    /// Takes the lock `key` for at most `life`; false where `owner` is not the one who has it. `epoch`
    /// is that of the lease under which the owner works: one of a later epoch takes the lock from one
    /// of an earlier, who has been replaced. It saves double work and guards nothing.
    async fn lock(&self, key: &str, owner: &str, epoch: u64, life: Duration) -> bool;

    /// Gives the lock back, where `owner` has it.
    async fn unlock(&self, key: &str, owner: &str);

    /// Whether it is shared as it should be; where not, everything goes on without.
    ///
    /// # Errors
    /// [`Away`]
    async fn ready(&self) -> Result<(), Away>;
}
