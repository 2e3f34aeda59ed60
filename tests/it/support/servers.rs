use std::io::Write;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A Postgres server to make databases on, as a user who may; `None` where there is none, and the
/// test is to be skipped.
///
/// # Panics
/// Where there is none and `REQUIRE_SERVERS=1`.
pub fn postgres_url() -> Option<String> {
    url_in("TEST_POSTGRES_URL")
}

/// Brokers to make topics at; as [`postgres_url`].
pub fn kafka_brokers() -> Option<String> {
    url_in("TEST_KAFKA_BROKERS")
}

/// Nodes to make keyspaces on; as [`postgres_url`].
pub fn cassandra_nodes() -> Option<String> {
    url_in("TEST_CASSANDRA_NODES")
}

/// A server to keep keys on; as [`postgres_url`].
pub fn redis_url() -> Option<String> {
    url_in("TEST_REDIS_URL")
}

/// A prefix for names on shared servers that nobody else uses: `[a-z][a-z0-9_]{0,15}`.
pub fn own_prefix() -> String {
    static RUN: LazyLock<u32> = LazyLock::new(|| fastrand::u32(..));
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("t{:08x}_{n}_", *RUN)
}

fn url_in(variable: &str) -> Option<String> {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        let required = std::env::var("REQUIRE_SERVERS").is_ok_and(|set| set == "1");
        assert!(!required, "{variable} is not set, and REQUIRE_SERVERS=1");
        let skipped = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
        let test = std::thread::current();
        let test = test.name().unwrap_or("a test");
        // Not `eprintln!`, which nobody sees of a test that passes.
        let mut out = std::io::stderr();
        writeln!(
            out,
            "SKIPPED {test}: {variable} is not set ({skipped} skipped so far)"
        )
        .ok();
    }
    url
}
