use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{Fast, Pipeline};

async fn by_hand() -> Pipeline {
    let fast = Fast {
        by_hand: true,
        ..Fast::default()
    };
    let pipeline = Pipeline::start(fast).await;
    pipeline.receive("sku-1", 1).await;
    pipeline
}

/// Nothing is held of the one unit that there was.
async fn expect_undone(pipeline: &Pipeline, id: &str, reason: &str) -> Value {
    pipeline.order_in(id, "CANCELLED").await;
    // The facts of one stream may be shown a moment before those of another.
    pipeline.caught_up().await;
    let order = pipeline.order(id).await;
    assert_eq!(order["cancelReason"], reason);
    pipeline.expect_stock("sku-1", 1, 0).await;
    order
}

fn assignment() -> Value {
    json!({"driverName": "Driver Ash", "estimatedDeliveryTime": "2030-01-31T12:00:00Z"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_payment_cancels_the_order() {
    let pipeline = Pipeline::start(Fast::default()).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn an_order_too_large_for_the_stock_is_cancelled() {
    let pipeline = Pipeline::start(Fast::default()).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_delivery_gives_money_and_stock_back() {
    let pipeline = by_hand().await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline
        .order_until(&id, |order| order["delivery"]["status"] == "REQUESTED")
        .await;
    pipeline.step(&id, "assign", assignment()).await.expect(200);
    pipeline.step(&id, "dispatch", json!({})).await.expect(200);
    pipeline
        .order_until(&id, |order| order["payment"]["status"] == "CAPTURED")
        .await;
    let failed = json!({"reason": "address not found"});
    pipeline.step(&id, "fail", failed).await.expect(200);
    let order = expect_undone(&pipeline, &id, "delivery-failed").await;
    assert_eq!(order["payment"]["status"], "REFUNDED");
    assert_eq!(order["inventory"]["status"], "RETURNED");
    assert_eq!(order["delivery"]["status"], "FAILED");
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_takes_too_long_is_cancelled_and_its_late_payment_undone() {
    let pipeline = Pipeline::start(Fast {
        payment_delay_ms: 700,
        deadline_ms: 100,
        ..Fast::default()
    })
    .await;
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline
        .order_until(&id, |order| order["payment"]["status"] == "UNDO_REQUESTED")
        .await;
    let order = expect_undone(&pipeline, &id, "deadline").await;
    assert_eq!(order["payment"]["status"], "VOIDED");
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_cancelled_at_once_after_it_was_placed() {
    let pipeline = by_hand().await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    let asked = pipeline.cancel(&id, "changed my mind").await.expect(202);
    assert_eq!(asked.body["status"], "CANCELLING");
    expect_undone(&pipeline, &id, "changed my mind").await;
    let again = pipeline.cancel(&id, "really").await.expect(202);
    assert_eq!(
        again.body["status"], "CANCELLED",
        "asked for again, nothing is appended"
    );
    assert_eq!(again.token(), format!("order-{id}-3"));
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_cancelled_while_its_payment_is_asked_for() {
    let pipeline = Pipeline::start(Fast {
        by_hand: true,
        payment_delay_ms: 500,
        ..Fast::default()
    })
    .await;
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline
        .order_until(&id, |order| order["payment"]["status"] == "REQUESTED")
        .await;
    pipeline.cancel(&id, "too slow").await.expect(202);
    let order = expect_undone(&pipeline, &id, "too slow").await;
    assert_eq!(
        order["payment"]["status"], "VOIDED",
        "what was authorized late is voided"
    );
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_cancelled_before_a_driver_is_assigned() {
    let pipeline = by_hand().await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline
        .order_until(&id, |order| order["delivery"]["status"] == "REQUESTED")
        .await;
    pipeline.cancel(&id, "found it cheaper").await.expect(202);
    let order = expect_undone(&pipeline, &id, "found it cheaper").await;
    assert_eq!(order["payment"]["status"], "VOIDED");
    assert_eq!(order["delivery"]["status"], "CANCELLED");
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_cancelled_before_its_delivery_leaves() {
    let pipeline = by_hand().await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline
        .order_until(&id, |order| order["delivery"]["status"] == "REQUESTED")
        .await;
    pipeline.step(&id, "assign", assignment()).await.expect(200);
    pipeline.cancel(&id, "moved house").await.expect(202);
    expect_undone(&pipeline, &id, "moved house").await;
    let late = pipeline.step(&id, "dispatch", json!({})).await;
    late.expect_problem(409, "delivery-cancelled", None);
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_delivery_has_left_is_not_cancelled() {
    let pipeline = by_hand().await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline
        .order_until(&id, |order| order["delivery"]["status"] == "REQUESTED")
        .await;
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

#[tokio::test(flavor = "multi_thread")]
async fn of_many_customers_who_race_for_the_last_units_as_many_win_as_there_are() {
    let pipeline = Pipeline::start(Fast::default()).await;
    pipeline.receive("sku-1", 7).await;
    let placing = (0..30).map(|_| pipeline.place("sku-1", 1, 1901));
    let ids = join_all(placing).await;
    let mut completed = 0;
    for id in &ids {
        let over = |order: &Value| order["status"] == "COMPLETED" || order["status"] == "CANCELLED";
        let order = pipeline.order_until(id, over).await;
        match order["cancelReason"].as_str() {
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

#[tokio::test(flavor = "multi_thread")]
async fn explain_names_the_awaited_step() {
    let pipeline = by_hand().await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline
        .order_until(&id, |order| order["delivery"]["status"] == "REQUESTED")
        .await;
    let waiting = pipeline.explain(&id).await;
    assert_eq!(
        waiting["awaited"]["step"],
        "the courier is to assign a driver"
    );
    assert_eq!(waiting["over"], false);
    pipeline.cancel(&id, "enough").await.expect(202);
    expect_undone(&pipeline, &id, "enough").await;
    let over = pipeline.explain(&id).await;
    assert_eq!(
        (&over["over"], &over["awaited"]),
        (&json!(true), &json!(null))
    );
    pipeline.finish().await;
}
