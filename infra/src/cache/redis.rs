//! A cache that all processes share, on Redis.
//!
//! A server that does not answer costs a caller [`ANSWER`] once; then this process uses a cache of
//! its own and asks again after [`PAUSE`], on another connection: one may be dead and not say so. Marks
//! and locks that were set on one side are not seen on the other: what they would have saved is done
//! twice, and the deciders take it as nothing.

use std::future::Future;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, Client, RedisResult, Script, TlsCertificates};
use tokio::time::timeout;

use super::{Away, Cache, LocalCache};
use crate::tls;

/// The longest wait for an answer, which takes some 0.1 ms on the loopback: whatever a cache saves
/// is worth no more.
const ANSWER: Duration = Duration::from_millis(250);
/// How long a server that did not answer is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// Takes the lock KEYS[1] for ARGV[1], for ARGV[2] ms, under the epoch ARGV[3], where it is free,
/// theirs, or of an earlier epoch. Its value is `epoch:owner`.
const LOCK: &str = "\
local held = redis.call('get', KEYS[1])
if held then
  local epoch, owner = held:match('^(%d+):(.*)$')
  if owner ~= ARGV[1] and tonumber(epoch) >= tonumber(ARGV[3]) then return 0 end
end
redis.call('set', KEYS[1], ARGV[3] .. ':' .. ARGV[1], 'PX', ARGV[2])
return 1";
const UNLOCK: &str = "\
local held = redis.call('get', KEYS[1])
if held and held:match(':(.*)$') == ARGV[1] then return redis.call('del', KEYS[1]) end
return 0";

/// Marks and locks on a Redis server, all keys behind a prefix.
pub struct RedisCache {
    client: Client,
    connection: Mutex<ConnectionManager>,
    prefix: String,
    own: LocalCache,
    lock: Script,
    unlock: Script,
    /// Until when the server is not asked.
    away: Mutex<Option<Instant>>,
}

/// A setting that cannot be used. Never repeats the URL, which may have a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedis {
    /// No URL.
    #[error("is not a URL such as redis://host:6379/0")]
    Url,
    /// An authority that cannot be trusted: the file, and what is wrong with it.
    #[error("{0}")]
    Ca(String),
}

impl RedisCache {
    /// The server at `url`, which is connected to when it is first needed, within a Tokio runtime.
    ///
    /// # Errors
    /// [`InvalidRedis`]
    pub fn new(url: &str, prefix: &str) -> Result<Self, InvalidRedis> {
        let client = Client::open(url).map_err(|_| InvalidRedis::Url)?;
        Self::of(client, prefix)
    }

    /// The server at `url`, a `rediss://`, where it has a certificate that the authority in
    /// `ca_file` signed, a PEM file; those that the system trusts are not.
    ///
    /// # Errors
    /// [`InvalidRedis`]
    pub fn trusting(ca_file: &Path, url: &str, prefix: &str) -> Result<Self, InvalidRedis> {
        tls::certificates(ca_file).map_err(InvalidRedis::Ca)?;
        let unreadable = |e| InvalidRedis::Ca(format!("{}: {e}", ca_file.display()));
        let trusted = TlsCertificates {
            client_tls: None,
            root_cert: Some(std::fs::read(ca_file).map_err(unreadable)?),
        };
        let client = Client::build_with_tls(url, trusted).map_err(|_| InvalidRedis::Url)?;
        Self::of(client, prefix)
    }

    fn of(client: Client, prefix: &str) -> Result<Self, InvalidRedis> {
        tls::choose_cryptography();
        Ok(Self {
            connection: Mutex::new(connection(&client).map_err(|_| InvalidRedis::Url)?),
            client,
            prefix: prefix.to_owned(),
            own: LocalCache::new(),
            lock: Script::new(LOCK),
            unlock: Script::new(UNLOCK),
            away: Mutex::new(None),
        })
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn server(&self) -> ConnectionManager {
        self.connection().clone()
    }

    fn connection(&self) -> MutexGuard<'_, ConnectionManager> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What the server says; none where it is away.
    async fn ask<T>(&self, question: impl Future<Output = RedisResult<T>>) -> Option<T> {
        if self.is_away() {
            return None;
        }
        let problem = match timeout(ANSWER, question).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(e)) => e.to_string(),
            Err(_) => format!("no answer within {ANSWER:?}"),
        };
        tracing::warn!(
            problem,
            "Redis is away: this process uses a cache of its own"
        );
        metrics::counter!("waybill_cache_fallbacks_total").increment(1);
        // Of many who find that out at once, one makes another connection.
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        if away.is_none_or(|until| until <= Instant::now()) {
            *away = Some(Instant::now() + PAUSE);
            if let Ok(another) = connection(&self.client) {
                *self.connection() = another;
            }
        }
        None
    }

    fn is_away(&self) -> bool {
        let away = self.away.lock().map(|away| *away).unwrap_or_default();
        away.is_some_and(|until| Instant::now() < until)
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn is_marked(&self, key: &str) -> bool {
        let mut server = self.server();
        let marked = self.ask(server.exists(self.key(key))).await;
        match marked {
            Some(marked) => marked,
            None => self.own.is_marked(key).await,
        }
    }

    async fn mark(&self, key: &str, life: Duration) {
        let mut server = self.server();
        let marked: Option<()> = self
            .ask(server.pset_ex(self.key(key), "", millis(life)))
            .await;
        if marked.is_none() {
            self.own.mark(key, life).await;
        }
    }

    async fn lock(&self, key: &str, owner: &str, epoch: u64, life: Duration) -> bool {
        let mut server = self.server();
        let mut taking = self.lock.key(self.key(key));
        let taken = self
            .ask(
                taking
                    .arg(owner)
                    .arg(millis(life))
                    .arg(epoch)
                    .invoke_async(&mut server),
            )
            .await;
        match taken {
            Some(taken) => taken,
            None => self.own.lock(key, owner, epoch, life).await,
        }
    }

    async fn unlock(&self, key: &str, owner: &str) {
        let mut server = self.server();
        let mut giving = self.unlock.key(self.key(key));
        let _: Option<bool> = self.ask(giving.arg(owner).invoke_async(&mut server)).await;
        // It may have been taken while the server was away.
        self.own.unlock(key, owner).await;
    }

    async fn ready(&self) -> Result<(), Away> {
        let mut server = self.server();
        let answered: Option<()> = self.ask(server.ping()).await;
        answered.ok_or(Away)
    }
}

/// One that is made when it is first needed.
fn connection(client: &Client) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(ANSWER))
        .set_response_timeout(Some(ANSWER));
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

/// At least one: Redis takes no 0.
fn millis(life: Duration) -> u64 {
    u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1)
}
