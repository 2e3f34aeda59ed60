//! `GET /api/customers/{id}/orders`: the orders of a customer.

use std::collections::BTreeMap;

use domain::view::Status;
use serde_json::{Value, json};

use crate::support::{Fast, Pipeline, order_of};

/// A page of a customer's orders.
async fn page(pipeline: &Pipeline, customer: &str, query: &str) -> (Vec<Value>, Option<String>) {
    let path = format!("/api/customers/{customer}/orders?{query}");
    let page = pipeline.get(&path).await.expect(200).body;
    let orders = page["orders"].as_array().unwrap().clone();
    let next = page["nextCursor"].as_str().map(ToOwned::to_owned);
    (orders, next)
}

/// All pages of a customer's orders.
async fn all(pipeline: &Pipeline, customer: &str, query: &str) -> Vec<Value> {
    let (mut orders, mut next) = page(pipeline, customer, query).await;
    while let Some(cursor) = next {
        let (more, after) = page(pipeline, customer, &format!("{query}&cursor={cursor}")).await;
        orders.extend(more);
        assert!(orders.len() < 100, "they do not end");
        next = after;
    }
    orders
}

fn ids(orders: &[Value]) -> Vec<&str> {
    let ids = orders.iter().map(|order| order["orderId"].as_str());
    ids.map(Option::unwrap).collect()
}

async fn place(pipeline: &Pipeline, customer: &str, unit_price: u64) -> String {
    let mut order = order_of("sku-1", 1, unit_price);
    order["customerId"] = json!(customer);
    let placed = pipeline.post("/api/orders", order).await.expect(201);
    placed.body["orderId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_orders_of_a_customer_are_listed_newest_first_as_they_stand() {
    let pipeline = Pipeline::start(Fast::default()).await;
    pipeline.receive("sku-1", 4).await;
    let (mut placed, others) = (vec![], place(&pipeline, "customer-8", 1901).await);
    // Paid and delivered, declined, capture refused: each ends as its total says.
    for unit_price in [1901, 1902, 1904, 1901, 1902] {
        placed.push(place(&pipeline, "customer-7", unit_price).await);
    }
    for id in placed.iter().chain([&others]) {
        let over = |order: &Value| {
            let status = order["status"].as_str();
            let captured = order["payment"]["status"] != "CAPTURE_REQUESTED";
            matches!(status, Some("COMPLETED" | "CANCELLED")) && captured
        };
        pipeline.order_until(id, over).await;
    }
    pipeline.caught_up().await;

    let listed = all(&pipeline, "customer-7", "").await;
    let newest_first: Vec<&str> = placed.iter().rev().map(String::as_str).collect();
    assert_eq!(ids(&listed), newest_first);
    let mut by_status: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for order in listed {
        let whole = pipeline.order(order["orderId"].as_str().unwrap()).await;
        for field in ["status", "totalAmount", "currency", "createdAt", "versions"] {
            assert_eq!(order[field], whole[field], "{field}");
        }
        let status = order["status"].as_str().unwrap().to_owned();
        by_status.entry(status).or_default().push(order);
    }
    assert_eq!(by_status.len(), 2, "{by_status:?}");
    for status in Status::ALL.map(Status::name) {
        for limit in [1, 2, 100] {
            let query = format!("status={status}&limit={limit}");
            let listed = all(&pipeline, "customer-7", &query).await;
            assert_eq!(listed, by_status.get(status).cloned().unwrap_or_default());
        }
    }
    assert_eq!(
        ids(&all(&pipeline, "customer-8", "").await),
        [others.as_str()]
    );
    assert_eq!(page(&pipeline, "nobody", "").await, (vec![], None));
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_after_a_token_shows_what_the_command_did() {
    let pipeline = Pipeline::start(Fast {
        fresh_wait_ms: Some(2_000),
        ..Fast::default()
    })
    .await;
    for _ in 0..50 {
        let placed = pipeline
            .post("/api/orders", order_of("sku-1", 1, 1901))
            .await;
        let placed = placed.expect(201);
        let query = format!("limit=1&after={}", placed.token());
        let (orders, _) = page(&pipeline, "customer-7", &query).await;
        assert_eq!(orders[0]["orderId"], placed.body["orderId"]);
    }
    let id = place(&pipeline, "customer-8", 1901).await;
    let path = format!("/api/customers/customer-8/orders?after=order-{id}-99");
    let not_yet = pipeline.get(&path).await.expect(202);
    assert_eq!(not_yet.header("retry-after"), Some("1"));
    // Of an order that is somebody else's.
    let path = format!("/api/customers/customer-7/orders?after=order-{id}-1");
    let refused = pipeline.get(&path).await;
    refused.expect_problem(400, "invalid-field", Some("after"));
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_asked_for_wrongly_names_what_is_wrong() {
    let pipeline = Pipeline::start(Fast::default()).await;
    let id = place(&pipeline, "customer-7", 1901).await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=1.5", "limit"),
        ("limit=", "limit"),
        ("cursor=", "cursor"),
        ("cursor=nonsense", "cursor"),
        (&format!("cursor={id}"), "cursor"),
        ("status=", "status"),
        ("status=completed", "status"),
        ("status=LOST", "status"),
        ("after=nonsense", "after"),
        ("after=stock-sku-1-1", "after"),
        ("after=order-seven-1", "after"),
        ("page=2", "query"),
    ] {
        let path = format!("/api/customers/customer-7/orders?{query}");
        let reply = pipeline.get(&path).await;
        reply.expect_problem(400, "invalid-field", Some(field));
    }
    for customer in ["%20", "a%07b", &"x".repeat(65)] {
        let reply = pipeline
            .get(&format!("/api/customers/{customer}/orders"))
            .await;
        reply.expect_problem(400, "invalid-field", Some("id"));
    }
    // A name may have anything in it that can be seen.
    let odd = "a%2Fb%3F%C3%A9%20%26c";
    assert_eq!(page(&pipeline, odd, "").await, (vec![], None));
    let placed = place(&pipeline, "a/b?é &c", 1901).await;
    pipeline.order_in(&placed, "CANCELLED").await;
    pipeline.caught_up().await;
    assert_eq!(ids(&all(&pipeline, odd, "").await), [placed.as_str()]);
    pipeline.order_in(&id, "CANCELLED").await;
    pipeline.finish().await;
}
