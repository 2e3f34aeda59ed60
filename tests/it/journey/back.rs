//! Orders that are undone without anybody asking for it.

use futures::future::join_all;
use serde_json::{Value, json};

use super::{assignment, expect_undone, warm_up};
use crate::support::{Pipeline, order_of};

pub async fn a_declined_payment_cancels_the_order(pipeline: Pipeline) {
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1902).await;
    let order = expect_undone(&pipeline, &id, "payment-declined").await;
    assert_eq!(order["payment"]["status"], "FAILED");
    assert_eq!(order["payment"]["reason"], "card-declined");
    assert_eq!(order["inventory"]["status"], "RELEASED");
    assert_eq!(
        order["delivery"]["status"],
        json!(null),
        "a tombstone is no status"
    );
    pipeline.finish().await;
}

pub async fn an_order_too_large_for_the_stock_is_cancelled(pipeline: Pipeline) {
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 2, 1901).await;
    let order = expect_undone(&pipeline, &id, "out-of-stock").await;
    assert_eq!(
        order["inventory"],
        json!({"status": "REJECTED", "reason": "out-of-stock"})
    );
    assert_eq!(order["payment"]["status"], json!(null));
    pipeline.finish().await;
}

pub async fn a_delivery_that_fails_before_it_left_gives_money_and_stock_back(pipeline: Pipeline) {
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline.delivery_requested(&id).await;
    let failed = json!({"reason": "no driver"});
    pipeline.step(&id, "fail", failed).await.expect(200);
    let order = expect_undone(&pipeline, &id, "delivery-failed").await;
    assert_eq!(order["payment"]["status"], "VOIDED");
    assert_eq!(order["inventory"]["status"], "RELEASED");
    assert_eq!(order["delivery"]["status"], "FAILED");
    pipeline.finish().await;
}

pub async fn a_failed_delivery_gives_money_and_stock_back(pipeline: Pipeline) {
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline.delivery_requested(&id).await;
    pipeline.step(&id, "assign", assignment()).await.expect(200);
    pipeline.step(&id, "dispatch", json!({})).await.expect(200);
    pipeline.payment_in(&id, "CAPTURED").await;
    let failed = json!({"reason": "address not found"});
    pipeline.step(&id, "fail", failed).await.expect(200);
    let order = expect_undone(&pipeline, &id, "delivery-failed").await;
    assert_eq!(order["payment"]["status"], "REFUNDED");
    assert_eq!(order["inventory"]["status"], "RETURNED");
    assert_eq!(order["delivery"]["status"], "FAILED");
    pipeline.finish().await;
}

pub async fn an_order_that_takes_too_long_is_cancelled_and_its_late_payment_undone(
    pipeline: Pipeline,
) {
    warm_up(&pipeline).await;
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline.payment_in(&id, "UNDO_REQUESTED").await;
    let order = expect_undone(&pipeline, &id, "deadline").await;
    assert_eq!(order["payment"]["status"], "VOIDED");
    pipeline.finish().await;
}

pub async fn of_two_customers_who_race_for_the_last_unit_one_gets_it(pipeline: Pipeline) {
    pipeline.receive("sku-1", 1).await;
    let order = order_of("sku-1", 1, 1901);
    let (one, other) = tokio::join!(
        pipeline.post("/api/orders", order.clone()),
        pipeline.post("/api/orders", order.clone()),
    );
    let mut reasons = vec![];
    for placed in [one.expect(201), other.expect(201)] {
        let id = placed.body["orderId"].as_str().unwrap();
        reasons.push(over(&pipeline, id).await["cancelReason"].clone());
    }
    reasons.sort_by_key(Value::is_null);
    assert_eq!(reasons, [json!("out-of-stock"), json!(null)]);
    pipeline.caught_up().await;
    pipeline.expect_stock("sku-1", 0, 0).await;
    pipeline.finish().await;
}

pub async fn of_many_customers_who_race_for_the_last_units_as_many_win_as_there_are(
    pipeline: Pipeline,
) {
    pipeline.receive("sku-1", 7).await;
    let placing = (0..30).map(|_| pipeline.place("sku-1", 1, 1901));
    let ids = join_all(placing).await;
    let mut completed = 0;
    for id in &ids {
        match over(&pipeline, id).await["cancelReason"].as_str() {
            None => completed += 1,
            reason => assert_eq!(reason, Some("out-of-stock")),
        }
    }
    assert_eq!(completed, 7);
    for id in &ids {
        let settled = |order: &Value| order["inventory"]["status"] != "RESERVED";
        pipeline.order_until(id, settled).await;
    }
    pipeline.expect_stock("sku-1", 0, 0).await;
    pipeline.finish().await;
}

async fn over(pipeline: &Pipeline, id: &str) -> Value {
    let over = |order: &Value| order["status"] == "COMPLETED" || order["status"] == "CANCELLED";
    pipeline.order_until(id, over).await
}
