//! Servers that are stopped or stand still for a while: nothing exits, what can be taken is
//! taken, and afterwards everything catches up by itself.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::timeout;

use super::fleet::Fleet;
use super::killed::PACE;
use super::load::{self, TAKES_WITHIN};
use super::own::{self, Own};
use crate::support::{Client, Place, Reply, Role, eventually};

const APART: Duration = Duration::from_millis(20);
/// The longest that anything may take to say that something is missing: a statement that is never
/// answered, and the search for what came of it.
const SAYS_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_taken_while_kafka_and_cassandra_are_stopped_and_end_afterwards() {
    let Some(own) = own::servers().await else {
        return;
    };
    let own = own.as_ref().unwrap();
    let mut fleet = start(own).await;
    let mut sent = load::orders(fleet.directory(), 0..50, APART).await;

    own.most.does("stop", "kafka").await;
    own.most.does("stop", "cassandra").await;
    let customers = tokio::spawn(load::orders(fleet.directory(), 50..150, APART));
    let client = fleet.directory().client(0);
    let mut placed = load::place(&client, "meanwhile").await;
    let id = placed.order.clone().unwrap();
    let asked = timeout(TAKES_WITHIN, client.cancel(&id, "changed my mind"));
    asked.await.unwrap().expect(202);
    placed.cancelled = true;
    let read = said(client.try_send(Method::GET, &order_url(&client, &id), None, &[])).await;
    read.unwrap().expect_problem(503, "view-unavailable", None);
    expect_readiness(&fleet.commands[0], 200, "degraded", &["bus"]).await;
    expect_readiness(&fleet.projectors[0], 503, "unready", &["bus", "view store"]).await;
    expect_readiness(&fleet.queries[0], 503, "unready", &["view store"]).await;
    fleet.expect_up();

    own.most.does("start", "cassandra").await;
    own.most.does("start", "kafka").await;
    sent.push(placed);
    sent.extend(customers.await.unwrap());
    fleet.finish(&sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_end_while_redis_is_stopped() {
    let Some(own) = own::servers().await else {
        return;
    };
    let own = own.as_ref().unwrap();
    let mut fleet = start(own).await;
    own.most.does("stop", "redis").await;
    let mut sent = load::orders(fleet.directory(), 0..50, APART).await;
    let client = fleet.directory().client(1);
    let placed = load::place(&client, "meanwhile").await;
    client
        .order_in(placed.order.as_deref().unwrap(), "COMPLETED")
        .await;
    sent.push(placed);
    expect_readiness(&fleet.commands[1], 200, "degraded", &["cache"]).await;
    fleet.expect_up();

    own.most.does("start", "redis").await;
    let later = load::orders(fleet.directory(), 50..100, APART).await;
    sent.extend(later);
    // The first question may go to the connection that was lost.
    let ready = async || fleet.commands[1].readiness().await.body["status"].clone();
    eventually(ready, |status| status == "ready").await;
    fleet.finish(&sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_taken_while_the_inventorys_postgres_is_stopped_or_stands_still() {
    let Some(own) = own::servers().await else {
        return;
    };
    let own = own.as_ref().unwrap();
    let mut fleet = start(own).await;
    let mut sent = vec![];
    for (hurt, mend) in [("stop", "start"), ("pause", "resume")] {
        own.inventory.does(hurt, "postgres").await;
        let from = sent.len();
        let customers = load::orders(fleet.directory(), from..from + 50, APART);
        sent.extend(customers.await);
        let client = fleet.directory().client(0);
        let receipt = client.post("/api/stock/sku-1/receipts", json!({"quantity": 1}));
        let receipt = said(receipt).await;
        receipt.expect_problem(503, "store-unavailable", None);
        let missing = ["inventory event store"];
        expect_readiness(&fleet.commands[0], 503, "unready", &missing).await;
        expect_readiness(&fleet.projectors[0], 200, "ready", &[]).await;
        fleet.expect_up();
        own.inventory.does(mend, "postgres").await;
        fleet.settled().await;
        expect_readiness(&fleet.commands[0], 200, "ready", &[]).await;
    }
    fleet.finish(&sent).await;
}

/// Two of every role, with goods in stock.
async fn start(own: &Own) -> Fleet {
    let fleet = Fleet::start(Place::migrated_at(&own.addresses, &PACE).await).await;
    load::receive(&fleet.directory(), 20, 1000).await;
    fleet
}

fn order_url(client: &Client, id: &str) -> String {
    format!("{}/api/orders/{id}", client.query)
}

/// What is said in time.
async fn said<T>(says: impl Future<Output = T>) -> T {
    timeout(SAYS_WITHIN, says).await.expect("an answer in time")
}

/// That a role says so, and that just these are missing.
async fn expect_readiness(role: &Role, code: u16, status: &str, missing: &[&str]) {
    let reply: Reply = said(role.readiness()).await;
    assert_eq!(reply.status, code, "{}", reply.body);
    assert_eq!(reply.body["status"], status, "{}", reply.body);
    let checks = reply.body["checks"].as_array().unwrap().iter();
    let not_ok = checks.filter(|check| check["ok"] == false);
    let names: Vec<_> = not_ok
        .map(|check| check["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, missing, "{}", reply.body);
}
