//! Processes of our own, since what they tell about themselves is of the whole process.

use std::process::Stdio;

use infra::config::Config;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::measured::Metrics;
use crate::support::{
    Client, cassandra_nodes, config_of, eventually, kafka_brokers, own_prefix, postgres_url,
    redis_url, remove_unless_failed,
};

/// Without delays.
const SETTINGS: [&str; 9] = [
    "command_addr=127.0.0.1:0",
    "query_addr=127.0.0.1:0",
    "projectors_addr=127.0.0.1:0",
    "payment_success_rate=100",
    "payment_delay_ms=10",
    "courier_assign_ms=10",
    "courier_dispatch_ms=10",
    "courier_deliver_ms=10",
    "lease_ms=1000",
];

/// An empty pipeline: on a folder, or on servers.
pub struct Place {
    settings: Vec<String>,
    folder: TempDir,
}

impl Place {
    pub fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        let mut settings = vec![format!("data_dir={}", data_dir.display())];
        settings.extend(SETTINGS.map(ToOwned::to_owned));
        Self { settings, folder }
    }

    /// None where a server is missing.
    pub async fn on_servers() -> Option<Self> {
        let mut place = Self::embedded();
        place.settings.extend([
            format!("postgres_url={}", postgres_url()?),
            format!("kafka_brokers={}", kafka_brokers()?),
            format!("cassandra_nodes={}", cassandra_nodes()?),
            format!("redis_url={}", redis_url()?),
            format!("prefix={}", own_prefix()),
            "kafka_partitions=2".to_owned(),
            "kafka_session_ms=1000".to_owned(),
        ]);
        let (code, said) = place.run(&["migrate"]).await;
        assert_eq!(code, 0, "{said}");
        Some(place)
    }

    /// With one setting more, or another value of one.
    pub fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    pub fn config(&self) -> Config {
        config_of(&self.settings)
    }

    /// What a tool exits with and says.
    pub async fn run(&self, args: &[&str]) -> (i32, String) {
        let output = self.waybill(args).output().await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.code().unwrap(), said)
    }

    /// What `waybill status --json` says.
    pub async fn status(&self) -> Value {
        let status = self.waybill(&["status", "--json"]).output().await.unwrap();
        serde_json::from_slice(&status.stdout).unwrap()
    }

    pub async fn start(&self, args: &[&str]) -> Started {
        self.start_with(args, &[]).await
    }

    /// A role, once it listens; its log is kept.
    pub async fn start_with(&self, args: &[&str], settings: &[&str]) -> Started {
        let log = tempfile::NamedTempFile::new_in(&self.folder).unwrap();
        let mut command = self.waybill(args);
        command.arg("--json");
        for setting in settings {
            command.args(["--set", setting]);
        }
        command.stdout(Stdio::piped());
        command.stderr(log.reopen().unwrap());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let up = lines.next_line().await.unwrap();
        let up = up.expect("the process says where it listens");
        Started {
            child,
            up: serde_json::from_str(&up).unwrap(),
            log,
        }
    }

    fn waybill(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
        command.current_dir(&self.folder).args(args);
        // Not as flags, which take no secrets: a URL that was given may hold one.
        for (key, value) in self.settings.iter().filter_map(|pair| pair.split_once('=')) {
            command.env(format!("WAYBILL_{}", key.to_uppercase()), value);
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(servers) = self.config().servers {
            remove_unless_failed(servers);
        }
    }
}

/// A process that runs.
pub struct Started {
    child: Child,
    up: Value,
    log: tempfile::NamedTempFile,
}

impl Started {
    /// Where it listens as `name`.
    pub fn url(&self, name: &str) -> String {
        self.up[name].as_str().unwrap().to_owned()
    }

    /// Somebody at its command API, and at its query API where it has one.
    pub fn client(&self) -> Client {
        let query = self.up["query"].as_str().unwrap_or_default();
        Client::new(self.url("command"), query.to_owned())
    }

    /// What it tells as `name`.
    pub async fn metrics(&self, name: &str) -> Metrics {
        let url = format!("{}/metrics", self.url(name));
        Metrics::read(&reqwest::get(url).await.unwrap().text().await.unwrap())
    }

    /// Waits until it tells what `enough` wants.
    #[track_caller]
    pub fn metrics_until(
        &self,
        name: &str,
        enough: impl Fn(&Metrics) -> bool,
    ) -> impl Future<Output = Metrics> {
        eventually(move || self.metrics(name), enough)
    }

    /// What it has logged so far, line by line.
    pub fn log(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.log.path()).unwrap();
        let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| line.into());
        log.lines().map(line).collect()
    }

    /// SIGTERM: it drains.
    pub async fn terminate(&mut self) {
        let pid = self.child.id().unwrap().try_into().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
        let status = self.child.wait().await.unwrap();
        assert!(status.success(), "{status}");
    }
}
