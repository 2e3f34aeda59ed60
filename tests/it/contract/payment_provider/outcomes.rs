//! Answers: the same call gets the same, and totals and seeds say which.

use std::time::{Duration, Instant};

use domain::values::{OrderId, PaymentId};
use futures::future::{join_all, ready};
use futures::stream::{self, StreamExt};
use infra::ids;
use infra::payment_provider::{Answer, Call, Operation, PaymentProvider, ProviderError, Simulated};
use uuid::Uuid;

use super::Providers;

const ALL: [Operation; 4] = [
    Operation::Authorize,
    Operation::Capture,
    Operation::Void,
    Operation::Refund,
];

fn play(success_rate: u8, seed: u64) -> Simulated {
    Simulated {
        success_rate,
        delay: Duration::ZERO,
        seed,
    }
}

fn call(order: OrderId, operation: Operation, amount: u64) -> Call {
    Call {
        order,
        payment_id: PaymentId::of(order),
        operation,
        amount: amount.try_into().unwrap(),
        currency: "EUR".parse().unwrap(),
        repeated: false,
    }
}

#[track_caller]
fn assert_refused(answer: Result<Answer, ProviderError>, call: &Call) {
    match answer {
        Ok(Answer::Refused { reason }) if !reason.as_str().is_empty() => {}
        other => panic!("{call:?} was expected to be refused: {other:?}"),
    }
}

#[track_caller]
fn assert_done(answer: Result<Answer, ProviderError>, call: &Call) {
    assert_eq!(answer, Ok(Answer::Done), "{call:?}");
}

/// Whether an authorization succeeds; a total that decides nothing by itself.
async fn succeeds(provider: &dyn PaymentProvider, order: OrderId) -> bool {
    let call = call(order, Operation::Authorize, 5_900);
    match provider.call(&call).await.unwrap() {
        Answer::Done => true,
        Answer::Refused { .. } => false,
    }
}

pub async fn a_total_in_01_always_succeeds(providers: impl Providers) {
    for success_rate in [0, 100] {
        let provider = providers.provider(play(success_rate, 7)).await;
        for amount in [1, 101, 590_001] {
            let order = ids::order();
            for operation in [Operation::Authorize, Operation::Capture] {
                let call = call(order, operation, amount);
                assert_done(provider.call(&call).await, &call);
            }
        }
    }
}

pub async fn a_total_in_02_is_always_declined(providers: impl Providers) {
    for success_rate in [0, 100] {
        let provider = providers.provider(play(success_rate, 7)).await;
        for amount in [2, 102, 590_002] {
            let call = call(ids::order(), Operation::Authorize, amount);
            for _ in 0..2 {
                assert_refused(provider.call(&call).await, &call);
            }
        }
    }
}

pub async fn a_total_in_03_times_out_once_and_then_succeeds(providers: impl Providers) {
    for success_rate in [0, 100] {
        let provider = providers.provider(play(success_rate, 7)).await;
        for amount in [3, 103, 590_003] {
            let order = ids::order();
            let authorize = call(order, Operation::Authorize, amount);
            let first = provider.call(&authorize).await;
            assert_eq!(first, Err(ProviderError::TimedOut));
            let again = Call {
                repeated: true,
                ..authorize
            };
            for _ in 0..3 {
                assert_done(provider.call(&again).await, &again);
            }
            let capture = call(order, Operation::Capture, amount);
            assert_done(provider.call(&capture).await, &capture);
        }
    }
}

pub async fn a_total_in_04_is_authorized_and_its_capture_refused(providers: impl Providers) {
    for success_rate in [0, 100] {
        let provider = providers.provider(play(success_rate, 7)).await;
        for amount in [4, 104, 590_004] {
            let order = ids::order();
            let authorize = call(order, Operation::Authorize, amount);
            assert_done(provider.call(&authorize).await, &authorize);
            let capture = call(order, Operation::Capture, amount);
            for _ in 0..2 {
                assert_refused(provider.call(&capture).await, &capture);
            }
        }
    }
}

