//! What the metrics say after orders have gone their ways.

use std::collections::{BTreeMap, BTreeSet};

use infra::telemetry::metrics::{Kind, METRICS};
use reqwest::Method;
use serde_json::Value;

use super::process::Place;
use crate::relay::faults::Brokers;

/// What `/metrics` said: values by name and labels, as they are written.
#[derive(Debug)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    pub fn read(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.filter_map(|line| line.rsplit_once(' '));
        Self(
            samples
                .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
                .collect(),
        )
    }

    /// The value; none where it was not met.
    pub fn get(&self, sample: &str) -> Option<f64> {
        self.0.get(sample).copied()
    }

    /// Name and labels of every sample.
    fn samples(&self) -> impl Iterator<Item = (&str, BTreeSet<&str>)> {
        self.0.keys().map(|sample| {
            let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
            let labels = labels.trim_end_matches('}').split(',');
            let names = labels.filter_map(|label| Some(label.split_once('=')?.0));
            (name, names.collect())
        })
    }
}

/// Every sample is of a metric of the list, and has its labels.
#[track_caller]
fn assert_all_are_listed(metrics: &Metrics) -> BTreeSet<&'static str> {
    let mut met = BTreeSet::new();
    for (sample, mut labels) in metrics.samples() {
        let name = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| sample.strip_suffix(end))
            .unwrap_or(sample);
        let of_name = METRICS.iter().find(|of| of.name == name);
        let metric = of_name.unwrap_or_else(|| panic!("{sample} is not listed"));
        assert_eq!(metric.kind == Kind::Histogram, name != sample, "{sample}");
        labels.remove("le");
        let listed: BTreeSet<_> = metric.labels.iter().copied().collect();
        assert_eq!(labels, listed, "{sample}");
        met.insert(metric.name);
    }
    met
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_end_in_every_way_are_counted_as_what_they_were() {
    let place = Place::embedded();
    let mut process = place.start(&["serve"]).await;
    let client = process.client();
    client.receive("sku-1", 10).await;
    let captured = client.place("sku-1", 1, 1901).await;
    let declined = client.place("sku-1", 1, 1902).await;
    let unpaid = client.place("sku-1", 1, 1904).await;
    let paid = |as_it_is: &'static str| move |order: &Value| order["payment"]["status"] == as_it_is;
    client.order_until(&captured, paid("CAPTURED")).await;
    client.order_until(&unpaid, paid("CAPTURE_FAILED")).await;
    client.order_in(&declined, "CANCELLED").await;
    client.order_in(&unpaid, "COMPLETED").await;
    let orders = format!("{}/api/orders", client.command);
    let brewed = client.try_send("BREW".parse().unwrap(), &orders, None, &[]);
    assert_eq!(brewed.await.unwrap().status, 405);
    let unknown = client.try_send(Method::POST, &orders, None, &[]).await;
    assert_eq!(unknown.unwrap().status, 415);

    let settled = |metrics: &Metrics| {
        let open = r#"waybill_tasks_open{service="delivery",task="courier"}"#;
        metrics.get(open) == Some(0.0)
            && metrics.get(r#"waybill_consumer_lag_facts{group="order_view-g1",topic="order"}"#)
                == Some(0.0)
    };
    let metrics = process.metrics_until("command", settled).await;
    let http = |method: &str, class: &str| {
        let labels = r#"api="command",route="/api/orders""#;
        let (api, route) = labels.split_once(',').unwrap();
        let labels = format!(r#"{api},method="{method}",{route},status="{class}""#);
        format!("waybill_http_seconds_count{{{labels}}}")
    };
    for (sample, value) in [
        (http("POST", "2xx"), 3.0),
        (http("other", "4xx"), 1.0),
        (http("POST", "4xx"), 1.0),
        (provider("authorize", "done"), 2.0),
        (provider("authorize", "refused"), 1.0),
        (provider("capture", "done"), 1.0),
        (provider("capture", "refused"), 1.0),
        ("waybill_captures_refused_total".to_owned(), 1.0),
        (of_service("waybill_lease_held", "payment"), 1.0),
        (of_service("waybill_tasks_running", "payment"), 0.0),
        (r#"waybill_append_queue{store="embedded"}"#.to_owned(), 0.0),
        (
            r#"waybill_consumer_pending{group="payment"}"#.to_owned(),
            0.0,
        ),
        (parked("payment", "failed"), 0.0),
        (parked("order_view-g1", "failed"), 0.0),
        (
            r#"waybill_projector_lag_seconds{group="order_view-g1"}"#.to_owned(),
            0.0,
        ),
    ] {
        assert_eq!(metrics.get(&sample), Some(value), "{sample}: {metrics:#?}");
    }
    let facts = metrics.get(r#"waybill_facts_projected_total{group="order_view-g1"}"#);
    let status = place.status().await;
    let services = status["services"].as_array().unwrap().iter();
    let of_logs = services.map(|of| of["lastPosition"].as_u64().unwrap());
    assert_eq!(facts, Some(of_logs.sum::<u64>() as f64));

    let met = assert_all_are_listed(&metrics);
    let not_met = METRICS.iter().filter(|of| !met.contains(of.name));
    for metric in not_met.map(|of| of.name) {
        let elsewhere = [
            "relay",
            "cache",
            "spans",
            "parked",
            "redrives",
            "looks",
            "verified",
            "differences",
        ];
        assert!(elsewhere.iter().any(|of| metric.contains(of)), "{metric}");
    }
    // One process, one list, wherever it is asked for; but for the requests in between.
    let of_query = process.metrics("query").await;
    assert_eq!(assert_all_are_listed(&of_query), met);
    process.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_under_way_are_open_and_run() {
    let place = Place::embedded();
    let slow = ["payment_delay_ms=15000", "drain_ms=100"];
    let mut process = place.start_with(&["serve"], &slow).await;
    let client = process.client();
    client.receive("sku-1", 10).await;
    client.place("sku-1", 1, 1901).await;
    client.place("sku-1", 1, 1901).await;
    let open = |metrics: &Metrics, name: &str| {
        metrics.get(&format!(
            r#"waybill_tasks_{name}{{service="payment",task="authorize"}}"#
        ))
    };
    let both = |metrics: &Metrics| open(metrics, "open") == Some(2.0);
    let metrics = process.metrics_until("command", both).await;
    assert_eq!(open(&metrics, "overdue"), Some(0.0));
    let running = metrics.get(&of_service("waybill_tasks_running", "payment"));
    assert_eq!(running, Some(2.0));
    process.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lag_of_a_relay_grows_while_the_brokers_stand_still_and_is_0_once_they_go_on() {
    let (Some(mut place), Some(brokers)) = (Place::on_servers().await, Brokers::start("metrics"))
    else {
        return;
    };
    place.set(&format!("kafka_brokers={}", brokers.url));
    let (code, said) = place.run(&["migrate"]).await;
    assert_eq!(code, 0, "{said}");
    let mut command = place.start(&["command-api"]).await;
    let mut projectors = place.start(&["projectors"]).await;
    let order = || async {
        let order = crate::support::order_of("sku-1", 1, 1901);
        command
            .client()
            .post("/api/orders", order)
            .await
            .expect(201);
    };
    order().await;
    let [events, seconds] =
        ["events", "seconds"].map(|unit| of_service(&format!("waybill_relay_lag_{unit}"), "order"));
    let taken = |metrics: &Metrics, group: &str| {
        let lag = format!(r#"waybill_consumer_lag_facts{{group="{group}",topic="order"}}"#);
        metrics.get(&lag) == Some(0.0)
    };
    let published = |facts: f64| {
        let (events, taken) = (&events, &taken);
        move |metrics: &Metrics| {
            let all = metrics.get(&of_service("waybill_relay_facts_total", "order"));
            all >= Some(facts) && metrics.get(events) == Some(0.0) && taken(metrics, "inventory")
        }
    };
    // There is no stock, so that it is also cancelled; then nothing is on its way.
    command.metrics_until("command", published(2.0)).await;

    brokers.run("pause").unwrap();
    for _ in 0..3 {
        order().await;
    }
    let behind = |metrics: &Metrics| {
        let age = metrics.get(&seconds);
        metrics.get(&events) == Some(3.0) && age.is_some_and(|age| age > 1.5)
    };
    let metrics = command.metrics_until("command", behind).await;
    assert_all_are_listed(&metrics);
    let status = place.status().await;
    assert_eq!(status["services"][0]["relay"]["lag"], 3, "{status:#}");
    assert_eq!(status["healthy"], false, "the brokers do not answer");

    brokers.run("resume").unwrap();
    let metrics = command.metrics_until("command", published(5.0)).await;
    assert_eq!(metrics.get(&seconds), Some(0.0));
    assert_all_are_listed(&metrics);
    let shown = |metrics: &Metrics| {
        metrics.get(r#"waybill_facts_projected_total{group="order_view-g1"}"#) >= Some(4.0)
            && taken(metrics, "order_view-g1")
    };
    let metrics = projectors.metrics_until("projectors", shown).await;
    assert_all_are_listed(&metrics);
    assert_eq!(metrics.get(&parked("order_view-g1", "failed")), Some(0.0));
    command.terminate().await;
    projectors.terminate().await;
    // While there are brokers to remove its topics from.
    drop(place);
}

fn of_service(name: &str, service: &str) -> String {
    format!(r#"{name}{{service="{service}"}}"#)
}

fn parked(group: &str, class: &str) -> String {
    format!(r#"waybill_parked_facts{{group="{group}",class="{class}"}}"#)
}

fn provider(operation: &str, outcome: &str) -> String {
    format!(r#"waybill_provider_seconds_count{{operation="{operation}",outcome="{outcome}"}}"#)
}
