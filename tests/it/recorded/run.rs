//! Plays every road of the process and records it. Not a test: `make record` runs it.

use std::collections::BTreeMap;

use domain::{Category, Service, StreamId};
use futures::future::join_all;
use infra::codec::{decode, encode};
use infra::config::Payment;
use infra::event_store::Append;
use infra::ids;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use waybill::tools::{DlqRequest, Outcome, Request, Select};

use super::files::{Line, Recording};
use super::views;
use crate::contract::parked_fact;
use crate::support::provider::StubProvider;
use crate::support::{Fast, Pipeline};

/// What orders are cancelled for, the customers' own reasons among them.
pub const REASONS: [&str; 7] = [
    "out-of-stock",
    "payment-declined",
    "delivery-failed",
    "deadline",
    "at once",
    "too slow",
    "moved house",
];
/// Why somebody settled a payment by hand.
pub const BY_HAND: &str = "settled at the provider";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes the folder of this version: make record"]
async fn record_the_logs_and_views_of_this_version() {
    let mut recording = Recording {
        logs: BTreeMap::new(),
        views: vec![],
    };
    let at_once = Fast::default();
    let by_hand = Fast {
        by_hand: true,
        ..Fast::default()
    };
    let slow = Fast {
        payment_delay_ms: 1500,
        ..by_hand.clone()
    };
    let overdue = Fast {
        payment_delay_ms: 3000,
        deadline_ms: 1500,
        ..Fast::default()
    };
    nobody_waits(&mut recording, Pipeline::start(at_once).await).await;
    people_deliver(&mut recording, Pipeline::start(by_hand.clone()).await).await;
    payments_take_long(&mut recording, Pipeline::start(slow).await).await;
    orders_take_too_long(&mut recording, Pipeline::start(overdue).await).await;
    let provider = StubProvider::start().await;
    let paid = Some(provider.payment());
    money_is_moved_by_hand(&mut recording, provider, by_hand, paid).await;

    let facts = recording.facts().unwrap();
    let read: Vec<_> = facts.iter().map(|fact| decode(fact).unwrap()).collect();
    recording.views = views::folded(&read);
    recording.write();
    println!("{} facts", facts.len());
}

/// Some orders of one kind.
async fn placed(pipeline: &Pipeline, count: usize, sku: &str, price: u64) -> Vec<String> {
    join_all((0..count).map(|_| pipeline.place(sku, 1, price))).await
}

async fn nobody_waits(recording: &mut Recording, pipeline: Pipeline) {
    pipeline.receive("sku-1", 40).await;
    let completed = placed(&pipeline, 10, "sku-1", 1901).await;
    let asked_again = placed(&pipeline, 2, "sku-1", 1903).await;
    let uncaptured = placed(&pipeline, 3, "sku-1", 1904).await;
    for id in completed.iter().chain(&asked_again).chain(&uncaptured) {
        pipeline.order_in(id, "COMPLETED").await;
    }
    for id in &uncaptured {
        pipeline.payment_in(id, "CAPTURE_FAILED").await;
    }
    let declined = placed(&pipeline, 5, "sku-1", 1902).await;
    let sold_out = placed(&pipeline, 5, "sku-2", 1901).await;
    for id in declined.iter().chain(&sold_out) {
        pipeline.order_in(id, "CANCELLED").await;
    }
    ended(recording, pipeline, true).await;
}

async fn people_deliver(recording: &mut Recording, pipeline: Pipeline) {
    let stock = "sku-3";
    pipeline.receive(stock, 60).await;
    // Before anybody has heard of it: the undoings find nothing to undo.
    for _ in 0..5 {
        let order = crate::support::order_of(stock, 1, 1901);
        let placed = pipeline.post("/api/orders", order).await.expect(201);
        let id = placed.body["orderId"].as_str().unwrap().to_owned();
        pipeline.cancel(&id, "at once").await.expect(202);
        pipeline.order_in(&id, "CANCELLED").await;
    }
    let requested = placed(&pipeline, 30, stock, 1901).await;
    undone_before_it_is_done(&pipeline, &requested[0]).await;
    for id in &requested {
        pipeline.delivery_requested(id).await;
    }
    let mut groups = requested.chunks(5);
    let mut group = || groups.next().unwrap();
    for id in group() {
        let failed = json!({"reason": "no driver"});
        pipeline.step(id, "fail", failed).await.expect(200);
        pipeline.order_in(id, "CANCELLED").await;
    }
    for id in group() {
        pipeline.cancel(id, "found it cheaper").await.expect(202);
        pipeline.order_in(id, "CANCELLED").await;
    }
    for id in group() {
        assign(&pipeline, id).await;
        pipeline.cancel(id, "moved house").await.expect(202);
        pipeline.order_in(id, "CANCELLED").await;
    }
    for id in group() {
        dispatch(&pipeline, id).await;
        pipeline.payment_in(id, "CAPTURED").await;
        let failed = json!({"reason": "address not found"});
        pipeline.step(id, "fail", failed).await.expect(200);
        pipeline.order_in(id, "CANCELLED").await;
    }
    for id in group() {
        dispatch(&pipeline, id).await;
        pipeline.cancel(id, "too late").await.expect(202);
        let refused = |order: &Value| order["versions"]["order"] == 3;
        pipeline.order_until(id, refused).await;
        pipeline.step(id, "deliver", json!({})).await.expect(200);
        pipeline.order_in(id, "COMPLETED").await;
    }
    for id in group() {
        assign(&pipeline, id).await;
        let later = json!({"estimatedDeliveryTime": "2030-01-31T12:30:00Z"});
        pipeline.step(id, "eta", later).await.expect(200);
        pipeline.step(id, "dispatch", json!({})).await.expect(200);
        pipeline.step(id, "deliver", json!({})).await.expect(200);
        pipeline.order_in(id, "COMPLETED").await;
    }
    ended(recording, pipeline, false).await;
}

