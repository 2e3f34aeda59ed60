use std::process::{Output, Stdio};

use infra::config::{Config, Servers};
use serde_json::Value;
use tokio::process::Command;

use super::{
    Client, Role, cassandra_nodes, config_of, kafka_brokers, own_prefix, postgres_url, redis_url,
    remove_unless_failed,
};

/// Any ports, few partitions, and session time-outs that only the brokers of tests allow.
const SETTINGS: [&str; 6] = [
    "command_addr=127.0.0.1:0",
    "query_addr=127.0.0.1:0",
    "projectors_addr=127.0.0.1:0",
    "kafka_partitions=4",
    "kafka_session_ms=1000",
    // A client library says with each attempt that a server is away, which tests make it.
    "log=error,scylla=off,librdkafka=off,rdkafka=off",
];

/// Where servers are.
#[derive(Debug, Clone)]
pub struct Addresses {
    pub postgres: String,
    /// Of the inventory service alone.
    pub inventory: Option<String>,
    pub kafka: String,
    pub cassandra: String,
    pub redis: String,
}

impl Addresses {
    /// Those that all tests share; none where one is missing.
    pub fn shared() -> Option<Self> {
        Some(Self {
            postgres: postgres_url()?,
            inventory: None,
            kafka: kafka_brokers()?,
            cassandra: cassandra_nodes()?,
            redis: redis_url()?,
        })
    }
}

/// A pipeline's names on servers, which nobody else uses: its databases, topics and keyspace. They
/// are removed with it, unless the test has failed.
pub struct Place {
    /// Where its servers are.
    pub at: Addresses,
    settings: Vec<String>,
    /// What its processes are told instead.
    detours: Vec<String>,
    /// Whether what its roles log is kept.
    heard: bool,
}

impl Place {
    /// On the servers that all tests share; none where one is missing.
    pub async fn migrated(settings: &[&str]) -> Option<Self> {
        Some(Self::migrated_at(&Addresses::shared()?, settings).await)
    }

    pub async fn migrated_at(at: &Addresses, own: &[&str]) -> Self {
        let mut settings = vec![
            format!("postgres_url={}", at.postgres),
            format!("kafka_brokers={}", at.kafka),
            format!("cassandra_nodes={}", at.cassandra),
            format!("redis_url={}", at.redis),
            format!("prefix={}", own_prefix()),
        ];
        let inventory = at.inventory.iter();
        settings.extend(inventory.map(|url| format!("inventory_postgres_url={url}")));
        settings.extend(SETTINGS.iter().chain(own).map(|&one| one.to_owned()));
        let place = Self {
            at: at.clone(),
            settings,
            detours: vec![],
            heard: false,
        };
        let migrated = place.waybill(&["migrate"]).output().await.unwrap();
        let said = String::from_utf8_lossy(&migrated.stderr).into_owned();
        assert!(migrated.status.success(), "{said}");
        place
    }

    /// Sends the processes that are started from now on to other addresses than the test.
    pub fn sent_to(mut self, detours: Vec<String>) -> Self {
        self.detours = detours;
        self
    }

    /// Keeps what roles that are started from now on log, for [`Role::said`].
    pub fn heard(mut self) -> Self {
        self.heard = true;
        self
    }

    /// What the processes are configured with, but for detours.
    pub fn config(&self) -> Config {
        config_of(&self.settings)
    }

    pub fn servers(&self) -> Servers {
        self.config().servers.unwrap()
    }

    /// A role, once it listens.
    pub async fn start(&self, role: &str) -> Role {
        self.start_with(role, &[]).await
    }

    /// One of every role, and somebody at their APIs.
    pub async fn start_all(&self) -> (Client, Vec<Role>) {
        let roles = tokio::join!(
            self.start("command-api"),
            self.start("query-api"),
            self.start("projectors"),
        );
        let roles = <[Role; 3]>::from(roles);
        (Client::new(roles[0].url(), roles[1].url()), roles.into())
    }

    pub async fn start_with(&self, role: &str, args: &[&str]) -> Role {
        let mut command = self.waybill(&[role, "--json"]);
        command.args(args);
        match self.heard {
            true => Role::start_heard(command).await,
            false => Role::start(command).await,
        }
    }

    /// A tour of the pipeline behind those two.
    pub async fn demo(&self, commands: &Role, queries: &Role) -> Output {
        let addr = |url: &str| url.trim_start_matches("http://").to_owned();
        let mut demo = self.waybill(&["demo", "--json"]);
        for (key, url) in [
            ("command_addr", commands.url()),
            ("query_addr", queries.url()),
        ] {
            demo.args(["--set", &format!("{key}={}", addr(&url))]);
        }
        demo.output().await.unwrap()
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

    /// The executable, configured.
    pub fn waybill(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
        command.args(args);
        // Not as flags, which take no secrets: a URL that was given may hold one.
        let settings = self.settings.iter().chain(&self.detours);
        for (key, value) in settings.filter_map(|pair| pair.split_once('=')) {
            command.env(format!("WAYBILL_{}", key.to_uppercase()), value);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(Stdio::inherit()).kill_on_drop(true);
        command
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        remove_unless_failed(self.servers());
    }
}
