use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::inventory::stock;
use domain::values::{Quantity, Sku};
use domain::{Category, FactId, Sequence, Service, StreamId};
use infra::http::{After, Body, Json, PathParam, Problem, ProblemBody, not_yet};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use crate::idempotency::{KeyHeader, NoReply, Reply};
use crate::router::Api;

/// Goods that arrived.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receipt {
    /// How many.
    #[schema(value_type = u32, example = 100, minimum = 1, maximum = 1_000_000)]
    quantity: Quantity,
}

/// The stock of a SKU.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockLevel {
    /// What.
    #[schema(value_type = String, example = "sku-1")]
    sku: Sku,
    /// Units in the house.
    #[schema(example = 100)]
    on_hand: u64,
    /// Units of these that orders hold.
    #[schema(example = 3)]
    held: u64,
    /// Units that can still be held.
    #[schema(example = 97)]
    available: u64,
    /// How many facts there are about it.
    #[schema(example = 4)]
    version: Sequence,
}

/// Adds goods that arrived to the stock. A receipt that is sent again counts again, unless it has
/// the same `Idempotency-Key`.
#[utoipa::path(
    post,
    path = "/api/stock/{sku}/receipts",
    tag = "stock",
    request_body = Receipt,
    params(
        ("sku" = String, Path, description = "What arrived"),
        ("Idempotency-Key" = Option<String>, Header, description = "At most 255 characters"),
    ),
    responses(
        (status = 200, description = "The stock afterwards", body = StockLevel,
            headers(("Waybill-Token" = String, description = "For `?after=`"))),
        (status = "4XX", description = "The request is wrong", body = ProblemBody),
        (status = 503, description = "Try again later", body = ProblemBody),
    )
)]
pub async fn receive(
    State(api): State<Arc<Api>>,
    PathParam(sku): PathParam<Sku>,
    headers: HeaderMap,
    key: KeyHeader,
    body: Body<Receipt>,
) -> Result<Response, Problem> {
    let quantity = body.value.quantity;
    let store = api.services.store(Service::Inventory).as_ref();
    let received = api.keys.once(key, &body.canonical, store, async |keyed| {
        let stream = stream_of(&sku);
        let origin = super::origin(&headers, stream.id.clone());
        let reply = |state: &stock::State, token: Option<FactId>| {
            let version = token.as_ref().map_or(0, |token| token.sequence);
            Reply::json(StatusCode::OK, &level(&sku, *state, version), token)
        };
        let command = stock::Command::Receive { quantity };
        let stock = &api.services.stock;
        super::decide(stock, &stream, command, &origin, keyed.as_ref(), reply).await
    });
    Ok(received.await)
}

/// Shows the stock of a SKU.
#[utoipa::path(
    get,
    path = "/api/stock/{sku}",
    tag = "stock",
    params(("sku" = String, Path, description = "What"), After),
    responses(
        (status = 200, description = "The stock", body = StockLevel),
        (status = 202, description = "What `?after=` names is not there yet: ask again"),
        (status = 404, description = "Nothing of it was ever received", body = ProblemBody),
        (status = "4XX", description = "The request is wrong", body = ProblemBody),
        (status = 503, description = "Try again later", body = ProblemBody),
    )
)]
pub async fn show(
    State(api): State<Arc<Api>>,
    PathParam(sku): PathParam<Sku>,
    after: Result<Query<After>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let stream = stream_of(&sku);
    let Query(after) = after.map_err(|e| Problem::field("query", e.body_text()))?;
    let after = after.fact(std::slice::from_ref(&stream))?;
    let until = Instant::now() + api.fresh_wait;
    let mut changes = api.services.store(Service::Inventory).changes();
    loop {
        changes.mark_unchanged();
        let loaded = api.services.stock.load_fresh(&stream).await;
        let loaded = loaded.map_err(|e| match super::no_reply(e) {
            NoReply::Problem(problem) => problem,
            NoReply::Repeated(_) => Problem::internal(&"a read was repeated"),
        })?;
        match &after {
            Some(fact) if loaded.version < fact.sequence => {
                if Instant::now() >= until {
                    return Ok(not_yet(fact, loaded.version));
                }
                tokio::select! {
                    _ = changes.changed() => {}
                    () = sleep(until - Instant::now()) => {}
                }
            }
            _ if loaded.version == 0 => {
                let detail = "nothing of that SKU was ever received";
                return Err(Problem::new(StatusCode::NOT_FOUND, "unknown-sku", detail));
            }
            _ => return Ok(Json(level(&sku, loaded.state, loaded.version)).into_response()),
        }
    }
}

fn stream_of(sku: &Sku) -> StreamId {
    StreamId {
        category: Category::Stock,
        id: sku.as_str().to_owned(),
    }
}

fn level(sku: &Sku, state: stock::State, version: Sequence) -> StockLevel {
    StockLevel {
        sku: sku.clone(),
        on_hand: state.on_hand,
        held: state.held,
        available: state.available(),
        version,
    }
}
