use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::order::{Command, Place};
use domain::values::{
    Currency, CustomerId, Item, Items, OrderId, Quantity, Sku, Timestamp, UnitPrice,
};
use domain::{Category, FactId, OrderContext, Service, StreamId};
use infra::http::{Body, Problem, ProblemBody};
use infra::ids;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::idempotency::{KeyHeader, Reply};
use crate::router::Api;

/// An order to be placed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlaceOrder {
    /// Who orders: an opaque id of 1 to 64 characters.
    #[schema(value_type = String, example = "customer-7", min_length = 1, max_length = 64)]
    customer_id: CustomerId,
    /// The ISO 4217 code of the money that the prices are in.
    #[schema(value_type = String, example = "EUR", min_length = 3, max_length = 3)]
    currency: Currency,
    /// 1 to 100 lines, each SKU once.
    #[schema(min_items = 1, max_items = 100)]
    items: Vec<OrderItem>,
}

/// A line of an order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderItem {
    /// What: letters, digits, `.`, `_` and `-`.
    #[schema(value_type = String, example = "sku-1", min_length = 1, max_length = 64)]
    sku: Sku,
    /// How many.
    #[schema(value_type = u32, example = 2, minimum = 1, maximum = 1_000_000)]
    quantity: Quantity,
    /// For how much each, in minor units.
    #[schema(value_type = u64, example = 1999, minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    unit_price: UnitPrice,
}

/// An order that was placed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlacedOrder {
    /// The order: a UUID v7.
    #[schema(value_type = uuid::Uuid)]
    order_id: OrderId,
    /// Who ordered.
    #[schema(value_type = String)]
    customer_id: CustomerId,
    /// For how much, in minor units.
    #[schema(example = 3998)]
    total_amount: u64,
    /// In which money.
    #[schema(value_type = String, example = "EUR")]
    currency: Currency,
    /// Always `CREATED`.
    #[schema(example = "CREATED")]
    status: &'static str,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Places an order.
#[utoipa::path(
    post,
    path = "/api/orders",
    tag = "orders",
    request_body = PlaceOrder,
    params(("Idempotency-Key" = Option<String>, Header, description = "At most 255 characters; the same key and body get the same answer")),
    responses(
        (status = 201, description = "The order is placed", body = PlacedOrder,
            headers(("Location" = String, description = "Where the query API shows it"),
                ("Waybill-Token" = String, description = "For `?after=`"))),
        (status = "4XX", description = "The request is wrong", body = ProblemBody),
        (status = 503, description = "Try again later", body = ProblemBody),
    )
)]
pub async fn place_order(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    key: KeyHeader,
    body: Body<PlaceOrder>,
) -> Result<Response, Problem> {
    let PlaceOrder {
        customer_id,
        currency,
        items,
    } = body.value;
    let items: Vec<Item> = items.into_iter().map(Item::from).collect();
    let items = Items::try_from(items).map_err(|e| Problem::invalid("items", e))?;
    let place = Place {
        customer_id,
        items,
        currency,
        deadline_ms: api.orders.deadline_ms,
    };
    let store = api.services.store(Service::Order).as_ref();
    let placed = api.keys.once(key, &body.canonical, store, async |keyed| {
        let order_id = ids::order();
        let mut origin = super::origin(&headers, order_id.to_string());
        origin.order = Some(OrderContext {
            customer_id: place.customer_id.clone(),
            currency: place.currency,
            total_amount: place.items.total(),
            placed_at: origin.at,
        });
        let stream = StreamId::of(Category::Order, order_id);
        let reply = |_: &_, token| reply_of(order_id, &place, origin.at, token);
        let command = Command::Place(place.clone());
        let order = &api.services.order;
        super::decide(order, &stream, command, &origin, keyed.as_ref(), reply).await
    });
    Ok(placed.await)
}

impl From<OrderItem> for Item {
    fn from(item: OrderItem) -> Self {
        Self {
            sku: item.sku,
            quantity: item.quantity,
            unit_price: item.unit_price,
        }
    }
}

fn reply_of(
    order_id: OrderId,
    place: &Place,
    created_at: Timestamp,
    token: Option<FactId>,
) -> Reply {
    let body = PlacedOrder {
        order_id,
        customer_id: place.customer_id.clone(),
        total_amount: place.items.total().minor_units(),
        currency: place.currency,
        status: "CREATED",
        created_at,
    };
    let mut reply = Reply::json(StatusCode::CREATED, &body, token);
    reply.location = Some(format!("/api/orders/{order_id}"));
    reply
}
