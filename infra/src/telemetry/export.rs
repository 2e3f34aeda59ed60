//! The way of spans to a collector: OTLP over HTTP, in batches, from a thread of its own.
//!
//! Spans wait in a bounded queue; past it they are dropped, and so is a batch that the collector
//! does not take. Nobody waits for it, and a collector that is down is said once a minute.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{
    self, BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData,
};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use uuid::Uuid;

use crate::config::Traces;

/// Spans that wait for the collector: some 8 MB, and a few hundred orders.
const QUEUE: usize = 8192;
/// Spans of one request.
const BATCH: usize = 512;
/// How long a span waits for others.
const DELAY: Duration = Duration::from_secs(1);
/// How long the collector may take for a request.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How often a collector that takes nothing is said.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// Where the collector takes traces.
const PATH: &str = "/v1/traces";

/// The spans of this process on their way.
pub struct Exporter(SdkTracerProvider);

impl Exporter {
    /// Begins to send; the collector is reached when there is something to send.
    pub fn new(traces: &Traces, role: &str, instance: Uuid) -> Result<Self, String> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(endpoint(&traces.endpoint))
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(ANSWER_WITHIN)
            .build()
            .map_err(|e| e.to_string())?;
        let sender = Sender {
            exporter: Arc::new(exporter),
            runtime: Handle::current(),
            said: Mutex::new(None),
        };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let processor = BatchSpanProcessor::builder(sender)
            .with_batch_config(batches)
            .build();
        // Not what the environment says: every setting has one name and one place.
        let resource = Resource::builder_empty()
            .with_service_name("waybill")
            .with_attributes([
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", instance.to_string()),
                KeyValue::new("waybill.role", role.to_owned()),
            ])
            .build();
        let of_ratio = Sampler::TraceIdRatioBased(traces.ratio);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_sampler(Sampler::ParentBased(Box::new(of_ratio)))
            .with_resource(resource)
            .build();
        Ok(Self(provider))
    }

    /// What makes spans.
    pub fn tracer(&self) -> SdkTracer {
        self.0.tracer("waybill")
    }

    /// Sends what waits, within `limit`.
    pub async fn finish(self, limit: Duration) {
        let last = spawn_blocking(move || self.0.shutdown_with_timeout(limit));
        if !matches!(timeout(limit * 2, last).await, Ok(Ok(Ok(())))) {
            tracing::warn!("the last spans did not reach the collector");
        }
    }
}

fn endpoint(base: &str) -> String {
    let base = base.trim_end_matches('/');
    if base.ends_with(PATH) {
        return base.to_owned();
    }
    format!("{base}{PATH}")
}

/// The client needs a runtime, and the thread of the batches has none.
struct Sender {
    exporter: Arc<SpanExporter>,
    runtime: Handle,
    /// When it was last said that the collector takes nothing.
    said: Mutex<Option<Instant>>,
}

impl trace::SpanExporter for Sender {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len() as u64;
        let exporter = self.exporter.clone();
        let send = async move { timeout(ANSWER_WITHIN, exporter.export(batch)).await };
        let sent = match self.runtime.spawn(send).await {
            Ok(Ok(sent)) => sent,
            Ok(Err(_)) => Err(OTelSdkError::Timeout(ANSWER_WITHIN)),
            Err(e) => Err(OTelSdkError::InternalFailure(e.to_string())),
        };
        match &sent {
            Ok(()) => metrics::counter!("waybill_spans_sent_total").increment(count),
            Err(e) => {
                metrics::counter!("waybill_spans_lost_total").increment(count);
                self.say(e);
            }
        }
        sent
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}

impl Sender {
    fn say(&self, e: &OTelSdkError) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|last| last.elapsed() > SAID_EVERY) {
            *said = Some(Instant::now());
            tracing::warn!(error = %e, "the collector takes no spans; they are lost");
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_base_or_the_whole_address() {
        for given in [
            "http://collector:4318",
            "http://collector:4318/",
            "http://collector:4318/v1/traces",
        ] {
            assert_eq!(endpoint(given), "http://collector:4318/v1/traces");
        }
    }
}