async fn payments_take_long(recording: &mut Recording, pipeline: Pipeline) {
    pipeline.receive("sku-4", 5).await;
    let ids = placed(&pipeline, 3, "sku-4", 1901).await;
    for id in &ids {
        pipeline.payment_in(id, "REQUESTED").await;
        pipeline.cancel(id, "too slow").await.expect(202);
    }
    for id in &ids {
        pipeline.order_in(id, "CANCELLED").await;
    }
    ended(recording, pipeline, false).await;
}

async fn orders_take_too_long(recording: &mut Recording, pipeline: Pipeline) {
    pipeline.receive("sku-5", 5).await;
    for id in placed(&pipeline, 3, "sku-5", 1901).await {
        pipeline.order_in(&id, "CANCELLED").await;
    }
    ended(recording, pipeline, false).await;
}

async fn money_is_moved_by_hand(
    recording: &mut Recording,
    provider: StubProvider,
    fast: Fast,
    payment: Option<Payment>,
) {
    let pipeline = Pipeline::start_paying(fast, payment).await;
    pipeline.receive("sku-6", 5).await;
    let ids = placed(&pipeline, 2, "sku-6", 1950).await;
    for id in &ids {
        pipeline.delivery_requested(id).await;
    }
    dispatch(&pipeline, &ids[1]).await;
    pipeline.payment_in(&ids[1], "CAPTURED").await;
    provider.down();
    pipeline.cancel(&ids[0], "moved house").await.expect(202);
    let failed = json!({"reason": "address not found"});
    pipeline.step(&ids[1], "fail", failed).await.expect(200);
    let outcomes = [
        ("VOID_REQUESTED", Outcome::Voided),
        ("REFUND_REQUESTED", Outcome::Refunded),
    ];
    for (id, (status, outcome)) in ids.iter().zip(outcomes) {
        pipeline.payment_in(id, status).await;
        let request = Request::Settle {
            order: id.parse().unwrap(),
            outcome,
            reason: BY_HAND.to_owned().try_into().unwrap(),
        };
        pipeline.ask(request).await.unwrap();
        pipeline.order_in(id, "CANCELLED").await;
    }
    provider.up();
    ended(recording, pipeline, false).await;
}

/// An order of which the inventory hears for the first time when it is to be undone: what it could
/// have heard before waits behind a dead letter.
async fn undone_before_it_is_done(pipeline: &Pipeline, like: &str) {
    let orders = pipeline.store(Service::Order);
    let like = StreamId::of(Category::Order, like.parse().unwrap());
    let created = orders.read_stream(&like, 0, 1).await.unwrap();
    let id = ids::order();
    let stream = StreamId::of(Category::Order, id);
    let mut recorded = decode(&created[0]).unwrap();
    recorded.correlation = id.to_string();
    recorded.id = stream.fact(1);
    let inventory = pipeline.store(Service::Inventory);
    let blocks = parked_fact("inventory", Service::Order, &id.to_string(), 0);
    let class = blocks.class.clone();
    inventory.park(blocks).await.unwrap();
    let request = Append {
        expect: vec![(stream, 0)],
        facts: vec![encode(&recorded, ids::unique())],
        ..Append::default()
    };
    orders.append(request).await.unwrap();
    let id = id.to_string();
    pipeline.cancel(&id, "at once").await.expect(202);
    pipeline.order_in(&id, "CANCELLED").await;
    let discard = DlqRequest::Discard {
        select: Select {
            class: Some(class),
            ..Select::default()
        },
        reason: "it is of no use".to_owned().try_into().unwrap(),
        dry_run: false,
    };
    pipeline.ask(Request::Dlq(discard)).await.unwrap();
    pipeline
        .status_until(|status| status["healthy"] == true)
        .await;
}

async fn assign(pipeline: &Pipeline, id: &str) {
    let assignment =
        json!({"driverName": "Driver Ash", "estimatedDeliveryTime": "2030-01-31T12:00:00Z"});
    pipeline.step(id, "assign", assignment).await.expect(200);
}

async fn dispatch(pipeline: &Pipeline, id: &str) {
    assign(pipeline, id).await;
    pipeline.step(id, "dispatch", json!({})).await.expect(200);
}

/// Takes what a pipeline has in its logs; with `old`, in the versions before today's where there
/// are such, as a log has them that is older than this version.
async fn ended(recording: &mut Recording, pipeline: Pipeline, old: bool) {
    pipeline.caught_up().await;
    for service in Service::ALL {
        let facts = pipeline.store(service).read_log(0, usize::MAX).await;
        let facts = facts.unwrap();
        let lines = facts.iter().map(|fact| {
            let mut line = Line::of(fact);
            if old {
                as_before(&mut line);
            }
            serde_json::to_string(&line).unwrap()
        });
        recording.logs.entry(service).or_default().extend(lines);
    }
    pipeline.finish().await;
}

/// The first version of an assignment had the driver's name, where the second has the driver.
fn as_before(line: &mut Line) {
    if line.name == "delivery.assigned" && line.version == "2" {
        let mut payload: Value = serde_json::from_str(line.payload.get()).unwrap();
        let name = payload["driver"]["name"].take();
        let fields = payload.as_object_mut().unwrap();
        fields.remove("driver");
        fields.insert("driverName".to_owned(), name);
        line.payload = to_raw_value(&payload).unwrap();
        line.version = "1".to_owned();
    }
}
