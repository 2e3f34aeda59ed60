//! How much at once, how often, and to whom.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use infra::payment_provider::{Answer, HttpProvider, PaymentProvider, Simulated};
use serde_json::json;

use super::{Operation, again, assert_unknown, call, once};
use crate::support::eventually;
use crate::support::provider::{Fault, Reply, StubProvider, When};

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_says_how_long_it_is_busy_is_left_alone_until_then() {
    for status in [429, 503] {
        let server = StubProvider::start().await;
        let provider = Arc::new(server.adapter());
        let (first, second) = (call(Operation::Authorize), call(Operation::Capture));
        let busy = Reply::empty(status).with("retry-after", "1");
        server.fail(first.operation, When::Before, Fault::Instead(busy));
        assert_unknown(provider.call(&first).await);
        let told = assert_unknown(provider.call(&second).await);
        assert!(told.contains("busy"), "{told}");
        assert_eq!(server.requests().len(), 1);
        let try_again = || {
            let (provider, call) = (provider.clone(), again(&second));
            async move { provider.call(&call).await }
        };
        let answer = eventually(try_again, |answer| *answer == Ok(Answer::Done)).await;
        answer.unwrap();
        assert_eq!(server.ledger(), once(&second));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_says_it_badly_is_not_left_alone() {
    for (status, value) in [(503, "soon"), (503, "-1"), (503, "0"), (500, "3600")] {
        let server = StubProvider::start().await;
        let provider = server.adapter();
        let call = call(Operation::Authorize);
        let busy = Reply::empty(status).with("retry-after", value);
        server.fail(call.operation, When::Before, Fault::Instead(busy));
        assert_unknown(provider.call(&call).await);
        assert_eq!(provider.call(&again(&call)).await, Ok(Answer::Done));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_long_is_none_whatever_it_says() {
    let call = call(Operation::Authorize);
    let answer = json!({
        "key": call.key(), "amount": call.amount, "currency": call.currency,
        "outcome": "approved",
    });
    let answer = answer.to_string();
    for (length, taken) in [(16 * 1024, true), (16 * 1024 + 1, false), (1 << 24, false)] {
        let server = StubProvider::start().await;
        let padding = " ".repeat(length - answer.len());
        let padded = Reply::new(200, format!("{answer}{padding}"));
        server.fail(call.operation, When::Before, Fault::Instead(padded));
        let answer = server.adapter().call(&call).await;
        assert_eq!(answer.is_ok(), taken, "{length}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_calls_are_made_at_once_and_the_others_wait_their_turn() {
    let server = StubProvider::playing(Simulated {
        success_rate: 100,
        delay: Duration::from_millis(300),
        seed: 0,
    })
    .await;
    let place = server.place().with_timeout(Duration::from_secs(8));
    let provider = HttpProvider::new(place.unwrap()).unwrap();
    let calls: Vec<_> = (0..300).map(|_| call(Operation::Authorize)).collect();
    let answers = join_all(calls.iter().map(|call| provider.call(call))).await;
    for answer in answers {
        assert_eq!(answer, Ok(Answer::Done));
    }
    let busiest = server.busiest();
    assert!((2..=256).contains(&busiest), "{busiest}");
    assert_eq!(server.ledger().len(), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_never_answers_is_given_up_in_time() {
    let server = StubProvider::start().await;
    let place = server.place().with_timeout(Duration::from_millis(50));
    let provider = HttpProvider::new(place.unwrap()).unwrap();
    let call = call(Operation::Authorize);
    for fault in [Fault::Silence, Fault::Silence, Fault::Silence] {
        server.fail(call.operation, When::After, fault);
        assert_unknown(provider.call(&call).await);
    }
    assert_eq!(server.ledger(), once(&call));
}
