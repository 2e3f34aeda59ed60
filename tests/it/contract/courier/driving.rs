//! A courier that drives by itself, in time.

use std::collections::BTreeSet;

use domain::delivery::Progress;
use domain::values::Timestamp;
use infra::courier::{Job, Steps, Update};

use super::asking::{ask, job};
use super::{Driving, STEPS};

fn names(update: &Update) -> Vec<&'static str> {
    update.steps.iter().map(Progress::name).collect()
}

pub async fn nothing_has_happened_before_the_first_step_is_due(driving: Driving) {
    let courier = driving(STEPS);
    let job = job();
    for ms in [0, 500, 999] {
        let expected = Update {
            steps: vec![],
            ask_again: Some(job.requested_at.plus_ms(1_000)),
        };
        assert_eq!(ask(&courier, &job, ms).await, expected, "after {ms} ms");
    }
}

pub async fn each_step_is_taken_when_its_time_has_come(driving: Driving) {
    let courier = driving(STEPS);
    let job = job();
    let all = ["assign", "eta", "dispatch", "deliver"];
    for (ms, steps, next) in [
        (1_000, 1, Some(2_500)),
        (2_499, 1, Some(2_500)),
        (2_500, 2, Some(4_000)),
        (3_999, 2, Some(4_000)),
        (4_000, 3, Some(11_000)),
        (10_999, 3, Some(11_000)),
        (11_000, 4, None),
        (1_000_000_000, 4, None),
    ] {
        let update = ask(&courier, &job, ms).await;
        assert_eq!(names(&update), all[..steps], "after {ms} ms");
        let next = next.map(|ms| job.requested_at.plus_ms(ms));
        assert_eq!(update.ask_again, next, "after {ms} ms");
    }
}

pub async fn it_is_asked_again_until_the_goods_are_delivered(driving: Driving) {
    for steps in [
        STEPS,
        Steps {
            assign_ms: 0,
            ..STEPS
        },
        Steps {
            dispatch_ms: 0,
            ..STEPS
        },
        Steps {
            dispatch_ms: 1,
            ..STEPS
        },
        Steps {
            deliver_ms: 0,
            ..STEPS
        },
    ] {
        let courier = driving(steps);
        let job = job();
        let mut update = ask(&courier, &job, 0).await;
        let mut asked = 0;
        while let Some(again) = update.ask_again {
            let taken = update.steps.len();
            update = courier.ask(&job, again).await.unwrap();
            assert!(
                update.steps.len() > taken,
                "asked again for nothing: {update:?}"
            );
            asked += 1;
            assert!(asked < 10, "{update:?}");
        }
        assert_eq!(names(&update), ["assign", "eta", "dispatch", "deliver"]);
    }
}

/// The estimated times that a delivery has had.
fn estimates(update: &Update) -> Vec<Timestamp> {
    let estimate = |step: &Progress| match step {
        Progress::Assign(assignment) => Some(assignment.estimated_delivery_time),
        Progress::MoveEta {
            estimated_delivery_time,
        } => Some(*estimated_delivery_time),
        Progress::Dispatch | Progress::Deliver | Progress::Fail { .. } => None,
    };
    update.steps.iter().filter_map(estimate).collect()
}

pub async fn the_estimated_time_is_half_an_hour_to_an_hour_away_and_moves_once(driving: Driving) {
    let courier = driving(STEPS);
    let mut minutes = BTreeSet::new();
    for _ in 0..200 {
        let job = job();
        let all = estimates(&ask(&courier, &job, 11_000).await);
        let [first, moved] = all[..] else {
            panic!("it was expected to move once: {all:?}")
        };
        let away = first.ms_since(job.requested_at.plus_ms(1_000)) / 60_000;
        assert!((30..=60).contains(&away), "{away} minutes");
        assert_ne!(moved, first);
        minutes.insert(away);
    }
    assert!(minutes.len() > 5, "always {minutes:?}");
}

pub async fn the_plan_follows_from_the_job_alone(driving: Driving) {
    let (one, other) = (driving(STEPS), driving(STEPS));
    for _ in 0..20 {
        let job = job();
        let plan = ask(&one, &job, 11_000).await;
        assert_eq!(ask(&other, &job, 11_000).await, plan);
        // Later by as much as it was requested later.
        let later = Job {
            requested_at: job.requested_at.plus_ms(60_000),
            ..job
        };
        let shifted = ask(&one, &later, 11_000).await;
        assert_eq!(names(&shifted), names(&plan));
        let moved = estimates(&plan)
            .into_iter()
            .map(|time| time.plus_ms(60_000));
        assert!(moved.eq(estimates(&shifted)));
    }
}

pub async fn deliveries_have_different_drivers(driving: Driving) {
    let courier = driving(STEPS);
    let mut drivers = BTreeSet::new();
    for _ in 0..100 {
        let update = ask(&courier, &job(), 1_000).await;
        let [Progress::Assign(assignment)] = &update.steps[..] else {
            panic!("an assignment was expected: {update:?}")
        };
        drivers.insert(assignment.driver_name.to_string());
    }
    assert!(drivers.len() > 2, "only {drivers:?}");
}

pub async fn with_no_delays_everything_has_happened_at_once(driving: Driving) {
    let courier = driving(Steps {
        assign_ms: 0,
        dispatch_ms: 0,
        deliver_ms: 0,
    });
    let job = job();
    let update = ask(&courier, &job, 0).await;
    assert_eq!(names(&update), ["assign", "eta", "dispatch", "deliver"]);
    assert_eq!(update.ask_again, None);
    // A clock that is behind that of the request's.
    let before = Timestamp::from_micros(job.requested_at.as_micros() - 1);
    let update = courier.ask(&job, before).await.unwrap();
    assert_eq!(
        (update.steps, update.ask_again),
        (vec![], Some(job.requested_at))
    );
}
