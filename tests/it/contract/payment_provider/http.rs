//! The provider behind HTTP, when its server or the way to it fails.

mod faults;
mod limits;
mod refusals;
mod tls;

use domain::values::PaymentId;
use infra::ids;
use infra::payment_provider::{Answer, Call, Operation, ProviderError};

use crate::support::provider::{Entry, StubProvider};

pub const ALL: [Operation; 4] = [
    Operation::Authorize,
    Operation::Capture,
    Operation::Void,
    Operation::Refund,
];

/// A call of an order of its own.
pub fn call(operation: Operation) -> Call {
    let order = ids::order();
    Call {
        order,
        payment_id: PaymentId::of(order),
        operation,
        amount: 5_901.try_into().unwrap(),
        currency: "EUR".parse().unwrap(),
        repeated: false,
    }
}

/// The same call, by somebody who knows that it was made before.
pub fn again(call: &Call) -> Call {
    Call {
        repeated: true,
        ..call.clone()
    }
}

/// What the ledger says of `call`, carried out once.
fn once(call: &Call) -> [Entry; 1] {
    [Entry {
        order: call.order,
        operation: call.operation,
        amount: call.amount,
    }]
}

/// The methods of all requests, in order.
fn methods(server: &StubProvider) -> Vec<String> {
    let requests = server.requests();
    requests.into_iter().map(|request| request.method).collect()
}

#[track_caller]
fn assert_unknown(answer: Result<Answer, ProviderError>) -> String {
    match answer {
        Err(e @ (ProviderError::Unavailable(_) | ProviderError::TimedOut)) => e.to_string(),
        other => panic!("an unknown outcome was expected: {other:?}"),
    }
}

#[track_caller]
fn assert_rejected(answer: Result<Answer, ProviderError>) -> String {
    match answer {
        Err(e @ ProviderError::Rejected(_)) => e.to_string(),
        other => panic!("a rejected call was expected: {other:?}"),
    }
}

#[track_caller]
fn reason_of(answer: Result<Answer, ProviderError>) -> String {
    match answer {
        Ok(Answer::Refused { reason }) => reason.to_string(),
        other => panic!("a refusal was expected: {other:?}"),
    }
}
