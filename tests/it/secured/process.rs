//! The program on those servers, with every secret in its environment.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use super::servers::Servers;
use super::{PASSWORD, expect_no_secret};
use crate::support::{Client, order_of};

/// A total for which the simulated provider always pays.
const PAID: u64 = 1901;

pub struct Waybill {
    environment: Vec<(&'static str, String)>,
    /// One without a waybill.toml.
    folder: TempDir,
}

impl Waybill {
    pub fn on(servers: &Servers) -> Self {
        let reached = servers.reached_with(PASSWORD, &servers.authority);
        let ca = reached.ca.display().to_string();
        let properties = reached.kafka_properties.iter();
        let properties: Vec<_> = properties
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let any_port = "127.0.0.1:0".to_owned();
        let at_once = "0".to_owned();
        let environment = vec![
            ("WAYBILL_POSTGRES_URL", reached.postgres),
            ("WAYBILL_MIGRATE_POSTGRES_URL", reached.migrate_postgres),
            ("WAYBILL_KAFKA_BROKERS", reached.kafka_brokers),
            ("WAYBILL_KAFKA_PROPERTIES", properties.join(";")),
            ("WAYBILL_KAFKA_PARTITIONS", "2".to_owned()),
            ("WAYBILL_CASSANDRA_NODES", reached.cassandra_nodes),
            ("WAYBILL_CASSANDRA_USER", "shop".to_owned()),
            ("WAYBILL_CASSANDRA_PASSWORD", reached.password),
            ("WAYBILL_CASSANDRA_CA_FILE", ca.clone()),
            ("WAYBILL_REDIS_URL", reached.redis),
            ("WAYBILL_REDIS_CA_FILE", ca),
            ("WAYBILL_COMMAND_ADDR", any_port.clone()),
            ("WAYBILL_QUERY_ADDR", any_port),
            ("WAYBILL_PAYMENT_DELAY_MS", at_once.clone()),
            ("WAYBILL_COURIER_ASSIGN_MS", at_once.clone()),
            ("WAYBILL_COURIER_DISPATCH_MS", at_once.clone()),
            ("WAYBILL_COURIER_DELIVER_MS", at_once),
            // Whatever a client would say.
            ("WAYBILL_LOG", "debug".to_owned()),
        ];
        let folder = tempfile::tempdir().unwrap();
        Self {
            environment,
            folder,
        }
    }

    pub async fn migrate(&self) {
        let migrated = self.command("migrate").output().await.unwrap();
        let said = String::from_utf8_lossy(&migrated.stderr).into_owned();
        assert!(migrated.status.success(), "{said}");
        expect_no_secret(&said);
    }

    /// Every role on the servers, for one order from its POST to its end; then what the process
    /// wrote, and what others on this machine see of it.
    pub async fn serve_an_order(&self) {
        let mut child = self.command("serve").arg("--json").spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut log = child.stderr.take().unwrap();
        let logged = tokio::spawn(async move {
            let mut logged = String::new();
            log.read_to_string(&mut logged).await.unwrap();
            logged
        });
        let up = lines.next_line().await.unwrap();
        let up: Value = serde_json::from_str(&up.expect("where it listens")).unwrap();
        let url = |role: &str| up[role].as_str().unwrap().to_owned();
        let client = Client::new(url("command"), url("query"));
        client.receive("sku-1", 10).await;
        // Not read after its token: the first members of groups take their seconds to join.
        let placed = client.post("/api/orders", order_of("sku-1", 1, PAID)).await;
        let placed = placed.expect(201);
        let order = placed.body["orderId"].as_str().unwrap();
        client.order_in(order, "COMPLETED").await;

        let pid = child.id().unwrap();
        let title = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        assert!(child.wait().await.unwrap().success());
        let logged = logged.await.unwrap();
        assert!(logged.contains("DEBUG"), "{logged}");
        expect_no_secret(&logged);
        expect_no_secret(&title);
        assert!(!logged.contains("Redis is away"), "{logged}");
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
        let environment = self.environment.iter();
        command
            .arg(verb)
            .current_dir(self.folder.path())
            .envs(environment.map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}
