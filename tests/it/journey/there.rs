//! Orders that are delivered, and what people see and do on the way.

use serde_json::{Value, json};

use super::expect_undone;
use crate::support::Pipeline;

pub async fn an_order_is_reserved_paid_delivered_and_completed(pipeline: Pipeline) {
    pipeline.receive("sku-1", 10).await;
    let id = pipeline.place("sku-1", 3, 1967).await; // totals 5901
    pipeline.order_in(&id, "COMPLETED").await;
    // The capture is answered beside the delivery, and the stock moves beside both.
    let captured = |order: &Value| order["payment"]["status"] == "CAPTURED";
    pipeline.order_until(&id, captured).await;
    pipeline.caught_up().await;
    let order = pipeline.order(&id).await;
    assert_eq!(order["totalAmount"], 5901);
    assert_eq!(order["currency"], "EUR");
    assert_eq!(order["customerId"], "customer-7");
    assert_eq!(
        order["items"],
        json!([{"sku": "sku-1", "quantity": 3, "unitPrice": 1967}])
    );
    assert_eq!(order["cancelReason"], json!(null));
    assert_eq!(order["delivery"]["status"], "DELIVERED");
    assert!(order["delivery"]["driverName"].is_string());
    assert!(order["delivery"]["estimatedDeliveryTime"].is_string());
    pipeline
        .order_until(&id, |order| order["inventory"]["status"] == "SHIPPED")
        .await;
    pipeline.expect_stock("sku-1", 7, 0).await;
    pipeline.finish().await;
}

pub async fn a_provider_that_times_out_is_asked_again_and_charges_once(pipeline: Pipeline) {
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1903).await;
    let order = pipeline.payment_in(&id, "CAPTURED").await;
    assert_eq!(
        order["versions"]["payment"], 4,
        "requested, authorized, capture, captured"
    );
    pipeline.order_in(&id, "COMPLETED").await;
    pipeline.finish().await;
}

pub async fn a_refused_capture_does_not_stop_the_delivery(pipeline: Pipeline) {
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1904).await;
    pipeline.order_in(&id, "COMPLETED").await;
    pipeline.payment_in(&id, "CAPTURE_FAILED").await;
    assert_eq!(
        pipeline.order(&id).await["payment"]["reason"],
        "capture-refused"
    );
    pipeline.finish().await;
}

pub async fn people_can_drive_a_delivery_over_http(pipeline: Pipeline) {
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    let early = pipeline.step(&id, "dispatch", json!({})).await;
    if early.status == 404 {
        early.expect_problem(404, "unknown-delivery", None);
    }
    pipeline.delivery_requested(&id).await;
    let eta = "2030-01-31T12:00:00.000000Z";
    let assign = json!({"driverName": "Driver Ash", "estimatedDeliveryTime": eta});
    let assigned = pipeline
        .step(&id, "assign", assign.clone())
        .await
        .expect(200);
    assert_eq!(assigned.body["status"], "ASSIGNED");
    assert_eq!(assigned.body["version"], 2);
    let again = pipeline.step(&id, "assign", assign).await.expect(200);
    assert_eq!(
        again.body, assigned.body,
        "a repeat with the same values changes nothing"
    );
    let other = json!({"driverName": "Driver Oak", "estimatedDeliveryTime": eta});
    let other = pipeline.step(&id, "assign", other).await;
    other.expect_problem(409, "another-driver", None);
    let too_soon = pipeline.step(&id, "deliver", json!({})).await;
    too_soon.expect_problem(409, "step-not-allowed", None);

    let later = "2030-01-31T12:30:00.000000Z";
    let moved = json!({ "estimatedDeliveryTime": later });
    let moved = pipeline.step(&id, "eta", moved).await.expect(200);
    let shown = pipeline
        .get(&format!("/api/orders/{id}?after={}", moved.token()))
        .await;
    assert_eq!(shown.body["delivery"]["estimatedDeliveryTime"], later);
    assert_eq!(
        shown.body["delivery"]["status"], "ASSIGNED",
        "moving the time is no step"
    );

    pipeline.step(&id, "dispatch", json!({})).await.expect(200);
    pipeline.order_in(&id, "DISPATCHED").await;
    pipeline.step(&id, "deliver", json!({})).await.expect(200);
    pipeline.order_in(&id, "COMPLETED").await;
    let over = pipeline
        .step(&id, "fail", json!({"reason": "too late"}))
        .await;
    over.expect_problem(409, "step-not-allowed", None);
    pipeline.finish().await;
}

pub async fn explain_names_the_awaited_step(pipeline: Pipeline) {
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline.delivery_requested(&id).await;
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
