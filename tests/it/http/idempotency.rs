use futures::future::join_all;
use serde_json::json;

use crate::support::{Fast, Pipeline, order_of};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_and_body_get_the_byte_same_answer_and_append_once() {
    let pipeline = Pipeline::start(Fast::default()).await;
    let key = [("idempotency-key", "once")];
    let send = |body: String| pipeline.post_with("/api/orders", body, &key);
    let body = order_of("sku-1", 1, 1901);
    let first = send(body.to_string()).await.expect(201);
    // The same JSON, written another way.
    let again = send(format!("{body:#}")).await.expect(201);
    assert_eq!(again.bytes, first.bytes);
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.token(), first.token());

    let other = send(order_of("sku-1", 2, 1901).to_string()).await;
    other.expect_problem(422, "idempotency-key-reused", None);

    let elsewhere = pipeline
        .post_with(
            "/api/stock/sku-1/receipts",
            json!({"quantity": 5}).to_string(),
            &key,
        )
        .await;
    elsewhere.expect(200);
    let id = first.body["orderId"].as_str().unwrap();
    pipeline
        .order_until(id, |order| order["status"] != "CREATED")
        .await;
    assert_eq!(pipeline.created_orders().await, 1);
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_with_one_key_at_the_same_time_get_one_answer() {
    let pipeline = Pipeline::start(Fast::default()).await;
    let key = [("idempotency-key", "at the same time".replace(' ', "-"))];
    let key = [(key[0].0, key[0].1.as_str())];
    let send = |_| pipeline.post_with("/api/orders", order_of("sku-1", 1, 1901).to_string(), &key);
    let replies = join_all((0..20).map(send)).await;
    for reply in &replies {
        assert_eq!(reply.status, 201);
        assert_eq!(reply.bytes, replies[0].bytes);
    }
    assert_eq!(pipeline.created_orders().await, 1);
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_counts_once_for_a_key_and_each_time_without_one() {
    let pipeline = Pipeline::start(Fast::default()).await;
    let key = [("idempotency-key", "truck-7")];
    let body = json!({"quantity": 5}).to_string();
    for _ in 0..3 {
        let path = "/api/stock/sku-1/receipts";
        let reply = pipeline
            .post_with(path, body.clone(), &key)
            .await
            .expect(200);
        assert_eq!(reply.body["onHand"], 5);
    }
    let spelt = "/api/stock/sku%2D1/receipts";
    pipeline.post_with(spelt, body, &key).await.expect(200);
    pipeline.expect_stock("sku-1", 5, 0).await;
    pipeline.receive("sku-1", 5).await;
    pipeline.expect_stock("sku-1", 10, 0).await;
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_not_stored_but_decided_anew() {
    let pipeline = Pipeline::start(Fast {
        by_hand: true,
        ..Fast::default()
    })
    .await;
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    let key = [("idempotency-key", "assign-1")];
    let path = format!("/api/deliveries/{id}/dispatch");
    let send = || pipeline.post_with(&path, "{}".into(), &key);
    let refused = send().await;
    assert!(
        refused.status == 404 || refused.status == 409,
        "{}",
        refused.body
    );
    pipeline
        .order_until(&id, |order| order["delivery"]["status"] == "REQUESTED")
        .await;
    let assign =
        json!({"driverName": "Driver Ash", "estimatedDeliveryTime": "2030-01-31T12:00:00Z"});
    pipeline.step(&id, "assign", assign).await.expect(200);
    send().await.expect(200);
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_empty_or_too_long_is_refused() {
    let pipeline = Pipeline::start(Fast::default()).await;
    let long = "x".repeat(256);
    for key in ["", &long, "with space"] {
        let body = order_of("sku-1", 1, 1901).to_string();
        let reply = pipeline
            .post_with("/api/orders", body, &[("idempotency-key", key)])
            .await;
        reply.expect_problem(400, "invalid-field", Some("Idempotency-Key"));
    }
    pipeline.finish().await;
}