pub async fn voids_and_refunds_are_always_done(providers: impl Providers) {
    let provider = providers.provider(play(0, 7)).await;
    for amount in [1, 2, 3, 4, 5, 5_900] {
        for operation in [Operation::Void, Operation::Refund] {
            let call = call(ids::order(), operation, amount);
            assert_done(provider.call(&call).await, &call);
        }
    }
}

pub async fn the_same_call_gets_the_same_answer(providers: impl Providers) {
    let provider = providers.provider(play(50, 7)).await;
    let mut calls = vec![];
    for amount in [1, 2, 4, 5, 5_900, 5_999] {
        for _ in 0..10 {
            let order = ids::order();
            calls.extend(ALL.map(|operation| call(order, operation, amount)));
        }
    }
    let mut first = vec![];
    for call in &calls {
        first.push(provider.call(call).await.unwrap());
    }
    // In another order, and by a provider that was started anew.
    let anew = providers.provider(play(50, 7)).await;
    for (call, first) in calls.iter().zip(&first).rev() {
        assert_eq!(provider.call(call).await.as_ref(), Ok(first), "{call:?}");
        assert_eq!(anew.call(call).await.as_ref(), Ok(first), "{call:?}");
    }
}

pub async fn calls_made_at_once_get_the_same_answer(providers: impl Providers) {
    let provider = providers.provider(play(50, 7)).await;
    for amount in [1, 2, 3, 4, 5_900, 5_901] {
        let call = call(ids::order(), Operation::Authorize, amount);
        let answers = join_all((0..8).map(|_| provider.call(&call))).await;
        let again = provider.call(&call).await;
        assert!(answers.iter().all(|answer| *answer == again), "{answers:?}");
    }
}

pub async fn as_many_succeed_as_was_asked_for(providers: impl Providers) {
    for (success_rate, expected) in [
        (0, 0..=0),
        (20, 140..=260),
        (80, 540..=660),
        (100, 700..=700),
    ] {
        let provider = providers.provider(play(success_rate, 7)).await;
        // The same orders each time, so that a run can be repeated.
        let calls = (0..700).map(|n| succeeds(&*provider, OrderId(Uuid::from_u128(n))));
        let outcomes = stream::iter(calls).buffer_unordered(64);
        let succeeded = outcomes.filter(|done| ready(*done)).count().await;
        assert!(
            expected.contains(&succeeded),
            "{succeeded} of 700 at {success_rate} %"
        );
    }
}

pub async fn seed_and_order_alone_decide(providers: impl Providers) {
    let one = providers.provider(play(50, 7)).await;
    let other = providers.provider(play(50, 8)).await;
    // To those two, another amount under the same key would be another call.
    let anew = providers.provider(play(50, 7)).await;
    let mut differ = 0;
    for n in 0..100 {
        let order = OrderId(Uuid::from_u128(n));
        let by_one = succeeds(&*one, order).await;
        differ += u32::from(by_one != succeeds(&*other, order).await);
        let call = call(order, Operation::Authorize, 777_777);
        let answer = anew.call(&call).await.unwrap();
        assert_eq!(
            answer == Answer::Done,
            by_one,
            "another amount, another outcome"
        );
    }
    assert!((20..80).contains(&differ), "{differ} of 100 differ");
}

pub async fn a_call_takes_as_long_as_it_was_told(providers: impl Providers) {
    let delay = Duration::from_millis(40);
    let slow = Simulated {
        delay,
        ..play(100, 7)
    };
    let provider = providers.provider(slow).await;
    for operation in ALL {
        let begun = Instant::now();
        let call = call(ids::order(), operation, 5_900);
        assert_done(provider.call(&call).await, &call);
        assert!(begun.elapsed() >= delay, "{:?}", begun.elapsed());
    }
}
