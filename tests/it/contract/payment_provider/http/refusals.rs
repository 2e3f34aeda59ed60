//! What is a no, and what is none.

use infra::payment_provider::{Answer, HttpProvider, PaymentProvider};
use serde_json::{Value, json};

use super::{
    ALL, Call, Operation, again, assert_rejected, assert_unknown, call, methods, once, reason_of,
};
use crate::support::provider::{Fault, Outcome, Reply, StubProvider, When};

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_blames_the_request_is_never_a_decline() {
    for status in [
        301, 302, 307, 400, 401, 402, 403, 404, 405, 409, 410, 415, 422, 451,
    ] {
        for operation in ALL {
            let server = StubProvider::start().await;
            let provider = server.adapter();
            let call = call(operation);
            let elsewhere = Reply::problem(status, "some-reason").with("location", server.url());
            server.fail(operation, When::Before, Fault::Instead(elsewhere));
            let told = assert_rejected(provider.call(&call).await);
            assert!(told.contains(&status.to_string()), "{told}");
            assert!(told.contains("some-reason"), "{told}");
            assert_eq!(methods(&server), ["POST"], "no redirect is followed");
            // Whatever it was is mended, and the task goes on.
            assert_eq!(provider.call(&again(&call)).await, Ok(Answer::Done));
            assert_eq!(server.ledger(), once(&call));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_rejected_and_told_nowhere() {
    let server = StubProvider::start().await;
    let place = server.place().with_key("not-the-key").unwrap();
    let provider = HttpProvider::new(place).unwrap();
    let told = assert_rejected(provider.call(&call(Operation::Authorize)).await);
    assert!(told.contains("401"), "{told}");
    assert!(!told.contains("not-the-key"), "{told}");
    // One that repeats in its answer what it was shown.
    let echo = Reply::problem(403, "Bearer not-the-key");
    server.fail(Operation::Void, When::After, Fault::Instead(echo));
    let told = assert_rejected(provider.call(&call(Operation::Void)).await);
    assert!(!told.contains("not-the-key"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_with_another_amount_is_rejected() {
    let server = StubProvider::start().await;
    let provider = server.adapter();
    let first = call(Operation::Authorize);
    assert_eq!(provider.call(&first).await, Ok(Answer::Done));
    let other = Call {
        amount: 1.try_into().unwrap(),
        ..first.clone()
    };
    let told = assert_rejected(provider.call(&other).await);
    assert!(told.contains("409"), "{told}");
    let told = assert_rejected(provider.call(&again(&other)).await);
    assert!(told.contains("5901 EUR instead of 1 EUR"), "{told}");
    assert_eq!(server.ledger(), once(&first));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pending_is_asked_for_until_it_is_decided() {
    for outcome in [Outcome::Approved, Outcome::Refused("card-declined")] {
        let server = StubProvider::start().await;
        let provider = server.adapter();
        let call = call(Operation::Authorize);
        let pending = Fault::Decides(Outcome::Pending);
        server.fail(call.operation, When::After, pending);
        assert_unknown(provider.call(&call).await);
        for _ in 0..3 {
            assert_unknown(provider.call(&again(&call)).await);
        }
        server.decide(&call.key(), outcome.clone());
        let answer = provider.call(&again(&call)).await;
        assert_eq!(answer == Ok(Answer::Done), outcome == Outcome::Approved);
        assert_eq!(methods(&server), ["POST", "GET", "GET", "GET", "GET"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_to_give_money_back_is_asked_for_anew_and_other_refusals_are_final() {
    for operation in ALL {
        let server = StubProvider::start().await;
        let provider = server.adapter();
        let call = call(operation);
        let refuses = Fault::Decides(Outcome::Refused("not-now"));
        server.fail(operation, When::After, refuses);
        assert_eq!(reason_of(provider.call(&call).await), "not-now");
        let then = provider.call(&again(&call)).await;
        match operation {
            Operation::Authorize | Operation::Capture => {
                assert_eq!(reason_of(then), "not-now");
                assert_eq!(methods(&server), ["POST", "GET"]);
            }
            Operation::Void | Operation::Refund => {
                assert_eq!(then, Ok(Answer::Done));
                assert_eq!(server.ledger(), once(&call));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_is_a_no_however_badly_it_is_put() {
    let long = "x".repeat(300);
    for (reason, understood) in [
        (json!("card-declined"), "card-declined"),
        (json!("  "), "declined"),
        (json!(""), "declined"),
        (Value::Null, "declined"),
        (json!("no\u{0}\nmoney"), "nomoney"),
        (json!(long), &long[..200]),
    ] {
        let server = StubProvider::start().await;
        let call = call(Operation::Authorize);
        let reply = json!({
            "key": call.key(), "amount": call.amount, "currency": call.currency,
            "outcome": "declined", "reason": reason, "more": ["than", "we", "know"],
        });
        let reply = Reply::new(200, reply.to_string());
        server.fail(call.operation, When::Before, Fault::Instead(reply));
        let answer = server.adapter().call(&call).await;
        assert_eq!(reason_of(answer), understood);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_about_other_money_is_rejected() {
    for (amount, currency) in [(5_900, "EUR"), (5_901, "USD")] {
        let server = StubProvider::start().await;
        let call = call(Operation::Authorize);
        let reply = json!({
            "key": call.key(), "amount": amount, "currency": currency, "outcome": "approved",
        });
        let reply = Reply::new(200, reply.to_string());
        server.fail(call.operation, When::Before, Fault::Instead(reply));
        assert_rejected(server.adapter().call(&call).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_leaves_room_for_doubt_is_none() {
    let call = call(Operation::Authorize);
    let good = json!({
        "key": call.key(), "amount": 5_901, "currency": "EUR", "outcome": "approved",
    });
    let but = |name: &str, value: Value| {
        let mut reply = good.clone();
        reply[name] = value;
        reply.to_string()
    };
    let without = |name: &str| {
        let mut reply = good.clone();
        reply.as_object_mut().unwrap().remove(name);
        reply.to_string()
    };
    for body in [
        but("outcome", json!("Approved")),
        but("outcome", json!("captured")),
        but("outcome", json!(true)),
        but("amount", json!(5901.5)),
        but("amount", json!("5901")),
        but("amount", json!(-5901)),
        but("currency", json!("eur")),
        but("key", json!(null)),
        without("outcome"),
        without("amount"),
        without("currency"),
        without("key"),
        format!("[{good}]"),
        format!("{good}{good}"),
        good.to_string().replace('{', r#"{"outcome":"declined","#),
    ] {
        let server = StubProvider::start().await;
        let reply = Reply::new(200, body.clone());
        server.fail(call.operation, When::Before, Fault::Instead(reply));
        let answer = server.adapter().call(&call).await;
        assert!(answer.is_err(), "{body}: {answer:?}");
        assert_unknown(answer);
    }
}
