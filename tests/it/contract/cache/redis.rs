//! The cache on Redis, and what it is without.

use std::sync::Arc;
use std::time::Instant;

use ::redis::{AsyncCommands, Client};
use infra::cache::RedisCache;

use super::*;
use crate::support::{eventually, own_prefix, redis_url};

/// None where there is no server.
pub async fn on_redis() -> Option<AnyCache> {
    let url = redis_url()?;
    Some(Arc::new(RedisCache::new(&url, &own_prefix()).unwrap()))
}

#[tokio::test]
async fn keys_and_lives_are_as_documented() {
    let Some(url) = redis_url() else { return };
    let prefix = own_prefix();
    let cache = RedisCache::new(&url, &prefix).unwrap();
    cache.mark("payment:dedup:order-1-1", LONG).await;
    assert!(cache.lock("payment-lock:order:1", "me", 1, LONG).await);
    let client = Client::open(url).unwrap();
    let mut server = client.get_multiplexed_async_connection().await.unwrap();
    for key in ["payment:dedup:order-1-1", "payment-lock:order:1"] {
        let lives_ms: u128 = server.pttl(format!("{prefix}{key}")).await.unwrap();
        let most = LONG.as_millis();
        assert!((most / 2..=most).contains(&lives_ms), "{key}: {lives_ms}");
    }
}

#[tokio::test]
async fn two_processes_see_the_marks_and_locks_of_each_other() {
    let Some(url) = redis_url() else { return };
    let prefix = own_prefix();
    let [one, two] = [0, 1].map(|_| RedisCache::new(&url, &prefix).unwrap());
    one.mark("mark", LONG).await;
    assert!(two.is_marked("mark").await);
    assert!(one.lock("lock", "one", 1, LONG).await);
    assert!(!two.lock("lock", "two", 1, LONG).await);
    one.unlock("lock", "one").await;
    assert!(two.lock("lock", "two", 1, LONG).await);
}

#[tokio::test]
async fn flushed_it_knows_nothing_and_goes_on() {
    let Some(url) = redis_url() else { return };
    let prefix = own_prefix();
    let cache = RedisCache::new(&url, &prefix).unwrap();
    cache.mark("mark", LONG).await;
    // Its own keys only: others use the server too.
    let client = Client::open(url).unwrap();
    let mut server = client.get_multiplexed_async_connection().await.unwrap();
    let _: () = server.del(format!("{prefix}mark")).await.unwrap();
    assert!(!cache.is_marked("mark").await);
    cache.mark("mark", LONG).await;
    assert!(cache.is_marked("mark").await);
}

#[tokio::test]
async fn without_a_server_it_is_a_cache_of_this_process() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let cache = RedisCache::new(&url, "").unwrap();
    let begun = Instant::now();
    cache.mark("mark", LONG).await;
    assert!(cache.is_marked("mark").await);
    assert!(cache.lock("lock", "one", 1, LONG).await);
    assert!(!cache.lock("lock", "two", 1, LONG).await);
    for n in 0..100 {
        cache.is_marked(&format!("mark-{n}")).await;
    }
    // A hundred questions, each waiting for an answer, would take 25 seconds.
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn one_that_accepts_and_says_nothing_is_given_up_and_asked_again_later() {
    let Some(url) = redis_url() else { return };
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = silent.local_addr().unwrap();
    let cache = RedisCache::new(&format!("redis://{place}"), &own_prefix()).unwrap();
    cache.mark("before", LONG).await;
    assert!(cache.is_marked("before").await);

    // From now on the address leads to the real server.
    let server = url
        .trim_start_matches("redis://")
        .split('/')
        .next()
        .unwrap();
    let server = server.to_owned();
    let mut ways = tokio::task::JoinSet::new();
    ways.spawn(async move {
        let mut ways = tokio::task::JoinSet::new();
        while let Ok((mut client, _)) = silent.accept().await {
            let server = server.clone();
            ways.spawn(async move {
                let mut server = tokio::net::TcpStream::connect(server).await.unwrap();
                tokio::io::copy_bidirectional(&mut client, &mut server)
                    .await
                    .ok();
            });
        }
    });
    // What was marked in between is not known there.
    let known = async || cache.is_marked("before").await;
    eventually(known, |known| !*known).await;
    cache.mark("after", LONG).await;
    assert!(cache.is_marked("after").await);
}
