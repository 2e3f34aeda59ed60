//! One trace from the request to the view.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::Value;

use super::collector::{Collector, Seen};
use super::process::Place;
use crate::support::{Client, eventually, order_of};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// Spans of an order that is paid and delivered, and which of them follows from which.
const FOLLOWS: [(&str, &str); 14] = [
    ("append order", "POST /api/orders"),
    ("react order.created", "POST /api/orders"),
    ("project order.created", "POST /api/orders"),
    ("decide stock", "react order.created"),
    ("project inventory.reserved", "react order.created"),
    ("react inventory.reserved", "react order.created"),
    ("append payment", "react inventory.reserved"),
    ("task authorize", "react inventory.reserved"),
    ("provider authorize", "task authorize"),
    ("project payment.authorized", "task authorize"),
    ("react payment.authorized", "task authorize"),
    ("task courier", "react payment.authorized"),
    ("react delivery.delivered", "task courier"),
    ("project order.completed", "react delivery.delivered"),
];

async fn place(client: &Client, traceparent: &str) -> String {
    let body = order_of("sku-1", 1, 1901).to_string();
    let headers = [("traceparent", traceparent)];
    let placed = client.post_with("/api/orders", body, &headers).await;
    placed.expect(201).body["orderId"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[track_caller]
fn one<'a>(spans: &'a [Seen], name: &str) -> &'a Seen {
    let found = spans.iter().find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("no span {name}: {spans:#?}"))
}

