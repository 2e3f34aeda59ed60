//! Brokers that die, stall and come back: a server of the test's own.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::task::block_in_place;

use super::given::{Given, assert_first_occurrences_are_the_log, batch};
use crate::support::{eventually, kafka_brokers};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_are_killed_or_that_stall_get_every_fact_once_they_are_back() {
    let Some(brokers) = Brokers::start("relay") else {
        return;
    };
    let given = Given::start_at(&brokers.url).await;
    let relay = given.run().await;
    for (hurt, mend) in [("kill", "start"), ("pause", "resume"), ("kill", "start")] {
        let before = given.checkpoint().await.position;
        for _ in 0..10 {
            batch(&given, 500).await;
        }
        // In the middle of it.
        let begun = |at: &u64| *at > before;
        eventually(|| async { given.status.now().position }, begun).await;
        brokers.run(hurt).unwrap();
        for _ in 0..10 {
            batch(&given, 500).await;
        }
        let last = given.store.last_position().await.unwrap();
        let problem = || async { given.status.now().problem };
        eventually(problem, Option::is_some).await;
        assert!(
            given.checkpoint().await.position < last,
            "{hurt}: nothing is taken"
        );
        brokers.run(mend).unwrap();
        given.relayed().await;
        let now = given.status.now();
        assert_eq!((now.halted, now.problem), (None, None), "{hurt}");
    }
    assert_first_occurrences_are_the_log(&given, &given.topic().await).await;

    // Asked to end with facts under way that nobody takes, it ends, and another goes on.
    brokers.run("kill").unwrap();
    batch(&given, 5000).await;
    let begun = Instant::now();
    relay.end().await;
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    brokers.run("start").unwrap();
    let relay = given.run().await;
    given.relayed().await;
    relay.end().await;
    assert_first_occurrences_are_the_log(&given, &given.topic().await).await;
}

/// Brokers that may be hurt.
pub struct Brokers {
    pub url: String,
    folder: &'static str,
}

impl Brokers {
    /// None where there are none to test with, or none that can be started here.
    pub fn start(folder: &'static str) -> Option<Self> {
        kafka_brokers()?;
        let url = String::new();
        let mut brokers = Self { url, folder };
        if let Err(e) = brokers.run("up") {
            let required = std::env::var("REQUIRE_SERVERS").is_ok_and(|set| set == "1");
            assert!(!required, "{e}");
            // Not `eprintln!`, which nobody sees of a test that passes.
            writeln!(std::io::stderr(), "SKIPPED: no brokers to hurt: {e}").ok();
            return None;
        }
        let env = brokers.ask(&["env"]).unwrap();
        let url = env
            .lines()
            .find_map(|line| line.strip_prefix("export WAYBILL_KAFKA_BROKERS="));
        brokers.url = url.unwrap().to_owned();
        Some(brokers)
    }

    pub fn run(&self, verb: &str) -> Result<(), String> {
        block_in_place(|| self.ask(&[verb, "kafka"])).map(drop)
    }

    fn ask(&self, args: &[&str]) -> Result<String, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let output = Command::new(root.join("scripts/servers/servers"))
            .args(args)
            .env("SERVERS_DIR", root.join("target/faults").join(self.folder))
            .env("REQUIRE_SERVERS", "1")
            .env_remove("WAYBILL_KAFKA_BROKERS")
            .output();
        let output = output.map_err(|e| e.to_string())?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        self.ask(&["down"]).ok();
    }
}
