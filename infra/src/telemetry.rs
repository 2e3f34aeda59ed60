//! What a process tells about itself: logs, metrics and traces.
//!
//! Logs go to standard error, for people on a terminal and as JSON elsewhere. [`metrics`] are kept
//! in memory until they are asked for. [`trace`] sends spans to a collector, where one is set, and
//! then every log line that is written within a span has its trace id. None of it is waited for:
//! where it cannot be written or sent it is lost, and the work goes on.

mod export;
pub mod metrics;
pub mod trace;

use std::io::IsTerminal;
use std::time::Duration;

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::{EnvFilter, fmt};
use uuid::Uuid;

use crate::config::Traces;
use export::Exporter;

/// How long the last spans may take to reach the collector when the process ends.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);

/// What has to be told at the end.
#[must_use = "the last spans are sent by `finish`"]
pub struct Telemetry(Option<Exporter>);

/// Logs what `filter` lets through, and sends traces where `traces` says where to. In them the
/// process is called `role`, and `instance` among those of its role. To be called within a runtime.
///
/// # Errors
/// What is wrong with the filter, or with the way to the collector.
pub fn start(
    filter: &str,
    traces: Option<&Traces>,
    role: &str,
    instance: Uuid,
) -> Result<Telemetry, String> {
    log_to_stderr(filter)?;
    let exporter = traces.map(|traces| Exporter::new(traces, role, instance));
    let exporter = exporter.transpose()?;
    if let Some(exporter) = &exporter {
        trace::turn_on(exporter.tracer());
    }
    Ok(Telemetry(exporter))
}

impl Telemetry {
    /// Sends the last spans, and waits for that a moment at most.
    pub async fn finish(self) {
        if let Some(exporter) = self.0 {
            trace::turn_off();
            exporter.finish(FLUSH_WITHIN).await;
        }
    }
}

/// Logs what `filter` lets through: for people on a terminal, as JSON elsewhere.
///
/// # Errors
/// What is wrong with the filter.
pub fn log_to_stderr(filter: &str) -> Result<(), String> {
    let ids = trace::LINES
        .parse()
        .map_err(|e: ParseError| e.to_string())?;
    let filter = self::filter(filter)?.add_directive(ids);
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = if std::io::stderr().is_terminal() {
        builder.compact().try_init()
    } else {
        let builder = builder.json().flatten_event(true).with_span_list(false);
        builder.try_init()
    };
    installed.map_err(|e| e.to_string())
}

/// Reads a filter.
pub(crate) fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(text).map_err(|e| format!("'{text}' is no filter: {e}"))
}
