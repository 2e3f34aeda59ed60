//! The tools on a pipeline that runs: whole orders, from what broke to their ends.

use domain::values::OrderId;
use domain::{Service, Task};
use serde_json::{Value, json};
use waybill::tools::{DlqRequest, Request, Select, ToolError};

use super::broken::deliver_unreadably;
use crate::support::{Fast, Pipeline, eventually};

/// Everybody who takes the facts of deliveries.
pub const GROUPS: [&str; 6] = [
    "order",
    "order_view-g1",
    "orders_by_customer-g1",
    "order_timeline-g1",
    "inventory",
    "payment",
];

fn of(id: &str) -> Select {
    Select {
        ids: vec![id.to_owned()],
        ..Select::default()
    }
}

async fn list(pipeline: &Pipeline, select: Select, ended: bool) -> Vec<Value> {
    let request = Request::Dlq(DlqRequest::List { select, ended });
    let mut listed = pipeline.ask(request).await.unwrap();
    serde_json::from_value(listed["letters"].take()).unwrap()
}

async fn redrive(
    pipeline: &Pipeline,
    select: Select,
    replacement: Option<&str>,
) -> Result<Value, ToolError> {
    let request = DlqRequest::Redrive {
        select,
        replacement: replacement.map(str::to_owned),
        reason: Some("by phone".to_owned().try_into().unwrap()),
        dry_run: false,
    };
    pipeline.ask(Request::Dlq(request)).await
}

/// Waits until the letters of a fact are as `enough` wants them.
async fn letters(
    pipeline: &Pipeline,
    select: &Select,
    enough: impl Fn(&Vec<Value>) -> bool,
) -> Vec<Value> {
    eventually(|| list(pipeline, select.clone(), false), enough).await
}

