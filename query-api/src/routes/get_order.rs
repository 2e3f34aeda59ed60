use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::values::{Item, OrderId, Timestamp};
use domain::view::order_view::{self, OrderRow, OrderView};
use domain::view::{Value, Versions};
use domain::{FactId, View};
use infra::http::{Json, PathParam, Problem, ProblemBody, fact_of};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::freshness::{self, NotYet};
use crate::params::{self, Params};
use crate::router::Api;
use crate::timeline::Timeline;

/// As of when to show it.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AsOf {
    /// Shows the order as it was at this time: as the facts that had happened by then give it. A
    /// time in the future is now.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-01-31T12:00:00Z")]
    at: Option<String>,
    /// A `Waybill-Token` from a command: the read waits until it has seen what the command did. With
    /// `at`, that is shown where it had happened by then.
    #[param(example = "order-01890a5d-ac96-774b-bcce-b302099a8057-1")]
    after: Option<String>,
}

/// An order. Keys are always present: null where there is no fact yet, version 0.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The order.
    #[schema(value_type = Uuid)]
    order_id: OrderId,
    /// Who ordered.
    customer_id: String,
    /// Where it stands as a whole: `CREATED`, `INVENTORY_RESERVED`, `PAYMENT_AUTHORIZED`,
    /// `DELIVERY_ASSIGNED`, `DISPATCHED`, `DELIVERED`, `COMPLETED`, `CANCELLING` or `CANCELLED`.
    /// An order may be completed a moment before its payment is captured.
    #[schema(example = "COMPLETED")]
    status: &'static str,
    /// For how much, in minor units.
    total_amount: i64,
    /// In which money.
    currency: String,
    /// What.
    #[schema(value_type = Vec<OrderItem>)]
    items: Vec<Item>,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When any part of it last moved.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Why it was cancelled.
    cancel_reason: Option<String>,
    /// What the stock did.
    inventory: Inventory,
    /// What the money did.
    payment: Payment,
    /// What the delivery did.
    delivery: Delivery,
    /// How much of each stream is seen here.
    versions: StreamVersions,
}

/// A line of an order.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "describes `Item`, which the domain defines, to OpenAPI"
)]
pub struct OrderItem {
    /// What.
    sku: String,
    /// How many.
    quantity: u32,
    /// For how much each, in minor units.
    unit_price: u64,
}

/// What the stock did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// Its last step.
    #[schema(example = "SHIPPED")]
    status: Option<String>,
    /// Why it is undone.
    reason: Option<String>,
}

/// What the money did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// The payment.
    payment_id: Option<Uuid>,
    /// Its last step.
    #[schema(example = "CAPTURED")]
    status: Option<String>,
    /// Why it failed or is undone.
    reason: Option<String>,
}

/// What the delivery did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The delivery.
    delivery_id: Option<Uuid>,
    /// Its last step.
    #[schema(example = "DELIVERED")]
    status: Option<String>,
    /// Who brings the goods.
    driver_name: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    estimated_delivery_time: Option<Timestamp>,
}

/// The last fact of each stream that is seen here.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamVersions {
    order: u64,
    reservation: u64,
    payment: u64,
    delivery: u64,
}

/// Shows an order, as it is or as it was.
#[utoipa::path(
    get,
    path = "/api/orders/{id}",
    tag = "orders",
    params(("id" = Uuid, Path, description = "The order"), AsOf),
    responses(
        (status = 200, description = "The order", body = Order),
        (status = 202, description = "What `?after=` names is not there yet: ask again"),
        (status = 404, description = "There is no such order, there was none at that time, or it is not seen here yet", body = ProblemBody),
        (status = "4XX", description = "The request is wrong", body = ProblemBody),
        (status = 503, description = "Try again later", body = ProblemBody),
    )
)]
pub async fn get_order(
    State(api): State<Arc<Api>>,
    PathParam(order_id): PathParam<OrderId>,
    as_of: Params<AsOf>,
) -> Result<Response, Problem> {
    let as_of = params::read(as_of)?;
    let streams = freshness::streams_of(order_id);
    let after = fact_of(as_of.after.as_deref(), |stream| streams.contains(stream))?;
    let at = as_of.at.as_deref().map(time).transpose()?;
    let found = match at {
        None => now(&api, order_id, after.as_ref()).await?,
        Some(at) => then(&api, order_id, after.as_ref(), at).await?,
    };
    match found {
        Ok(Some(row)) => Ok(Json(Order::from(row)).into_response()),
        Ok(None) => Err(unknown()),
        Err(not_yet) => Ok(not_yet.into_response()),
    }
}

fn time(text: &str) -> Result<Timestamp, Problem> {
    text.parse().map_err(|e| Problem::invalid("at", e))
}

/// The order as the view has it.
async fn now(
    api: &Api,
    order: OrderId,
    after: Option<&FactId>,
) -> Result<Result<Option<OrderRow>, NotYet>, Problem> {
    let table = api.table(&OrderView).await?;
    let key = [Value::Uuid(order.0)];
    let look = || async {
        let cells = api.store.get(OrderView.schema(), &table, &key).await?;
        let seen = cells.as_ref().map(order_view::versions).unwrap_or_default();
        Ok(freshness::shows(seen, after).map(|()| cells))
    };
    let found = freshness::wait_for(api.store.as_ref(), api.fresh_wait, look).await?;
    Ok(found.map(|cells| OrderRow::read(order, &cells?)))
}

/// The order as it was at `at`.
async fn then(
    api: &Api,
    order: OrderId,
    after: Option<&FactId>,
    at: Timestamp,
) -> Result<Result<Option<OrderRow>, NotYet>, Problem> {
    let timeline = Timeline::of(api, order).await?;
    match timeline.wait_for(after).await? {
        Ok(()) => Ok(Ok(timeline.order_at(at).await?)),
        Err(not_yet) => Ok(Err(not_yet)),
    }
}

/// Nobody placed it, or not by then, or that is not seen here yet.
pub fn unknown() -> Problem {
    let detail = "there is no such order, or it is not seen here yet";
    Problem::new(StatusCode::NOT_FOUND, "unknown-order", detail)
}

impl From<OrderRow> for Order {
    fn from(row: OrderRow) -> Self {
        Self {
            order_id: row.order_id,
            status: row.status().name(),
            customer_id: row.customer_id,
            total_amount: row.total_amount,
            currency: row.currency,
            items: row.items,
            created_at: row.created_at,
            updated_at: row.updated_at,
            cancel_reason: row.cancel_reason,
            inventory: Inventory {
                status: row.inventory.status,
                reason: row.inventory.reason,
            },
            payment: Payment {
                payment_id: row.payment.payment_id,
                status: row.payment.status,
                reason: row.payment.reason,
            },
            delivery: Delivery {
                delivery_id: row.delivery.delivery_id,
                status: row.delivery.status,
                driver_name: row.delivery.driver_name,
                estimated_delivery_time: row.delivery.estimated_delivery_time,
            },
            versions: row.versions.into(),
        }
    }
}

impl From<Versions> for StreamVersions {
    fn from(versions: Versions) -> Self {
        Self {
            order: versions.order,
            reservation: versions.reservation,
            payment: versions.payment,
            delivery: versions.delivery,
        }
    }
}
