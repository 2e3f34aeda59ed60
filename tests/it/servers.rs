//! The pipeline on real servers, each role a process of its own.
//!
//! - `audit`: what must be true of the servers' data afterwards, whatever happened before.
//! - `fleet`, `load`: processes in every role, and customers who do not give up.
//! - `faults`: connections, servers and roles that fail in every way, judged by the oracle.
//! - `killed`: roles that are killed under load.
//! - `poison`: a record that is broken on its way.
//! - `replayed`: facts that are published again.
//! - `stopped`: servers that are not there for a while.

mod audit;
mod demo;
pub mod faults;
mod fleet;
mod killed;
mod load;
pub mod own;
#[cfg(feature = "crash-points")]
pub mod points;
mod poison;
mod replayed;
mod stopped;
mod topic;

use std::process::Stdio;

use tokio::process::Command;

use crate::support::Place;

pub use fleet::{Directory, Fleet};
pub use load::{Crowd, Habits};

#[tokio::test]
async fn a_role_by_itself_needs_servers() {
    for role in ["command-api", "projectors", "query-api"] {
        let output = Command::new(env!("CARGO_BIN_EXE_waybill"))
            .arg(role)
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(
            said.contains("set postgres_url, kafka_brokers and cassandra_nodes"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn who_is_asked_for_one_service_takes_its_commands_only() {
    let Some(place) = Place::migrated(&[]).await else {
        return;
    };
    let role = place
        .start_with("command-api", &["--service", "inventory"])
        .await;
    let url = role.url();
    let http = reqwest::Client::new();
    let receipt = http
        .post(format!("{url}/api/stock/sku-1/receipts"))
        .json(&serde_json::json!({"quantity": 10}));
    assert_eq!(receipt.send().await.unwrap().status(), 200);
    let orders = http.post(format!("{url}/api/orders")).send().await.unwrap();
    assert_eq!(orders.status(), 404);
    role.terminate().await;
}
