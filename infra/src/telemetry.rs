//! Logs and metrics.

use std::io::IsTerminal;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// Seconds of latencies, from a tenth of a millisecond to the longest request.
const SECONDS: &[f64] = &[
    0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Sizes of batches.
const SIZES: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0,
];

/// Logs to standard error what `filter` lets through: for people on a terminal, as JSON elsewhere.
///
/// # Errors
/// What is wrong with the filter.
pub fn log_to_stderr(filter: &str) -> Result<(), String> {
    let filter = self::filter(filter)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let installed = if std::io::stderr().is_terminal() {
        builder.compact().try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    installed.map_err(|e| e.to_string())
}

/// Reads a filter.
pub(crate) fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(text).map_err(|e| format!("'{text}' is no filter: {e}"))
}

/// The metrics of this process, in Prometheus's text form.
pub fn metrics() -> String {
    recorder().map_or_else(String::new, PrometheusHandle::render)
}

/// Begins to record metrics; may be called again.
pub fn record_metrics() {
    recorder();
}

/// What each metric means; units are in the names.
const MEANINGS: &[(&str, &str)] = &[
    ("waybill_append_batch_size", "Requests of one group commit"),
    (
        "waybill_reservations_batch_size",
        "Reservations decided and appended as one",
    ),
    (
        "waybill_facts_taken_total",
        "Facts that a consumer group has taken",
    ),
    (
        "waybill_captures_refused_total",
        "Deliveries that left and were not paid: each has payment status CAPTURE_FAILED",
    ),
    (
        "waybill_facts_parked_total",
        "Facts that a consumer group could not take",
    ),
    (
        "waybill_parked_ended_total",
        "Parked facts that ended: redriven, taken up by themselves, or discarded",
    ),
    (
        "waybill_redrives_failed_total",
        "Parked facts that were taken up and failed again",
    ),
    (
        "waybill_facts_projected_total",
        "Facts that were written into a view",
    ),
    (
        "waybill_tasks_running",
        "Outside calls and timers that run now",
    ),
    (
        "waybill_cache_fallbacks_total",
        "Questions to Redis that went without an answer",
    ),
    (
        "waybill_relay_facts_total",
        "Facts that the brokers acknowledged",
    ),
    (
        "waybill_relay_batch_size",
        "Facts that were sent without waiting between them",
    ),
    (
        "waybill_relay_lag_events",
        "Facts of the log that the brokers have not acknowledged, by positions",
    ),
    (
        "waybill_relay_lag_seconds",
        "Age of the oldest fact that the brokers have not acknowledged",
    ),
    (
        "waybill_relay_halted",
        "1 while a relay waits for a person: see `waybill status`",
    ),
    ("waybill_http_seconds", "How long requests took"),
];

fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)
            .and_then(|builder| {
                builder.set_buckets_for_metric(Matcher::Suffix("_size".into()), SIZES)
            })
            .and_then(PrometheusBuilder::install_recorder)
            .inspect_err(|e| tracing::error!(error = %e, "there will be no metrics"))
            .ok()
    };
    RECORDER
        .get_or_init(|| {
            let recorder = install();
            for (name, meaning) in MEANINGS {
                match name.rsplit('_').next() {
                    Some("total") => metrics::describe_counter!(*name, *meaning),
                    Some("size" | "seconds") => metrics::describe_histogram!(*name, *meaning),
                    _ => metrics::describe_gauge!(*name, *meaning),
                }
            }
            recorder
        })
        .as_ref()
}
