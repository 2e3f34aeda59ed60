//! The roles: `waybill serve` has every one in this process, the others are a process each.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use domain::Service;
use infra::config::Config;
use infra::{ids, telemetry};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::output::say;
use super::{Context, EXIT_FAILURE};
use crate::app::{App, Ended};
use crate::roles::Roles;

/// What the command API is to run.
#[derive(clap::Args)]
pub struct CommandApi {
    /// Take the commands and run the reactions of this service only; may be given again
    #[arg(long = "service", value_name = "SERVICE", value_parser = service)]
    services: Vec<Service>,
}

impl CommandApi {
    /// All four where none is named.
    pub fn roles(self) -> Roles {
        let named = |service: &Service| self.services.contains(service);
        let services: Vec<_> = Service::ALL.into_iter().filter(named).collect();
        match services.is_empty() {
            true => Roles::commands(Service::ALL.to_vec()),
            false => Roles::commands(services),
        }
    }
}

/// Reads the name of a service.
pub fn service(name: &str) -> Result<Service, String> {
    let known = Service::ALL
        .into_iter()
        .find(|service| service.name() == name);
    known.ok_or_else(|| {
        let names = Service::ALL.map(Service::name).join(", ");
        format!("is not one of: {names}")
    })
}

pub async fn run(context: Context, roles: Roles) -> anyhow::Result<ExitCode> {
    let Config { log, traces, .. } = &context.config;
    let telemetry = telemetry::start(log, traces.as_ref(), roles.name(), ids::unique());
    let telemetry = telemetry.map_err(anyhow::Error::msg)?;
    let ended = serve(context, roles).await;
    telemetry.finish().await;
    ended
}

async fn serve(context: Context, roles: Roles) -> anyhow::Result<ExitCode> {
    let data = match &context.config.servers {
        None => Some(context.config.data_dir.clone()),
        Some(_) => None,
    };
    let whole = roles == Roles::all();
    let app = App::build(context.config, roles).await?;
    let stop = CancellationToken::new();
    let signals = stop_on_signals(&stop)?;
    let data = data.map(|folder| folder.canonicalize().unwrap_or(folder));
    announce(&app, data.as_deref(), whole, context.json);
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
fn announce(app: &App, data: Option<&Path>, whole: bool, json: bool) {
    let url = |addr: SocketAddr| format!("http://{addr}");
    let (command, query) = (app.command_addr().map(url), app.query_addr().map(url));
    let projectors = app.projectors_addr().map(url);
    if json {
        let up = serde_json::json!({
            "command": command,
            "query": query,
            "projectors": projectors,
            "dataDir": data,
        });
        return say(up);
    }
    say("waybill is up");
    for (name, url) in [("commands", &command), ("queries", &query)] {
        if let Some(url) = url {
            say(format_args!("  {name:10} {url}   try it: {url}/docs"));
        }
    }
    if let Some(url) = projectors {
        say(format_args!("  projectors {url}   health and metrics only"));
    }
    match data {
        Some(folder) => say(format_args!("  data       {}", folder.display())),
        None => say("  data       on the servers of the configuration"),
    }
    if let (true, Some(command), Some(query)) = (whole, command, query) {
        say(format_args!(
            "\nReceive some stock, place an order, and look at it:\n\
             \x20 curl -s {command}/api/stock/sku-1/receipts -H 'content-type: application/json' \\\n\
             \x20   -d '{{\"quantity\":10}}'\n\
             \x20 curl -si {command}/api/orders -H 'content-type: application/json' \\\n\
             \x20   -d '{{\"customerId\":\"customer-7\",\"currency\":\"EUR\",\"items\":[{{\"sku\":\"sku-1\",\"quantity\":1,\"unitPrice\":1901}}]}}'\n\
             \x20 curl -s {query}/api/orders/ORDER-ID\n\
             Or run `waybill demo` in another terminal. Ctrl-C ends it; nothing is lost."
        ));
    }
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
