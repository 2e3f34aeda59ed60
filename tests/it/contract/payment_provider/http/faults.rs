//! An answer that is lost, before or after the money moved.

use infra::payment_provider::{Answer, HttpPlace, HttpProvider, PaymentProvider, ProviderError};
use serde_json::json;

use super::{ALL, Call, Operation, again, assert_unknown, call, methods, once};
use crate::support::provider::{Fault, KEY, Reply, StubProvider, When};

/// Every way to lose an answer.
fn ways(call: &Call) -> Vec<Fault> {
    let of_another = json!({
        "key": "another:authorize", "outcome": "approved",
        "amount": call.amount, "currency": call.currency,
    });
    let instead = |reply| Fault::Instead(reply);
    vec![
        Fault::Silence,
        Fault::Cut,
        Fault::Half,
        instead(Reply::problem(500, "internal")),
        instead(Reply::new(502, "<html>Bad Gateway</html>")),
        instead(Reply::problem(503, "overloaded")),
        instead(Reply::problem(408, "too-slow")),
        instead(Reply::problem(429, "too-many")),
        instead(Reply::empty(200)),
        instead(Reply::new(200, "approved")),
        instead(Reply::new(200, "{}")),
        instead(Reply::new(200, of_another.to_string())),
        instead(Reply::new(200, " ".repeat(1 << 20))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_found_out_by_asking_and_nothing_is_done_twice() {
    for operation in ALL {
        for fault in ways(&call(operation)) {
            let server = StubProvider::start().await;
            let provider = server.adapter();
            let call = call(operation);
            server.fail(operation, When::After, fault.clone());
            let silent = matches!(fault, Fault::Silence);
            let first = provider.call(&call).await;
            assert_eq!(first == Err(ProviderError::TimedOut), silent, "{first:?}");
            assert_unknown(first);
            let found = provider.call(&again(&call)).await;
            assert_eq!(found, Ok(Answer::Done), "{operation:?}, {fault:?}");
            assert_eq!(server.ledger(), once(&call), "{operation:?}, {fault:?}");
            assert_eq!(methods(&server), ["POST", "GET"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_not_carried_out_is_made_again_and_then_done_once() {
    for operation in ALL {
        for fault in ways(&call(operation)) {
            let server = StubProvider::start().await;
            let provider = server.adapter();
            let call = call(operation);
            server.fail(operation, When::Before, fault);
            assert_unknown(provider.call(&call).await);
            assert_eq!(server.ledger(), []);
            assert_eq!(provider.call(&again(&call)).await, Ok(Answer::Done));
            assert_eq!(server.ledger(), once(&call));
            assert_eq!(methods(&server), ["POST", "GET", "POST"]);
        }
    }
}

/// After a crash nobody knows that a call was made before.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_nobody_remembers_is_made_again_under_its_key_and_done_once() {
    for fault in ways(&call(Operation::Authorize)) {
        let server = StubProvider::start().await;
        let call = call(Operation::Authorize);
        server.fail(call.operation, When::After, fault);
        assert_unknown(server.adapter().call(&call).await);
        assert_eq!(server.adapter().call(&call).await, Ok(Answer::Done));
        assert_eq!(server.ledger(), once(&call));
        assert_eq!(methods(&server), ["POST", "POST"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_asked_for_though_the_provider_no_longer_knows_its_key_as_one() {
    let server = StubProvider::start().await;
    let provider = server.adapter();
    let call = call(Operation::Capture);
    server.fail(call.operation, When::After, Fault::Cut);
    assert_unknown(provider.call(&call).await);
    server.forget_keys();
    assert_eq!(provider.call(&again(&call)).await, Ok(Answer::Done));
    assert_eq!(server.ledger(), once(&call));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_for_is_not_sent_again() {
    for fault in ways(&call(Operation::Authorize)) {
        let server = StubProvider::start().await;
        let provider = server.adapter();
        let call = call(Operation::Authorize);
        server.fail(call.operation, When::After, Fault::Cut);
        assert_unknown(provider.call(&call).await);
        server.fail_asking(fault);
        assert_unknown(provider.call(&again(&call)).await);
        assert_eq!(methods(&server), ["POST", "GET"]);
        assert_eq!(provider.call(&again(&call)).await, Ok(Answer::Done));
        assert_eq!(server.ledger(), once(&call));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_twice_is_not_taken_for_that_to_the_next_call() {
    let server = StubProvider::start().await;
    let provider = server.adapter();
    for _ in 0..20 {
        let (first, second) = (call(Operation::Authorize), call(Operation::Authorize));
        server.fail(first.operation, When::After, Fault::Twice);
        assert_eq!(provider.call(&first).await, Ok(Answer::Done));
        let refused = Fault::Decides(crate::support::provider::Outcome::Refused("no"));
        server.fail(second.operation, When::After, refused);
        match provider.call(&second).await {
            Ok(Answer::Refused { .. }) => {}
            // The surplus may also break the connection that both share.
            other => drop(assert_unknown(other)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_is_unavailable_and_is_found_when_it_is_back() {
    let server = StubProvider::start().await;
    let provider = server.adapter();
    let call = call(Operation::Authorize);
    server.down();
    for _ in 0..3 {
        assert_unknown(provider.call(&call).await);
    }
    server.up();
    assert_eq!(provider.call(&again(&call)).await, Ok(Answer::Done));
    assert_eq!(server.ledger(), once(&call));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_not_there_is_unavailable_and_no_secret_is_told() {
    let gone = StubProvider::start().await;
    let place = gone.place();
    drop(gone);
    let nobody = HttpPlace::new("https://nobody.invalid").unwrap();
    let nobody = nobody.with_key(KEY).unwrap();
    for place in [place, nobody] {
        let provider = HttpProvider::new(place).unwrap();
        let told = assert_unknown(provider.call(&call(Operation::Authorize)).await);
        assert!(told.contains("unavailable"), "{told}");
        assert!(!told.contains(KEY), "{told}");
    }
}
