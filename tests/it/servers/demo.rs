//! The demo's orders end in every way that orders can end.

use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tokio::process::Command;

use super::fleet::Fleet;
use crate::support::Place;

/// Calls are under way at any moment. Who cancels in time does so on the busiest machine: what is
/// compared is how orders end, and not how fast.
const PACE: [&str; 4] = [
    "payment_delay_ms=300",
    "courier_assign_ms=200",
    "courier_dispatch_ms=4000",
    "courier_deliver_ms=500",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_every_role_see_every_order_to_its_end_as_one_process_does() {
    let Some(place) = Place::migrated(&PACE).await else {
        return;
    };
    let fleet = Fleet::start(place).await;
    let demo = fleet
        .place
        .demo(&fleet.commands[0], &fleet.queries[1])
        .await;
    let on_servers = summary(&demo);
    let status = fleet.settled().await;
    let of_cli = fleet.place.status().await;
    assert_eq!(of_cli["groups"], status["groups"]);
    fleet.terminate().await;

    let folder = tempfile::tempdir().unwrap();
    let embedded = summary(&embedded_demo(&folder.path().join("data")).await);
    assert_eq!(on_servers, embedded);
}

async fn embedded_demo(data_dir: &std::path::Path) -> Output {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_waybill"));
    demo.args(["demo", "--json", "--data-dir"]).arg(data_dir);
    let any_port = ["command_addr=127.0.0.1:0", "query_addr=127.0.0.1:0"];
    for setting in PACE.into_iter().chain(any_port) {
        demo.args(["--set", setting]);
    }
    demo.stdin(Stdio::null()).kill_on_drop(true);
    demo.output().await.unwrap()
}

/// What is the same for every run: how each order ended, and what became of the stock.
fn summary(demo: &Output) -> Value {
    assert!(demo.status.success(), "{demo:?}");
    let all: Value = serde_json::from_slice(&demo.stdout).unwrap();
    let of = |list: &str, keys: &[&str]| -> Vec<Value> {
        let list = all[list].as_array().unwrap().iter();
        let chosen = |one: &Value| keys.iter().map(|key| one[key].clone()).collect();
        list.map(chosen).collect()
    };
    let stock = ["received", "shipped", "onHand", "held", "asComputed"];
    json!({
        "ok": all["ok"],
        "ends": all["ends"],
        "stock": of("stock", &stock),
        "orders": of("orders", &["shows", "status", "cancelReason", "asItShould"]),
    })
}
