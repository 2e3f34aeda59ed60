use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::order;
use domain::values::{OrderId, Reason};
use domain::{Category, FactId, Service, StreamId};
use infra::http::{Body, PathParam, Problem, ProblemBody};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::idempotency::{KeyHeader, Reply};
use crate::router::Api;

/// A wish to cancel.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelOrder {
    /// Why, in 1 to 200 characters.
    #[schema(value_type = String, example = "changed my mind", min_length = 1, max_length = 200)]
    reason: Reason,
}

/// What became of the wish so far.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CancellationAsked {
    /// The order.
    #[schema(value_type = uuid::Uuid)]
    order_id: OrderId,
    /// `CANCELLING`, or `CANCELLED` where it was already.
    #[schema(example = "CANCELLING")]
    status: &'static str,
}

/// Asks to cancel an order. Whether that is still possible is decided where the delivery is: read
/// the order to see what came of it.
#[utoipa::path(
    post,
    path = "/api/orders/{id}/cancel",
    tag = "orders",
    request_body = CancelOrder,
    params(
        ("id" = uuid::Uuid, Path, description = "The order"),
        ("Idempotency-Key" = Option<String>, Header, description = "At most 255 characters"),
    ),
    responses(
        (status = 202, description = "Asked for, now or before, or cancelled already", body = CancellationAsked,
            headers(("Waybill-Token" = String, description = "For `?after=`"))),
        (status = 404, description = "There is no such order", body = ProblemBody),
        (status = 409, description = "It was refused, or the order is completed", body = ProblemBody),
        (status = "4XX", description = "The request is wrong", body = ProblemBody),
        (status = 503, description = "Try again later", body = ProblemBody),
    )
)]
pub async fn cancel_order(
    State(api): State<Arc<Api>>,
    PathParam(order_id): PathParam<OrderId>,
    headers: HeaderMap,
    key: KeyHeader,
    body: Body<CancelOrder>,
) -> Result<Response, Problem> {
    let reason = body.value.reason;
    let store = api.services.store(Service::Order).as_ref();
    let asked = api.keys.once(key, &body.canonical, store, async |keyed| {
        let origin = super::origin(&headers, order_id.to_string());
        let stream = StreamId::of(Category::Order, order_id);
        let reply = |state: &order::State, token| reply_of(order_id, *state, token);
        let command = order::Command::Cancel { reason };
        let order = &api.services.order;
        super::decide(order, &stream, command, &origin, keyed.as_ref(), reply).await
    });
    Ok(asked.await)
}

fn reply_of(order_id: OrderId, state: order::State, token: Option<FactId>) -> Reply {
    let status = match state {
        order::State::Cancelled => "CANCELLED",
        _ => "CANCELLING",
    };
    let body = CancellationAsked { order_id, status };
    Reply::json(StatusCode::ACCEPTED, &body, token)
}
