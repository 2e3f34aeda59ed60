//! `GET /api/orders/{id}?at=`: the order as it was.

use serde_json::{Value, json};

use crate::support::{Fast, Pipeline};

/// A time as it stands in a URL, so many microseconds later.
fn moved(time: &Value, micros: i64) -> String {
    let time: domain::values::Timestamp = time.as_str().unwrap().parse().unwrap();
    domain::values::Timestamp::from_micros(time.as_micros() + micros).to_string()
}

async fn at(pipeline: &Pipeline, id: &str, time: &str) -> Value {
    let then = pipeline.get(&format!("/api/orders/{id}?at={time}")).await;
    then.expect(200).body
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_shown_as_it_was_at_every_step_of_its_life() {
    let pipeline = Pipeline::start(Fast {
        by_hand: true,
        ..Fast::default()
    })
    .await;
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    let eta = json!({"estimatedDeliveryTime": "2030-01-31T12:30:00Z"});
    let assign = json!({"driverName": "Ada", "estimatedDeliveryTime": "2030-01-31T12:00:00Z"});
    let steps = [
        None,
        Some(("assign", assign)),
        Some(("eta", eta)),
        Some(("dispatch", json!({}))),
        Some(("deliver", json!({}))),
    ];
    let settled = [
        json!({"delivery": "REQUESTED", "payment": "AUTHORIZED", "inventory": "RESERVED"}),
        json!({"delivery": "ASSIGNED", "payment": "AUTHORIZED", "inventory": "RESERVED"}),
        json!({"delivery": "ASSIGNED", "payment": "AUTHORIZED", "inventory": "RESERVED"}),
        json!({"delivery": "DISPATCHED", "payment": "CAPTURED", "inventory": "SHIPPED"}),
        json!({"delivery": "DELIVERED", "payment": "CAPTURED", "inventory": "SHIPPED"}),
    ];
    let mut shown: Vec<Value> = vec![];
    for (step, settled) in steps.into_iter().zip(settled) {
        if let Some((step, body)) = step {
            pipeline.step(&id, step, body).await.expect(200);
        }
        let before = shown.len() as u64;
        let quiet = |order: &Value| {
            let streams = settled.as_object().unwrap().iter();
            let all = |(stream, status): (&String, &Value)| order[stream]["status"] == *status;
            let over = before < 4 || order["status"] == "COMPLETED";
            let seen = order["versions"]["delivery"].as_u64() == Some(before + 1);
            streams.into_iter().all(all) && over && seen
        };
        shown.push(pipeline.order_until(&id, quiet).await);
    }
    pipeline.caught_up().await;

    for (step, then) in shown.iter().enumerate() {
        let time = then["updatedAt"].as_str().unwrap();
        assert_eq!(at(&pipeline, &id, time).await, *then, "after step {step}");
        // Until the next fact nothing changes; right before the last one it was something else.
        let later = shown.get(step + 1);
        let just_after = at(&pipeline, &id, &moved(&then["updatedAt"], 1)).await;
        assert!(just_after == *then || later.is_some());
        let just_before = at(&pipeline, &id, &moved(&then["updatedAt"], -1)).await;
        assert_ne!(just_before, *then, "before step {step}");
    }
    let now = shown.last().unwrap();
    assert_eq!(at(&pipeline, &id, "9999-12-31T23:59:59Z").await, *now);
    let placed = at(&pipeline, &id, now["createdAt"].as_str().unwrap()).await;
    assert_eq!(placed["status"], "CREATED");
    assert_eq!(placed["versions"]["order"], 1);
    assert_eq!(placed["inventory"]["status"], json!(null));
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_was_placed_there_was_no_order() {
    let pipeline = Pipeline::start(Fast::default()).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    let order = pipeline.order_in(&id, "CANCELLED").await;
    pipeline.caught_up().await;
    for time in [
        moved(&order["createdAt"], -1),
        "0001-01-01T00:00:00Z".to_owned(),
    ] {
        let path = format!("/api/orders/{id}?at={time}");
        let none = pipeline.get(&path).await;
        none.expect_problem(404, "unknown-order", None);
    }
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    let path = format!("/api/orders/{nobody}?at=2030-01-01T00:00:00Z");
    let none = pipeline.get(&path).await;
    none.expect_problem(404, "unknown-order", None);
    for time in ["", "yesterday", "2026-01-31", "1767225600"] {
        let wrong = pipeline.get(&format!("/api/orders/{id}?at={time}")).await;
        wrong.expect_problem(400, "invalid-field", Some("at"));
    }
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_a_time_waits_for_what_the_command_did() {
    let pipeline = Pipeline::start(Fast {
        by_hand: true,
        fresh_wait_ms: Some(2_000),
        ..Fast::default()
    })
    .await;
    pipeline.receive("sku-1", 10).await;
    for _ in 0..10 {
        let id = pipeline.place("sku-1", 1, 1901).await;
        let now = "9999-12-31T23:59:59Z";
        let asked = pipeline.cancel(&id, "never mind").await;
        let path = format!("/api/orders/{id}?at={now}&after={}", asked.token());
        let then = pipeline.get(&path).await.expect(200);
        assert!(then.body["versions"]["order"].as_u64() >= Some(2));
        // What it has seen is shown only where it had happened by then.
        let placed = then.body["createdAt"].as_str().unwrap();
        let path = format!("/api/orders/{id}?at={placed}&after={}", asked.token());
        let then = pipeline.get(&path).await.expect(200);
        assert_eq!(then.body["versions"]["order"], 1);
        pipeline.order_in(&id, "CANCELLED").await;
    }
    let id = pipeline.place("sku-1", 1, 1901).await;
    let path = format!("/api/orders/{id}?at=9999-12-31T23:59:59Z&after=order-{id}-99");
    let not_yet = pipeline.get(&path).await.expect(202);
    assert_eq!(not_yet.body["seen"], 1);
    pipeline.finish().await;
}