#[track_caller]
fn assert_one_follows_from_the_other(spans: &[Seen]) {
    let request = one(spans, "POST /api/orders");
    assert_eq!(request.parent, CALLER);
    assert_eq!(request.kind, SpanKind::Server);
    for (name, cause) in FOLLOWS {
        let causes = spans.iter().filter(|span| span.name == cause);
        let mut of_causes = causes.map(|cause| &cause.id);
        let parent = &one(spans, name).parent;
        assert!(of_causes.any(|id| id == parent), "{name}: {spans:#?}");
    }
    for span in spans {
        let known = spans.iter().any(|other| other.id == span.parent);
        assert!(known || span.parent == CALLER, "an orphan: {span:#?}");
        assert_eq!(span.service.as_deref(), Some("waybill"));
    }
    assert_eq!(one(spans, "provider authorize").kind, SpanKind::Client);
    assert_eq!(one(spans, "react order.created").kind, SpanKind::Consumer);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_runs_from_the_request_to_the_view() {
    let collector = Collector::start().await;
    let mut pipeline = Place::embedded();
    pipeline.set(&collector.setting());
    let mut process = pipeline.start(&["serve"]).await;
    let client = process.client();
    client.receive("sku-1", 10).await;
    let order = place(&client, &format!("00-{TRACE}-{CALLER}-01")).await;
    let names = FOLLOWS.map(|(name, _)| name);
    collector.with(TRACE, &names).await;
    client.order_in(&order, "COMPLETED").await;
    process.terminate().await;
    // The last spans were sent before the process ended.
    let spans = collector.of(TRACE);
    assert_one_follows_from_the_other(&spans);
    let created = format!("order-{order}-1");
    let shown = one(&spans, "project order.created");
    assert_eq!(shown.fact.as_deref(), Some(created.as_str()));
    assert!(
        spans
            .iter()
            .all(|span| span.role.as_deref() == Some("serve"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_to_be_recorded_is_not_and_what_says_nothing_is_a_trace_of_its_own() {
    let collector = Collector::start().await;
    let mut pipeline = Place::embedded();
    pipeline.set(&collector.setting());
    let mut process = pipeline.start(&["serve"]).await;
    let client = process.client();
    client.receive("sku-1", 10).await;
    let not_recorded = place(&client, &format!("00-{TRACE}-{CALLER}-00")).await;
    client.order_in(&not_recorded, "COMPLETED").await;
    let placed = client.post("/api/orders", order_of("sku-1", 1, 1901)).await;
    let order = placed.expect(201).body["orderId"].clone();
    client.order_in(order.as_str().unwrap(), "COMPLETED").await;
    process.terminate().await;

    assert_eq!(collector.of(TRACE), []);
    let traces = traces_of(&pipeline, order.as_str().unwrap()).await;
    let [(trace, flags)] = &traces[..] else {
        panic!("all facts of an order have one trace: {traces:?}");
    };
    assert_eq!(flags, "01");
    assert!(!collector.of(trace).is_empty());
    let traces = traces_of(&pipeline, &not_recorded).await;
    assert_eq!(traces, [(TRACE.to_owned(), "00".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_the_facts_of_an_order_have_one_trace_all_the_same() {
    let pipeline = Place::embedded();
    let mut process = pipeline.start(&["serve"]).await;
    let client = process.client();
    client.receive("sku-1", 10).await;
    let order = client.place("sku-1", 1, 1901).await;
    client.order_in(&order, "COMPLETED").await;
    let asked_for = place(&client, &format!("00-{TRACE}-{CALLER}-01")).await;
    client.order_in(&asked_for, "COMPLETED").await;
    process.terminate().await;
    let traces = traces_of(&pipeline, &order).await;
    assert_eq!(traces.len(), 1, "{traces:?}");
    assert_eq!(traces[0].1, "00");
    let traces = traces_of(&pipeline, &asked_for).await;
    assert_eq!(traces, [(TRACE.to_owned(), "01".to_owned())]);
}

/// The traces, and their flags, that the facts of an order carry.
async fn traces_of(pipeline: &Place, order: &str) -> Vec<(String, String)> {
    let adapters = waybill::adapters::Adapters::open(&pipeline.config()).unwrap();
    let mut traces = vec![];
    for service in domain::Service::ALL {
        let facts = adapters.store(service).read_log(0, usize::MAX).await;
        for fact in facts.unwrap() {
            let metadata: Value = serde_json::from_slice(&fact.metadata).unwrap();
            if metadata["correlationId"] == order {
                let text = metadata["traceparent"].as_str().unwrap().to_owned();
                let parts: Vec<_> = text.split('-').collect();
                traces.push((parts[1].to_owned(), parts[3].to_owned()));
            }
        }
    }
    traces.sort();
    traces.dedup();
    traces
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_runs_through_kafka_and_every_process_to_the_view() {
    let Some(mut pipeline) = Place::on_servers().await else {
        return;
    };
    let collector = Collector::start().await;
    pipeline.set(&collector.setting());
    let mut orders = pipeline.start(&["command-api", "--service", "order"]).await;
    let others = ["inventory", "payment", "delivery"].map(|of| ["--service", of]);
    let others = [&["command-api"][..], others.as_flattened()].concat();
    let mut others = pipeline.start(&others).await;
    let mut projectors = pipeline.start(&["projectors"]).await;
    others.client().receive("sku-1", 10).await;
    place(&orders.client(), &format!("00-{TRACE}-{CALLER}-01")).await;

    let published = ["publish order.created", "publish payment.authorized"];
    let names = FOLLOWS.map(|(name, _)| name);
    collector
        .with(TRACE, &[&names[..], &published].concat())
        .await;
    let all_ended = || async {
        let status = pipeline.status().await;
        let groups = status["groups"].as_array().unwrap().iter();
        groups
            .map(|of| of["lag"].as_u64().unwrap_or(1))
            .sum::<u64>()
    };
    eventually(all_ended, |lag| *lag == 0).await;
    orders.terminate().await;
    others.terminate().await;
    projectors.terminate().await;

    let spans = collector.of(TRACE);
    assert_one_follows_from_the_other(&spans);
    let request = one(&spans, "POST /api/orders");
    let sent = one(&spans, "publish order.created");
    assert_eq!((&sent.parent, sent.kind), (&request.id, SpanKind::Producer));
    assert_eq!(sent.instance, request.instance);
    let reaction = one(&spans, "decide stock");
    assert_ne!(reaction.instance, request.instance);
    let shown = one(&spans, "project order.created");
    assert_eq!(shown.role.as_deref(), Some("projectors"));
}
