//! A collector of traces that keeps what it is sent.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use tokio::net::TcpListener;

use crate::support::eventually;

/// What is asked about a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub name: String,
    pub kind: SpanKind,
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub fact: Option<String>,
    /// Of which process.
    pub service: Option<String>,
    pub role: Option<String>,
    pub instance: Option<String>,
}

/// An address that takes spans.
#[derive(Clone)]
pub struct Collector {
    pub url: String,
    spans: Arc<Mutex<Vec<Seen>>>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let collector = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            spans: Arc::default(),
        };
        let routes = Router::new()
            .route("/v1/traces", post(take))
            .with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        collector
    }

    pub fn setting(&self) -> String {
        format!("otlp_endpoint={}", self.url)
    }

    /// The spans of a trace.
    pub fn of(&self, trace: &str) -> Vec<Seen> {
        let mut spans = self.spans.lock().unwrap().clone();
        spans.retain(|span| span.trace == trace);
        spans
    }

    /// The spans of a trace, once those of these names are there.
    #[track_caller]
    pub fn with(&self, trace: &str, names: &[&str]) -> impl Future<Output = Vec<Seen>> {
        let all_there = move |spans: &Vec<Seen>| {
            names
                .iter()
                .all(|name| spans.iter().any(|s| s.name == *name))
        };
        eventually(move || async { self.of(trace) }, all_there)
    }
}

async fn take(
    State(collector): State<Collector>,
    body: Bytes,
) -> ([(axum::http::HeaderName, &'static str); 1], Vec<u8>) {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut spans = collector.spans.lock().unwrap();
    for of_process in request.resource_spans {
        let resource = of_process.resource.unwrap_or_default().attributes;
        let all = of_process.scope_spans.into_iter().flat_map(|of| of.spans);
        spans.extend(all.map(|span| Seen {
            kind: span.kind(),
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            fact: text(&span.attributes, "waybill.fact"),
            service: text(&resource, "service.name"),
            role: text(&resource, "waybill.role"),
            instance: text(&resource, "service.instance.id"),
            name: span.name,
        }));
    }
    let answer = ExportTraceServiceResponse::default().encode_to_vec();
    ([(CONTENT_TYPE, "application/x-protobuf")], answer)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|of| of.key == key)?;
    match found.value.clone()?.value? {
        any_value::Value::StringValue(text) => Some(text),
        _ => None,
    }
}