async fn dispatched(pipeline: &Pipeline) -> String {
    pipeline.receive("sku-1", 10).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline
        .order_until(&id, |order| order["delivery"]["status"] == "REQUESTED")
        .await;
    let assignment = json!({
        "driverName": "Ada", "estimatedDeliveryTime": "2026-01-01T10:00:00Z"
    });
    pipeline.step(&id, "assign", assignment).await.expect(200);
    pipeline.step(&id, "dispatch", json!({})).await.expect(200);
    let settled = |order: &Value| {
        order["payment"]["status"] == "CAPTURED" && order["inventory"]["status"] == "SHIPPED"
    };
    pipeline.order_until(&id, settled).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_fact_is_replaced_goes_to_its_end() {
    let fast = Fast {
        by_hand: true,
        ..Fast::default()
    };
    let pipeline = Pipeline::start(fast).await;
    let id = dispatched(&pipeline).await;
    let delivery = pipeline.store(Service::Delivery).as_ref();
    let (fact, payload) = deliver_unreadably(delivery, &id).await;

    let order: OrderId = id.parse().unwrap();
    let of_order = Select {
        order: Some(order),
        class: Some("undecodable".to_owned()),
        ..Select::default()
    };
    let parked = letters(&pipeline, &of_order, |parked| parked.len() == GROUPS.len()).await;
    for group in GROUPS {
        assert!(parked.iter().any(|letter| letter["group"] == group));
    }
    let explained = pipeline.explain(&id).await;
    let help = explained["unblock"].as_str().unwrap();
    assert!(help.contains(&format!("waybill dlq redrive --order {id}")));
    assert_eq!(explained["unreadable"].as_array().unwrap().len(), 1);
    let request = DlqRequest::Show { id: fact.clone() };
    let shown = pipeline.ask(Request::Dlq(request)).await.unwrap();
    assert_eq!(
        shown["record"]["payload"],
        r#"{"type":"delivery.delivered"}"#
    );
    let holds = shown["holds"].to_string();
    assert!(holds.contains("a delivery is dispatched"), "{holds}");
    assert!(holds.contains("the provider took 1901 EUR"), "{holds}");

    // As it is it fails again.
    redrive(&pipeline, of(&fact), None).await.unwrap();
    let failed_again = |parked: &Vec<Value>| {
        let mut letters = parked.iter();
        letters.all(|letter| letter["state"] == "stuck" && letter["attempts"] == 2)
    };
    letters(&pipeline, &of_order, failed_again).await;

    // What cannot stand in for it changes nothing.
    for (bad, says) in [
        ("[]", "no JSON object"),
        ("{", "no JSON"),
        ("{}", "no field `type`"),
        (r#"{"type":"delivery.beamed"}"#, "no fact's name"),
        (
            r#"{"type":"delivery.delivered"}"#,
            "missing field `deliveryId`",
        ),
        (
            &payload.replace("delivered", "dispatched"),
            "is delivery.delivered",
        ),
    ] {
        let refused = redrive(&pipeline, of(&fact), Some(bad)).await.unwrap_err();
        assert_eq!(refused.code, "bad-replacement");
        assert!(refused.message.contains(says), "{refused}");
    }
    assert!(failed_again(
        &list(&pipeline, of_order.clone(), false).await
    ));

    let asked = redrive(&pipeline, of(&fact), Some(&payload)).await.unwrap();
    assert_eq!(asked["asked"].as_array().unwrap().len(), GROUPS.len());
    letters(&pipeline, &of_order, Vec::is_empty).await;
    pipeline.order_in(&id, "COMPLETED").await;
    pipeline
        .order_until(&id, |order| order["delivery"]["status"] == "DELIVERED")
        .await;
    let ended = list(&pipeline, of_order, true).await;
    assert_eq!(ended.len(), GROUPS.len());
    for letter in ended {
        assert_eq!(letter["state"], "redriven");
        assert_eq!(letter["ended"]["reason"], "by phone");
    }
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_was_parked_runs_again_and_cannot_be_given_up() {
    let fast = Fast {
        by_hand: true,
        payment_delay_ms: 2_000,
        deadline_ms: 3_600_000,
        ..Fast::default()
    };
    let pipeline = Pipeline::start(fast).await;
    pipeline.receive("sku-1", 10).await;
    let id = pipeline.place("sku-1", 2, 1901).await;
    let order: OrderId = id.parse().unwrap();
    let store = pipeline.store(Service::Delivery);
    let tasks = || async { store.due_of(order).await.unwrap() };
    let mut task = eventually(tasks, |tasks| tasks.len() == 1).await.remove(0);
    assert_eq!(task.task, Task::Deadline);
    task.parked = true;
    task.problem = Some("the clock struck thirteen".to_owned());
    store.put_back(&task).await.unwrap();

    let of_tasks = Select {
        class: Some("task".to_owned()),
        reason: Some("thirteen".to_owned()),
        ..Select::default()
    };
    let parked = list(&pipeline, of_tasks, false).await;
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0]["id"], format!("{id}:deadline"));
    let discard = DlqRequest::Discard {
        select: of(&task.id()),
        reason: "never mind".to_owned().try_into().unwrap(),
        dry_run: false,
    };
    let discarded = pipeline.ask(Request::Dlq(discard)).await.unwrap();
    let why = discarded["skipped"][0]["why"].as_str().unwrap();
    assert!(why.contains("mend what fails, and redrive it"), "{why}");
    assert!(store.due_of(order).await.unwrap()[0].parked);

    redrive(&pipeline, of(&task.id()), None).await.unwrap();
    pipeline.order_in(&id, "CANCELLED").await;
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_or_a_group_that_is_none_is_named_and_nothing_is_done() {
    let pipeline = Pipeline::start(Fast::default()).await;
    for id in [
        "7",
        "order-x",
        "order/payment/key/0/7",
        "nobody/order/key/0/7",
    ] {
        let refused = redrive(&pipeline, of(id), None).await.unwrap_err();
        assert_eq!(refused.code, "unknown-dead-letter");
        assert!(refused.message.contains(id), "{refused}");
    }
    let select = Select {
        group: Some("nobody".to_owned()),
        ..Select::default()
    };
    let refused = redrive(&pipeline, select, None).await.unwrap_err();
    assert_eq!(refused.code, "unknown-group");
    pipeline.finish().await;
}
