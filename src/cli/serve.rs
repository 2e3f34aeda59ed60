//! `waybill serve`: every role in this process.

use std::path::Path;
use std::process::ExitCode;

use infra::telemetry;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::output::say;
use super::{Context, EXIT_FAILURE};
use crate::app::{App, Ended};

pub async fn run(context: Context) -> anyhow::Result<ExitCode> {
    telemetry::log_to_stderr(&context.config.log).map_err(anyhow::Error::msg)?;
    let data_dir = context.config.data_dir.clone();
    let app = App::build(context.config).await?;
    let stop = CancellationToken::new();
    let signals = stop_on_signals(&stop)?;
    let data_dir = data_dir.canonicalize().unwrap_or(data_dir);
    announce(&app, &data_dir, context.json);
    let ended = app.run(stop).await;
    signals.abort();
    Ok(match ended {
        Ended::Drained => ExitCode::SUCCESS,
        Ended::CutOff => {
            tracing::warn!("some work was cut off; it is done at the next start");
            ExitCode::SUCCESS
        }
        Ended::Failed => ExitCode::from(EXIT_FAILURE),
    })
}

/// Says where everything is, and what to try.
fn announce(app: &App, data_dir: &Path, json: bool) {
    let (command, query) = (app.command_addr(), app.query_addr());
    if json {
        let up = serde_json::json!({
            "command": format!("http://{command}"),
            "query": format!("http://{query}"),
            "dataDir": data_dir,
        });
        return say(up);
    }
    say(format_args!(
        "waybill is up\n\
         \x20 commands   http://{command}   try it: http://{command}/docs\n\
         \x20 queries    http://{query}   try it: http://{query}/docs\n\
         \x20 data       {}\n",
        data_dir.display()
    ));
    say(format_args!(
        "Receive some stock, place an order, and look at it:\n\
         \x20 curl -s http://{command}/api/stock/sku-1/receipts -H 'content-type: application/json' \\\n\
         \x20   -d '{{\"quantity\":10}}'\n\
         \x20 curl -si http://{command}/api/orders -H 'content-type: application/json' \\\n\
         \x20   -d '{{\"customerId\":\"customer-7\",\"currency\":\"EUR\",\"items\":[{{\"sku\":\"sku-1\",\"quantity\":1,\"unitPrice\":1901}}]}}'\n\
         \x20 curl -s http://{query}/api/orders/ORDER-ID\n\
         Or run `waybill demo` in another terminal. Ctrl-C ends it; nothing is lost."
    ));
}

/// Stops at the first SIGINT or SIGTERM; a second one ends the process at once, which loses
/// nothing that was acknowledged.
pub fn stop_on_signals(stop: &CancellationToken) -> anyhow::Result<tokio::task::AbortHandle> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = stop.clone();
    let mut tasks = tokio::task::JoinSet::new();
    let handle = tasks.spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if stop.is_cancelled() {
                std::process::exit(130);
            }
            stop.cancel();
        }
    });
    tasks.detach_all();
    Ok(handle)
}
