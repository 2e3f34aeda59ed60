//! `waybill dlq`, as a process: what it says, and what it exits with.

use std::path::Path;
use std::process::Command;

use domain::Service;
use infra::event_store::{Database, EmbeddedEventStore};
use serde_json::{Value, json};

use super::broken::deliver_unreadably;
use super::tools::GROUPS;
use crate::crash::process::{Process, folder};
use crate::support::eventually;

/// Runs `waybill dlq` on a folder; returns what it exits with and all that it says.
fn dlq(data_dir: &Path, args: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
    command.current_dir(std::env::temp_dir()).arg("dlq");
    let output = command.args(args).arg("--data-dir").arg(data_dir).output();
    let output = output.unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    (output.status.code().unwrap(), said)
}

#[track_caller]
fn expect(data_dir: &Path, args: &[&str], code: i32, says: &[&str]) {
    let (exit, said) = dlq(data_dir, args);
    assert_eq!(exit, code, "{args:?}: {said}");
    for words in says {
        assert!(
            said.contains(words),
            "{args:?}: {words:?} is not in: {said}"
        );
    }
}

fn letters(data_dir: &Path, args: &[&str]) -> Vec<Value> {
    let (exit, said) = dlq(data_dir, &[&["list", "--json"], args].concat());
    assert_eq!(exit, 0, "{said}");
    let mut listed: Value = serde_json::from_str(&said).unwrap();
    serde_json::from_value(listed["letters"].take()).unwrap()
}

/// A folder with an order that is on its way and arrives unreadably; its id, the fact's, and the
/// payload that the fact should have.
async fn prepare(data_dir: &Path) -> (String, String, String) {
    let process = Process::start_with(data_dir, &["courier=none"]).await;
    let client = &process.client;
    client.receive("sku-1", 1).await;
    let id = client.place("sku-1", 1, 1901).await;
    client
        .order_until(&id, |order| order["delivery"]["status"] == "REQUESTED")
        .await;
    let assignment = json!({
        "driverName": "Ada", "estimatedDeliveryTime": "2026-01-01T10:00:00Z"
    });
    client.step(&id, "assign", assignment).await.expect(200);
    client.step(&id, "dispatch", json!({})).await.expect(200);
    let settled = |order: &Value| {
        order["payment"]["status"] == "CAPTURED" && order["inventory"]["status"] == "SHIPPED"
    };
    client.order_until(&id, settled).await;
    process.terminate().await;
    expect(data_dir, &["list"], 0, &["nothing is parked"]);
    let db = Database::open(data_dir).unwrap();
    let delivery = EmbeddedEventStore::new(db, Service::Delivery);
    let (fact, payload) = deliver_unreadably(&delivery, &id).await;
    (id, fact, payload)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_finds_what_is_parked_gives_one_up_and_mends_the_others() {
    let (folder, data_dir) = folder();
    let (id, fact, payload) = prepare(&data_dir).await;
    let (bad, good) = (folder.path().join("bad"), folder.path().join("good"));
    std::fs::write(&bad, r#"{"type":"delivery.delivered"}"#).unwrap();
    std::fs::write(&good, payload).unwrap();
    let (bad, good) = (bad.to_str().unwrap(), good.to_str().unwrap());

    let process = Process::start(&data_dir).await;
    let of_order = ["--order", id.as_str()];
    let parked = || async { letters(&data_dir, &of_order) };
    eventually(parked, |parked| parked.len() == GROUPS.len()).await;
    assert_eq!(letters(&data_dir, &["--service", "inventory"]).len(), 1);
    assert_eq!(
        letters(&data_dir, &["--reason", "deliveryId"]).len(),
        GROUPS.len()
    );
    assert_eq!(letters(&data_dir, &["--class", "waiting"]).len(), 0);
    let show = ["show", fact.as_str()];
    expect(
        &data_dir,
        &show,
        0,
        &["ce_type: delivery.delivered", "a delivery is dispatched"],
    );
    expect(
        &data_dir,
        &["show", "seven"],
        1,
        &["nothing is parked under the id seven"],
    );

    let redrive = |more: &[&str], code, says: &[&str]| {
        let args = [&["redrive"], more].concat();
        expect(&data_dir, &args, code, says);
    };
    redrive(&[], 1, &["say which"]);
    redrive(&[fact.as_str(), "--all-parked"], 1, &["say which"]);
    redrive(
        &["--all-parked", "--dry-run"],
        0,
        &["would be taken up again"],
    );
    let asked = |letter: &Value| letter["state"] != "stuck";
    assert!(
        !parked().await.iter().any(asked),
        "a dry run changes nothing"
    );
    redrive(
        &[fact.as_str()],
        1,
        &["failed again", "missing field `deliveryId`"],
    );
    redrive(
        &[fact.as_str(), "--replace", bad],
        1,
        &["missing field `deliveryId`"],
    );
    redrive(
        &[fact.as_str(), "--replace", "no-such-file"],
        1,
        &["no-such-file cannot be read"],
    );

    let discard = ["discard", "--group", "inventory", "--why", "it was shipped"];
    let holds = [
        "would be given up",
        "goes on holding",
        "a delivery is dispatched",
        "--yes",
    ];
    expect(&data_dir, &discard, 1, &holds);
    assert_eq!(parked().await.len(), GROUPS.len());
    let yes = [&discard[..], &["--yes"]].concat();
    expect(&data_dir, &yes, 0, &["given up: inventory/delivery/"]);
    assert_eq!(parked().await.len(), GROUPS.len() - 1);

    let mend = [
        fact.as_str(),
        "--replace",
        good,
        "--why",
        "the courier told us",
    ];
    redrive(
        &mend,
        0,
        &["taken: order/delivery/", "taken: order_view-g1/delivery/"],
    );
    process.client.order_in(&id, "COMPLETED").await;
    assert_eq!(letters(&data_dir, &[]).len(), 0);
    process.terminate().await;
    let ended = ["list", "--ended", "--order", id.as_str()];
    expect(&data_dir, &ended, 0, &["discarded", "redriven"]);
    let shown = ["the courier told us", "replaced by"];
    expect(
        &data_dir,
        &[
            "show",
            &format!("order/delivery/{id}/0/{}", position(&fact)),
        ],
        0,
        &shown,
    );
}

/// The position of the fact in the log of deliveries: nothing else is there but its own stream.
fn position(fact: &str) -> &str {
    fact.rsplit('-').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_a_folder_is_done_when_the_pipeline_runs() {
    let (folder, data_dir) = folder();
    let (id, fact, payload) = prepare(&data_dir).await;
    let good = folder.path().join("good");
    std::fs::write(&good, payload).unwrap();
    let process = Process::start(&data_dir).await;
    let parked = || async { letters(&data_dir, &[]) };
    eventually(parked, |parked| parked.len() == GROUPS.len()).await;
    process.terminate().await;

    let redrive = [
        "redrive",
        fact.as_str(),
        "--replace",
        good.to_str().unwrap(),
    ];
    expect(&data_dir, &redrive, 0, &["taken up when the pipeline runs"]);
    let process = Process::start(&data_dir).await;
    process.client.order_in(&id, "COMPLETED").await;
    eventually(parked, Vec::is_empty).await;
    process.terminate().await;
}
