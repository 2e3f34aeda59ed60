//! The pipeline on real servers, each role a process of its own.

mod poison;
mod replayed;
mod role;

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::support::eventually;
use role::Place;

/// Two of every role; the demo's orders end in every way that orders can end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_every_role_see_every_order_to_its_end() {
    let Some(place) = Place::migrated().await else {
        return;
    };
    let commands = [
        place.start("command-api").await,
        place.start("command-api").await,
    ];
    let projectors = [
        place.start("projectors").await,
        place.start("projectors").await,
    ];
    let queries = [
        place.start("query-api").await,
        place.start("query-api").await,
    ];

    let demo = place.demo(&commands[0], &queries[1]).await;
    assert!(
        demo.status.success(),
        "{}",
        String::from_utf8_lossy(&demo.stdout)
    );

    let caught_up = |status: &Value| {
        let groups = status["groups"].as_array().unwrap();
        groups.iter().all(|group| group["lag"] == 0)
    };
    let status = eventually(async || place.status().await, caught_up).await;
    assert_eq!(status["healthy"], true, "{status:#}");
    for role in commands.into_iter().chain(projectors).chain(queries) {
        role.terminate().await;
    }
}

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
    let Some(place) = Place::migrated().await else {
        return;
    };
    let role = place
        .start_with("command-api", &["--service", "inventory"])
        .await;
    let url = role.url("command");
    let http = reqwest::Client::new();
    let receipt = http
        .post(format!("{url}/api/stock/sku-1/receipts"))
        .json(&serde_json::json!({"quantity": 10}));
    assert_eq!(receipt.send().await.unwrap().status(), 200);
    let orders = http.post(format!("{url}/api/orders")).send().await.unwrap();
    assert_eq!(orders.status(), 404);
    role.terminate().await;
}
