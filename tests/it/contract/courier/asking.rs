//! Any courier may be asked again and again.

use domain::values::{DeliveryId, Timestamp};
use infra::courier::{Job, Update};
use infra::ids;

use super::AnyCourier;

/// A delivery that was requested at a time in 2026.
pub fn job() -> Job {
    let order = ids::order();
    Job {
        order,
        delivery_id: DeliveryId::of(order),
        requested_at: Timestamp::from_micros(1_767_225_600_123_457),
    }
}

pub async fn ask(courier: &AnyCourier, job: &Job, ms: u64) -> Update {
    courier
        .ask(job, job.requested_at.plus_ms(ms))
        .await
        .unwrap()
}

pub async fn asked_again_it_says_the_same(courier: AnyCourier) {
    let job = job();
    let times = [0, 999, 1_000, 2_500, 4_000, 11_000, 1_000_000];
    let mut first = vec![];
    for ms in times {
        first.push(ask(&courier, &job, ms).await);
        ask(&courier, &self::job(), ms).await;
    }
    // Also where the clock went back.
    for (ms, first) in times.into_iter().zip(first).rev() {
        assert_eq!(ask(&courier, &job, ms).await, first, "after {ms} ms");
    }
}

pub async fn it_never_takes_a_step_back(courier: AnyCourier) {
    let job = job();
    let mut before = Update::default();
    for ms in (0..12_000).step_by(250) {
        let update = ask(&courier, &job, ms).await;
        assert!(
            update.steps.starts_with(&before.steps),
            "{update:?} after {before:?}"
        );
        let now = job.requested_at.plus_ms(ms);
        assert!(
            update.ask_again.is_none_or(|again| again > now),
            "{update:?} at {now}"
        );
        before = update;
    }
}

pub async fn a_delivery_may_be_called_off_again_and_before_it_was_asked_for(courier: AnyCourier) {
    let job = job();
    courier.call_off(&job).await.unwrap();
    ask(&courier, &job, 0).await;
    courier.call_off(&job).await.unwrap();
    ask(&courier, &job, 100_000).await;
    courier.call_off(&job).await.unwrap();
}
