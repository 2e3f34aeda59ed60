use std::process::{Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::{cassandra_nodes, kafka_brokers, own_prefix, postgres_url, redis_url};

/// Quick, and with calls under way at any moment.
const SETTINGS: [&str; 9] = [
    "command_addr=127.0.0.1:0",
    "query_addr=127.0.0.1:0",
    "projectors_addr=127.0.0.1:0",
    "payment_delay_ms=300",
    "courier_assign_ms=200",
    "courier_dispatch_ms=500",
    "courier_deliver_ms=500",
    "kafka_partitions=4",
    "kafka_session_ms=1000",
];

/// Servers, and a prefix on them that nobody else uses.
pub struct Place {
    prefix: String,
    settings: Vec<String>,
}

impl Place {
    /// None where a server is missing.
    pub async fn migrated() -> Option<Self> {
        let prefix = own_prefix();
        let mut settings = vec![
            format!("postgres_url={}", postgres_url()?),
            format!("kafka_brokers={}", kafka_brokers()?),
            format!("cassandra_nodes={}", cassandra_nodes()?),
            format!("redis_url={}", redis_url()?),
            format!("prefix={prefix}"),
        ];
        settings.extend(SETTINGS.map(ToOwned::to_owned));
        let place = Self { prefix, settings };
        let migrated = place.waybill(&["migrate"]).output().await.unwrap();
        let said = String::from_utf8_lossy(&migrated.stderr).into_owned();
        assert!(migrated.status.success(), "{said}");
        Some(place)
    }

    /// A role, once it listens.
    pub async fn start(&self, role: &str) -> Role {
        self.start_with(role, &[]).await
    }

    pub async fn start_with(&self, role: &str, args: &[&str]) -> Role {
        let mut command = self.waybill(&[role, "--json"]);
        let mut child = command.args(args).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let up = lines.next_line().await.unwrap();
        let up = up.expect("the process says where it listens");
        Role {
            child,
            up: serde_json::from_str(&up).unwrap(),
        }
    }

    /// A tour of the pipeline behind those two.
    pub async fn demo(&self, commands: &Role, queries: &Role) -> Output {
        let addr = |url: &str| url.trim_start_matches("http://").to_owned();
        let mut demo = self.waybill(&["demo", "--json"]);
        for (key, url) in [
            ("command_addr", commands.url("command")),
            ("query_addr", queries.url("query")),
        ] {
            demo.args(["--set", &format!("{key}={}", addr(&url))]);
        }
        demo.output().await.unwrap()
    }

    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What a tool exits with, and its answer in JSON.
    pub async fn run(&self, args: &[&str]) -> (i32, Value) {
        let output = self.waybill(args).output().await.unwrap();
        let answer = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code().unwrap(), answer)
    }

    pub async fn status(&self) -> Value {
        let output = self.waybill(&["status", "--json"]).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn waybill(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
        command.args(args);
        // Not as flags, which take no secrets: a URL that was given may hold one.
        for (key, value) in self.settings.iter().filter_map(|pair| pair.split_once('=')) {
            command.env(format!("WAYBILL_{}", key.to_uppercase()), value);
        }
        command.args(["--set", "log=error"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.kill_on_drop(true);
        command
    }
}

/// A process with one role.
pub struct Role {
    child: Child,
    up: Value,
}

impl Role {
    /// Where it listens as `name`.
    pub fn url(&self, name: &str) -> String {
        self.up[name].as_str().unwrap().to_owned()
    }

    /// SIGTERM: it drains.
    pub async fn terminate(mut self) {
        let pid = self.child.id().unwrap().try_into().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
        let status = self.child.wait().await.unwrap();
        assert!(status.success(), "{status}");
    }
}
