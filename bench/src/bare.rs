//! Bare servers: the same HTTP server with handlers that do nothing but read and answer; and the
//! commands of the order service without what runs beside them, to measure the hop alone.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use clap::{Parser, Subcommand};
use command_api::{Api, Services};
use domain::Service;
use domain::values::{Currency, CustomerId, Item};
use infra::bus::{Bus, FeedBus};
use infra::cache::LocalCache;
use infra::config::{Config, Sources};
use infra::event_store::{Database, EmbeddedEventStore, EventStore, PostgresEventStore};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::say;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
    #[arg(long = "set", value_name = "KEY=VALUE", global = true)]
    set: Vec<String>,
    /// As the roles take it; nothing else is spoken here
    #[arg(long = "json", global = true)]
    _json: bool,
}

#[derive(Subcommand)]
enum What {
    /// Handlers that do nothing
    Nothing,
    /// The commands of the order service
    Orders,
}

/// Serves until it is asked to end.
pub fn run() -> ExitCode {
    let served = tokio::runtime::Runtime::new()
        .context("a runtime")
        .and_then(|runtime| runtime.block_on(serve(Args::parse())));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            say(&format!("{e:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: Args) -> anyhow::Result<()> {
    let router = match args.what {
        What::Nothing => nothing(),
        What::Orders => orders(args.set)?,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say(&serde_json::json!({ "command": listener.local_addr()?.to_string() }).to_string());
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        terminate.recv().await;
    };
    axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await?;
    Ok(())
}

fn nothing() -> Router {
    Router::new()
        .route("/api/orders", post(read_order))
        .route("/api/orders/{id}", get(show_order))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    customer_id: CustomerId,
    currency: Currency,
    items: Vec<Item>,
}

async fn read_order(body: Bytes) -> Response {
    let Ok(order) = serde_json::from_slice::<Order>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let total: u64 = order
        .items
        .iter()
        .map(|item| item.unit_price.minor_units())
        .sum();
    let (customer, currency) = (order.customer_id, order.currency);
    let answer = format!(
        r#"{{"orderId":"01890a5d-ac96-774b-bcce-b302099a8057","customerId":"{customer}","totalAmount":{total},"currency":"{currency}","status":"CREATED","createdAt":"2026-01-01T00:00:00.000000Z"}}"#
    );
    (
        StatusCode::CREATED,
        [(header::CONTENT_TYPE, "application/json")],
        answer,
    )
        .into_response()
}

/// As long as an answer of ours.
const SHOWN: &str = include_str!("bare/order.json");

async fn show_order(Path(_): Path<String>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], SHOWN).into_response()
}

/// On servers, or in a folder where none are set.
fn orders(set: Vec<String>) -> anyhow::Result<Router> {
    let config = Config::load(&Sources { file: None, set })?;
    let stores: [Arc<dyn EventStore>; 4] = match &config.servers {
        Some(servers) => {
            let store = |service| {
                let place = servers.event_store(service)?;
                Ok::<_, anyhow::Error>(Arc::new(PostgresEventStore::new(&place)) as Arc<_>)
            };
            let [a, b, c, d] = Service::ALL.map(store);
            [a?, b?, c?, d?]
        }
        None => {
            let database = Database::open(&config.data_dir)?;
            let store = |service| Arc::new(EmbeddedEventStore::new(database.clone(), service));
            Service::ALL.map(|service| store(service) as Arc<dyn EventStore>)
        }
    };
    let bus: Arc<dyn Bus> = Arc::new(FeedBus::new(stores.to_vec()));
    let cache = Arc::new(LocalCache::new());
    let own = vec![Service::Order];
    let wait = config.http.fresh_wait;
    let api = Api::new(Services::new(stores), own, bus, cache, config.orders, wait);
    Ok(command_api::router(api))
}
