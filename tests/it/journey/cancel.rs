//! Customers who change their minds, before each step and too late.

use serde_json::json;

use super::{assignment, expect_undone, warm_up};
use crate::support::{Pipeline, order_of};

/// Before anybody has heard of it: mostly before the stock is held.
pub async fn an_order_is_cancelled_at_once_after_it_was_placed(pipeline: Pipeline) {
    pipeline.receive("sku-1", 1).await;
    let order = order_of("sku-1", 1, 1901);
    let placed = pipeline.post("/api/orders", order).await.expect(201);
    let id = placed.body["orderId"].as_str().unwrap();
    let asked = pipeline.cancel(id, "changed my mind").await.expect(202);
    assert_eq!(asked.body["status"], "CANCELLING");
    expect_undone(&pipeline, id, "changed my mind").await;
    let again = pipeline.cancel(id, "really").await.expect(202);
    assert_eq!(
        again.body["status"], "CANCELLED",
        "asked for again, nothing is appended"
    );
    assert_eq!(again.token(), format!("order-{id}-3"));
    pipeline.finish().await;
}

pub async fn an_order_is_cancelled_while_its_payment_is_asked_for(pipeline: Pipeline) {
    warm_up(&pipeline).await;
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline.payment_in(&id, "REQUESTED").await;
    pipeline.cancel(&id, "too slow").await.expect(202);
    let order = expect_undone(&pipeline, &id, "too slow").await;
    assert_eq!(
        order["payment"]["status"], "VOIDED",
        "what was authorized late is voided"
    );
    pipeline.finish().await;
}

pub async fn an_order_is_cancelled_before_a_driver_is_assigned(pipeline: Pipeline) {
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline.delivery_requested(&id).await;
    pipeline.cancel(&id, "found it cheaper").await.expect(202);
    let order = expect_undone(&pipeline, &id, "found it cheaper").await;
    assert_eq!(order["payment"]["status"], "VOIDED");
    assert_eq!(order["delivery"]["status"], "CANCELLED");
    pipeline.finish().await;
}

pub async fn an_order_is_cancelled_before_its_delivery_leaves(pipeline: Pipeline) {
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline.delivery_requested(&id).await;
    pipeline.step(&id, "assign", assignment()).await.expect(200);
    pipeline.cancel(&id, "moved house").await.expect(202);
    expect_undone(&pipeline, &id, "moved house").await;
    let late = pipeline.step(&id, "dispatch", json!({})).await;
    late.expect_problem(409, "delivery-cancelled", None);
    pipeline.finish().await;
}

pub async fn an_order_whose_delivery_has_left_is_not_cancelled(pipeline: Pipeline) {
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline.delivery_requested(&id).await;
    pipeline.step(&id, "assign", assignment()).await.expect(200);
    pipeline.step(&id, "dispatch", json!({})).await.expect(200);
    pipeline.cancel(&id, "too late").await.expect(202);
    pipeline
        .order_until(&id, |order| order["versions"]["order"] == 3)
        .await;
    pipeline.caught_up().await;
    let order = pipeline.order(&id).await;
    assert_eq!(order["status"], "DISPATCHED");
    let refused = pipeline.cancel(&id, "please").await;
    refused.expect_problem(409, "cancellation-refused", None);
    pipeline.step(&id, "deliver", json!({})).await.expect(200);
    let order = pipeline.order_in(&id, "COMPLETED").await;
    assert_eq!(order["cancelReason"], json!(null));
    let over = pipeline.cancel(&id, "please").await;
    over.expect_problem(409, "order-completed", None);
    pipeline.finish().await;
}
