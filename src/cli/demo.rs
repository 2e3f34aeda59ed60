//! `waybill demo`: a scripted tour, over HTTP only.
//!
//! It puts goods of its own in stock, places orders that end in every way that orders can end, and
//! follows each as its customer would, so it is also a test: whatever ends otherwise than the
//! script says is named, and the exit code is 1. Where no pipeline is up, one is started in this
//! process, on the same data, and drained at the end.

mod client;
mod follow;
mod play;
mod script;
mod seen;
mod summary;
mod table;
mod tour;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::builder::RangedU64ValueParser;
use infra::config::{Config, Courier};
use infra::{ids, telemetry};
use tokio_util::sync::CancellationToken;

use super::serve::stop_on_signals;
use super::{Context, EXIT_FAILURE};
use crate::app::{App, Ended};
use crate::roles::Roles;
use client::Client;
use script::{FEWEST, Script};
use tour::Tour;

/// What to show.
#[derive(clap::Args)]
pub struct Demo {
    /// How many orders to place; those past the 20th are all paid and delivered
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = orders())]
    orders: usize,
    /// How long all orders together may take to end, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout_s: u64,
}

/// Past some thousand orders it is a load test, and a bad one: every order is polled.
fn orders() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(FEWEST as u64..=1000)
}

/// What the warnings of a pipeline in this process are; that the provider does not answer is part
/// of the script, and would only tear the table.
const LOG: &str = "warn,infra::due=error";

pub async fn run(context: Context, args: Demo) -> anyhow::Result<ExitCode> {
    let Context { config, json, .. } = context;
    let client = Client::new(config.http.command_addr, config.http.query_addr)?;
    let stop = CancellationToken::new();
    let signals = stop_on_signals(&stop)?;
    let tour = Tour {
        script: Script::new(&name(), args.orders),
        limit: Duration::from_secs(args.timeout_s),
        json,
        stop,
    };
    let result = if client.is_up().await {
        tour.note(format_args!("on the pipeline at {}\n", client.command()));
        tour.run(&client).await
    } else {
        start_and(tour, &client, config).await
    };
    signals.abort();
    result
}

/// The tour, with a pipeline in this process.
async fn start_and(tour: Tour, client: &Client, config: Config) -> anyhow::Result<ExitCode> {
    telemetry::log_to_stderr(LOG).map_err(anyhow::Error::msg)?;
    if config.courier == Courier::None {
        bail!("without a courier no order ends by itself: leave out courier = none");
    }
    let data_dir = config.data_dir.clone();
    let app = App::build(config, Roles::all()).await.with_context(|| {
        let command = client.command();
        format!("no pipeline is up at {command}, and none can be started here")
    })?;
    tour.note(format_args!(
        "no pipeline is up at {}: one runs here until the demo ends, with its data in {}\n",
        client.command(),
        data_dir.display()
    ));
    let (Some(command), Some(query)) = (app.command_addr(), app.query_addr()) else {
        bail!("the pipeline has no addresses");
    };
    let client = Client::new(command, query)?;
    let stop = tour.stop.clone();
    let toured = async {
        let result = tour.run(&client).await;
        tour.stop.cancel();
        result
    };
    let (ended, result) = tokio::join!(app.run(stop), toured);
    match (ended, result) {
        (Ended::Failed, Ok(_)) => Ok(ExitCode::from(EXIT_FAILURE)),
        (_, result) => result,
    }
}

/// A name for a run: the random end of an id.
fn name() -> String {
    let id = ids::unique().simple().to_string();
    id.chars().skip(24).collect()
}
