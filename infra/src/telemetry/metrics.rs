//! The list of all metrics, and where they are kept.
//!
//! A metric is a line of [`METRICS`], and of `docs/metrics.md`, which a test holds against it.
//! Every label has few values, which the code knows: never an order, a customer or a SKU.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{SharedString, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Seconds of latencies, from a tenth of a millisecond to the longest request.
const SECONDS: &[f64] = &[
    0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0,
];
/// Sizes of batches.
const SIZES: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0,
];
/// How often what was recorded is put into its buckets; until then each recording takes memory.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// What a metric does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often what was in which range.
    Histogram,
}

impl Kind {
    /// As Prometheus calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// What is counted.
    pub unit: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it means, in a sentence.
    pub meaning: &'static str,
}

macro_rules! metrics_list {
    ($($kind:ident $name:literal [$($label:literal),*] in $unit:literal: $meaning:literal;)+) => {
        /// Every metric, in the order of the documentation.
        pub const METRICS: &[Metric] = &[
            $(Metric {
                name: $name,
                kind: Kind::$kind,
                unit: $unit,
                labels: &[$($label),*],
                meaning: $meaning,
            },)+
        ];
    };
}

metrics_list! {
    Histogram "waybill_http_seconds" ["api", "method", "route", "status"] in "seconds":
        "How long requests took; the status is its class, such as 2xx.";
    Gauge "waybill_http_requests_in_flight" ["api"] in "requests":
        "Requests that are being answered.";
    Histogram "waybill_append_seconds" ["service"] in "seconds":
        "How long appends took, from the queue to the answer.";
    Histogram "waybill_append_batch_size" ["store"] in "requests":
        "Requests of one group commit.";
    Gauge "waybill_append_queue" ["store"] in "requests":
        "Requests that waited behind the last group commit.";
    Gauge "waybill_lease_held" ["service"] in "leases":
        "1 where this process relays the log of the service and runs its tasks.";
    Counter "waybill_relay_facts_total" ["service"] in "facts":
        "Facts that the brokers acknowledged.";
    Histogram "waybill_relay_batch_size" ["service"] in "facts":
        "Facts that were sent without waiting between them.";
    Gauge "waybill_relay_lag_events" ["service"] in "facts":
        "Facts of the log that the brokers have not acknowledged, by positions.";
    Gauge "waybill_relay_lag_seconds" ["service"] in "seconds":
        "Age of the oldest fact that the brokers have not acknowledged.";
    Gauge "waybill_relay_halted" ["service"] in "relays":
        "1 while a relay waits for a person: see `waybill status`.";
    Counter "waybill_facts_taken_total" ["group"] in "facts":
        "Facts that a consumer group has taken.";
    Counter "waybill_facts_parked_total" ["group"] in "facts":
        "Facts that a consumer group could not take.";
    Gauge "waybill_consumer_pending" ["group"] in "facts":
        "Facts that this member of a group has in hand.";
    Gauge "waybill_consumer_running" ["group"] in "facts":
        "Those of them that are being taken; the others wait behind one of their key.";
    Gauge "waybill_consumer_lag_facts" ["group", "topic"] in "facts":
        "Facts of a topic that a group has yet to take.";
    Gauge "waybill_parked_facts" ["group", "class"] in "facts":
        "Open dead letters of a group, and facts that wait behind them, up to 500.";
    Counter "waybill_parked_ended_total" ["group", "how"] in "facts":
        "Parked facts that ended: redriven, taken up by themselves, or discarded.";
    Counter "waybill_redrives_failed_total" ["group"] in "facts":
        "Parked facts that were taken up and failed again.";
    Histogram "waybill_reservations_batch_size" [] in "reservations":
        "Reservations decided and appended as one.";
    Gauge "waybill_reservations_queue" [] in "reservations":
        "Reservations that waited behind the last batch.";
    Gauge "waybill_tasks_running" ["service"] in "tasks":
        "Outside calls and timers that run now.";
    Gauge "waybill_tasks_open" ["service", "task"] in "tasks":
        "Outside calls and timers that are open, whenever they are due.";
    Gauge "waybill_tasks_overdue" ["service", "task"] in "tasks":
        "Those of them whose time came 30 seconds ago or longer.";
    Histogram "waybill_provider_seconds" ["operation", "outcome"] in "seconds":
        "How long calls to the payment provider took, and what they came to: done, refused, or why there was no answer.";
    Counter "waybill_captures_refused_total" [] in "payments":
        "Deliveries that left and were not paid: each has payment status CAPTURE_FAILED.";
    Counter "waybill_facts_projected_total" ["group"] in "facts":
        "Facts that were written into a view.";
    Histogram "waybill_projection_seconds" ["group"] in "seconds":
        "Age of the oldest fact of a batch, once the view has it.";
    Gauge "waybill_projector_lag_seconds" ["group"] in "seconds":
        "How far a view is behind the facts, by their times.";
    Gauge "waybill_view_outdated" ["view"] in "views":
        "1 where the table that is read was folded by another revision of the program.";
    Counter "waybill_view_rows_verified_total" ["view"] in "rows":
        "Rows that were held against the logs.";
    Counter "waybill_view_differences_total" ["view", "kind"] in "rows":
        "Rows that were not as the logs have them: different, behind, missing, extra or frozen.";
    Counter "waybill_looks_failed_total" ["group"] in "looks":
        "Looks at lag, parked facts and tasks that got no answer; what they tell is then what it was.";
    Counter "waybill_cache_fallbacks_total" [] in "questions":
        "Questions to Redis that went without an answer.";
    Counter "waybill_spans_sent_total" [] in "spans":
        "Spans that the collector of traces has taken.";
    Counter "waybill_spans_lost_total" [] in "spans":
        "Spans that the collector did not take.";
}

/// The metrics of this process, in Prometheus's text form.
pub fn render() -> String {
    recorder().map_or_else(String::new, PrometheusHandle::render)
}

/// Begins to record; may be called again. What takes a handle before keeps one that records
/// nothing.
pub fn record() {
    recorder();
}

/// Keeps the memory of what was recorded small, also where nobody asks for it, until `stop`.
pub async fn upkeep(stop: CancellationToken) {
    let mut tick = interval(UPKEEP_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        if let Some(recorder) = recorder() {
            recorder.run_upkeep();
        }
    }
}

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
            METRICS.iter().for_each(describe);
            recorder
        })
        .as_ref()
}

fn describe(metric: &Metric) {
    let Metric { name, meaning, .. } = *metric;
    let (key, words) = (name.into(), SharedString::const_str(meaning));
    // The unit is in the table: here it would become a part of the name.
    let no_unit: Option<Unit> = None;
    metrics::with_recorder(|recorder| match metric.kind {
        Kind::Counter => recorder.describe_counter(key, no_unit, words),
        Kind::Gauge => recorder.describe_gauge(key, no_unit, words),
        Kind::Histogram => recorder.describe_histogram(key, no_unit, words),
    });
}
