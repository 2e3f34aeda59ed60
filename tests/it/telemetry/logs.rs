//! What is logged where nobody watches.

use serde_json::Value;
use tokio::time::{Duration, Instant};

use super::collector::Collector;
use super::process::Place;

fn said<'a>(log: &'a [Value], message: &str) -> Vec<&'a Value> {
    log.iter()
        .filter(|line| line["message"] == message)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_is_json_and_within_a_trace_has_its_id() {
    let collector = Collector::start().await;
    let mut place = Place::embedded();
    place.set(&collector.setting());
    let mut process = place.start(&["serve"]).await;
    let client = process.client();
    client.receive("sku-1", 10).await;
    // Its first call to the provider times out.
    let order = client.place("sku-1", 1, 1903).await;
    client.order_in(&order, "COMPLETED").await;
    process.terminate().await;

    let log = process.log();
    assert!(log.iter().all(Value::is_object), "{log:#?}");
    let again = said(&log, "a task is tried again");
    let trace = again[0]["span"]["trace_id"].as_str().unwrap();
    let called = |trace| collector.with(trace, &["provider authorize"]);
    assert!(called(trace).await.len() > 1);
    assert_eq!(said(&log, "draining")[0]["span"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_is_said_once_and_holds_nobody_up() {
    let mut place = Place::embedded();
    place.set("otlp_endpoint=http://127.0.0.1:1");
    let mut process = place.start(&["serve"]).await;
    let client = process.client();
    client.receive("sku-1", 10).await;
    let order = client.place("sku-1", 1, 1901).await;
    client.order_in(&order, "COMPLETED").await;
    let lost = "waybill_spans_lost_total";
    let some = |metrics: &super::measured::Metrics| metrics.get(lost) > Some(0.0);
    let before = process.metrics_until("command", some).await.get(lost);
    client.place("sku-1", 1, 1901).await;
    let more = |metrics: &super::measured::Metrics| metrics.get(lost) > before;
    process.metrics_until("command", more).await;

    let begun = Instant::now();
    process.terminate().await;
    assert!(begun.elapsed() < Duration::from_secs(15), "{begun:?}");
    let log = process.log();
    let away = said(&log, "the collector takes no spans; they are lost");
    assert_eq!(away.len(), 1, "{log:#?}");
}
