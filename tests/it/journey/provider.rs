//! The roads of an order whose money is at a provider behind HTTP.

mod unknown;

use domain::values::OrderId;
use infra::payment_provider::Operation;
use serde_json::Value;

use crate::support::provider::{Fault, KEY, Outcome, Reply, StubProvider, When};
use crate::support::{Fast, Pipeline, eventually};

async fn start() -> (StubProvider, Pipeline) {
    let provider = StubProvider::start().await;
    let pipeline = Pipeline::start_paying(Fast::default(), Some(provider.payment())).await;
    pipeline.receive("sku-1", 10).await;
    (provider, pipeline)
}

fn is_captured(order: &Value) -> bool {
    order["payment"]["status"] == "CAPTURED"
}

/// What was done with the money of an order, and with how much.
fn done(provider: &StubProvider, id: &str) -> Vec<(Operation, u64)> {
    let id: OrderId = id.parse().unwrap();
    let ledger = provider.ledger().into_iter();
    ledger
        .filter(|entry| entry.order == id)
        .map(|entry| (entry.operation, entry.amount.minor_units()))
        .collect()
}

/// What is done with the money of an order that is paid.
fn paid(amount: u64) -> [(Operation, u64); 2] {
    [(Operation::Authorize, amount), (Operation::Capture, amount)]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_paid_over_http_and_delivered() {
    let (provider, pipeline) = start().await;
    let id = pipeline.place("sku-1", 2, 1950).await;
    pipeline.order_in(&id, "COMPLETED").await;
    pipeline.order_until(&id, is_captured).await;
    assert_eq!(done(&provider, &id), paid(3900));
    assert_eq!(provider.requests().len(), 2);
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_payment_is_declined_over_http_is_cancelled() {
    let (provider, pipeline) = start().await;
    let declines = Fault::Decides(Outcome::Refused("card-expired"));
    provider.fail(Operation::Authorize, When::After, declines);
    let id = pipeline.place("sku-1", 1, 1950).await;
    let order = pipeline.order_in(&id, "CANCELLED").await;
    assert_eq!(order["payment"]["status"], "FAILED");
    assert_eq!(order["payment"]["reason"], "card-expired");
    assert_eq!(done(&provider, &id), []);
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_on_after_every_answer_about_its_money_was_lost_and_is_charged_once() {
    for fault in [
        Fault::Cut,
        Fault::Half,
        Fault::Silence,
        Fault::Instead(Reply::problem(500, "internal")),
    ] {
        let (provider, pipeline) = start().await;
        provider.fail(Operation::Authorize, When::After, fault.clone());
        provider.fail_asking(fault.clone());
        provider.fail(Operation::Capture, When::After, fault.clone());
        let id = pipeline.place("sku-1", 1, 1950).await;
        pipeline.order_in(&id, "COMPLETED").await;
        pipeline.order_until(&id, is_captured).await;
        assert_eq!(done(&provider, &id), paid(1950), "{fault:?}");
        pipeline.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_given_back_once_though_that_is_refused_and_its_answer_lost() {
    let provider = StubProvider::start().await;
    let by_hand = Fast {
        by_hand: true,
        ..Fast::default()
    };
    let pipeline = Pipeline::start_paying(by_hand, Some(provider.payment())).await;
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1950).await;
    let requested = |order: &Value| order["delivery"]["status"] == "REQUESTED";
    pipeline.order_until(&id, requested).await;
    let refuses = Fault::Decides(Outcome::Refused("try-later"));
    provider.fail(Operation::Void, When::After, refuses.clone());
    provider.fail(Operation::Void, When::After, refuses);
    provider.fail(Operation::Void, When::After, Fault::Cut);
    pipeline.cancel(&id, "changed my mind").await.expect(202);
    let order = pipeline.order_in(&id, "CANCELLED").await;
    assert_eq!(order["payment"]["status"], "VOIDED");
    assert_eq!(
        done(&provider, &id),
        [(Operation::Authorize, 1950), (Operation::Void, 1950)]
    );
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_after_the_order_was_cancelled_charges_nobody() {
    let held_and_let_go = [(Operation::Authorize, 1950), (Operation::Void, 1950)];
    for (outcome, status, money) in [
        (Outcome::Approved, "VOIDED", &held_and_let_go[..]),
        (Outcome::Refused("card-expired"), "FAILED", &[]),
    ] {
        let (provider, pipeline) = start().await;
        let undecided = Fault::Decides(Outcome::Pending);
        provider.fail(Operation::Authorize, When::After, undecided);
        let id = pipeline.place("sku-1", 1, 1950).await;
        pipeline.payment_in(&id, "REQUESTED").await;
        let asked = async || provider.requests().len();
        eventually(asked, |asked| *asked > 0).await;
        pipeline.cancel(&id, "too slow").await.expect(202);
        pipeline.payment_in(&id, "UNDO_REQUESTED").await;
        provider.decide(&format!("{id}:authorize"), outcome);
        pipeline.order_in(&id, "CANCELLED").await;
        let order = pipeline.payment_in(&id, status).await;
        assert_eq!(order["cancelReason"], "too slow");
        assert_eq!(done(&provider, &id), money);
        pipeline.expect_stock("sku-1", 10, 0).await;
        pipeline.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_wait_for_a_provider_that_is_down_and_go_on_when_it_is_back() {
    let (provider, pipeline) = start().await;
    provider.down();
    let mut orders = vec![];
    for _ in 0..5 {
        orders.push(pipeline.place("sku-1", 1, 1950).await);
    }
    // It is shown, and no order is given up.
    let troubled = |status: &Value| status["healthy"] == false;
    pipeline.status_until(troubled).await;
    for id in &orders {
        let order = pipeline.order(id).await;
        assert_eq!(order["payment"]["status"], "REQUESTED");
    }
    provider.up();
    for id in &orders {
        pipeline.order_in(id, "COMPLETED").await;
        pipeline.order_until(id, is_captured).await;
        assert_eq!(done(&provider, id), paid(1950));
    }
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_the_provider_rejects_waits_for_a_person_and_is_not_cancelled() {
    let (provider, pipeline) = start().await;
    provider.take_only("another-key");
    let id = pipeline.place("sku-1", 1, 1950).await;
    let troubled = |status: &Value| status["healthy"] == false;
    let status = pipeline.status_until(troubled).await.to_string();
    assert!(status.contains("401"), "{status}");
    assert!(!status.contains(KEY), "{status}");
    assert_eq!(pipeline.order(&id).await["payment"]["status"], "REQUESTED");
    provider.take_only(KEY);
    pipeline.order_in(&id, "COMPLETED").await;
    pipeline.order_until(&id, is_captured).await;
    assert_eq!(done(&provider, &id), paid(1950));
    pipeline.finish().await;
}
