//! Steps of a delivery, recorded by people: for pipelines without a courier's interface.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::delivery::{self, Assignment, Command, Progress};
use domain::values::{DeliveryId, DriverName, OrderId, Reason, Timestamp};
use domain::{Category, FactId, Sequence, Service, StreamId};
use infra::http::{Body, PathParam, ProblemBody};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::idempotency::{KeyHeader, Reply};
use crate::router::Api;

/// Who brings the goods, and when.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Assign {
    /// A display name of 1 to 100 characters.
    #[schema(value_type = String, example = "Driver Oak", min_length = 1, max_length = 100)]
    driver_name: DriverName,
    /// When they are to arrive.
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T12:00:00Z")]
    estimated_delivery_time: Timestamp,
}

/// Another time of arrival.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Eta {
    /// When the goods are to arrive.
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T12:30:00Z")]
    estimated_delivery_time: Timestamp,
}

/// Nothing more to say: `{}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Why the goods will not arrive.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fail {
    /// In 1 to 200 characters.
    #[schema(value_type = String, example = "address not found", min_length = 1, max_length = 200)]
    reason: Reason,
}

/// A delivery after a step.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryStep {
    /// The order.
    #[schema(value_type = uuid::Uuid)]
    order_id: OrderId,
    /// The delivery.
    #[schema(value_type = uuid::Uuid)]
    delivery_id: DeliveryId,
    /// How far it is.
    #[schema(example = "ASSIGNED")]
    status: String,
    /// How many facts there are about it.
    #[schema(example = 2)]
    version: Sequence,
}

macro_rules! step {
    ($(#[doc = $doc:literal])+ $name:ident, $path:literal, $body:ident, $progress:expr) => {
        $(#[doc = $doc])+
        #[utoipa::path(
            post,
            path = $path,
            tag = "deliveries",
            request_body = $body,
            params(
                ("order_id" = uuid::Uuid, Path, description = "The order"),
                ("Idempotency-Key" = Option<String>, Header, description = "At most 255 characters"),
            ),
            responses(
                (status = 200, description = "The step is recorded, now or before", body = DeliveryStep,
                    headers(("Waybill-Token" = String, description = "For `?after=`"))),
                (status = 404, description = "No delivery was requested for the order yet", body = ProblemBody),
                (status = 409, description = "The delivery cannot take that step", body = ProblemBody),
                (status = "4XX", description = "The request is wrong", body = ProblemBody),
                (status = 503, description = "Try again later", body = ProblemBody),
            )
        )]
        pub async fn $name(
            State(api): State<Arc<Api>>,
            PathParam(order_id): PathParam<OrderId>,
            headers: HeaderMap,
            key: KeyHeader,
            body: Body<$body>,
        ) -> Response {
            let progress: fn($body) -> Progress = $progress;
            let canonical = body.canonical;
            record(&api, order_id, &headers, key, &canonical, progress(body.value)).await
        }
    };
}

step!(
    /// Someone will bring the goods.
    assign, "/api/deliveries/{order_id}/assign", Assign,
    |body| Progress::Assign(Assignment {
        driver_name: body.driver_name,
        estimated_delivery_time: body.estimated_delivery_time,
    })
);
step!(
    /// The goods will arrive at another time.
    eta, "/api/deliveries/{order_id}/eta", Eta,
    |body| Progress::MoveEta { estimated_delivery_time: body.estimated_delivery_time }
);
step!(
    /// The goods have left: the order can no longer be cancelled.
    dispatch, "/api/deliveries/{order_id}/dispatch", Nothing,
    |_| Progress::Dispatch
);
step!(
    /// The goods have arrived.
    deliver, "/api/deliveries/{order_id}/deliver", Nothing,
    |_| Progress::Deliver
);
step!(
    /// The goods will not arrive: everything is undone.
    fail, "/api/deliveries/{order_id}/fail", Fail,
    |body| Progress::Fail { reason: body.reason }
);

async fn record(
    api: &Api,
    order_id: OrderId,
    headers: &HeaderMap,
    key: KeyHeader,
    canonical: &[u8],
    progress: Progress,
) -> Response {
    let store = api.services.store(Service::Delivery).as_ref();
    let recorded = api.keys.once(key, canonical, store, async |keyed| {
        let origin = super::origin(headers, order_id.to_string());
        let stream = StreamId::of(Category::Delivery, order_id);
        let reply = |state: &delivery::State, token| reply_of(order_id, state, token);
        let command = Command::Record(progress);
        let delivery = &api.services.delivery;
        super::decide(delivery, &stream, command, &origin, keyed.as_ref(), reply).await
    });
    recorded.await
}

fn reply_of(order_id: OrderId, state: &delivery::State, token: Option<FactId>) -> Reply {
    let body = DeliveryStep {
        order_id,
        delivery_id: DeliveryId::of(order_id),
        status: state.name().to_ascii_uppercase(),
        version: token.as_ref().map_or(0, |token| token.sequence),
    };
    Reply::json(StatusCode::OK, &body, token)
}
