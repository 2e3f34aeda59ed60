//! Asking the courier, and the order's deadline.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::{Command, Delivery, Progress};
use domain::values::{DeliveryId, Reason};
use domain::{Category, StreamId, Task, agenda};
use infra::courier::{Courier, CourierError, Job};
use infra::due::{Done, RunTask};
use infra::event_store::DueRow;
use infra::failure::Failure;
use infra::handler::Handler;
use infra::{clock, ids};
use tokio::time::timeout;

/// The longest that the courier may take to answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs the tasks of the delivery service.
pub struct DeliveryEffects {
    pub delivery: Arc<Handler<Delivery>>,
    pub courier: Arc<dyn Courier>,
}

#[async_trait]
impl RunTask for DeliveryEffects {
    async fn run(&self, row: &DueRow) -> Result<Done, Failure> {
        match row.task {
            Task::Courier => self.ask(row).await,
            Task::CallOff => {
                infra::crash_point!("courier.before-call-off");
                within_limit(self.courier.call_off(&job_of(row))).await?;
                infra::crash_point!("courier.after-call-off");
                Ok(Done::Nothing)
            }
            Task::Deadline => {
                let reason = Reason::deadline();
                infra::crash_point!("deadline.before-append");
                let handled = self.handle(row, &[Command::Close { reason }]).await?;
                infra::crash_point!("deadline.after-append");
                Ok(super::done(&handled))
            }
            Task::Authorize | Task::Capture | Task::Void | Task::Refund => {
                let whose = format!("{} is not a task of the delivery service", row.task);
                Err(Failure::permanent("invariant", whose))
            }
        }
    }
}

impl DeliveryEffects {
    /// The courier says every step that it has taken; those that are known already yield nothing.
    async fn ask(&self, row: &DueRow) -> Result<Done, Failure> {
        infra::crash_point!("courier.before-ask");
        let update = within_limit(self.courier.ask(&job_of(row), clock::now())).await?;
        let steps: Vec<_> = news(update.steps).map(Command::Progress).collect();
        infra::crash_point!("courier.before-append");
        let handled = self.handle(row, &steps).await?;
        infra::crash_point!("courier.after-append");
        let ended = handled
            .facts
            .iter()
            .any(|fact| agenda(&fact.fact).settles.contains(&Task::Courier));
        Ok(match update.ask_again {
            _ if ended => Done::Settled,
            Some(at) => Done::Again(at),
            None => Done::Nothing,
        })
    }

    async fn handle(
        &self,
        row: &DueRow,
        commands: &[Command],
    ) -> Result<infra::handler::Handled<domain::delivery::State>, Failure> {
        let stream = StreamId::of(Category::Delivery, row.order);
        let origin = row.origin.again(ids::unique(), clock::now());
        let handled = self.delivery.handle(&stream, commands, &origin, None).await;
        handled.map_err(|e| e.into_failure())
    }
}

/// The steps without promises that were taken back. A courier says every step each time, and an earlier
/// promise, heard again after a later one, would be a change of mind.
fn news(steps: Vec<Progress>) -> impl Iterator<Item = Progress> {
    let is_promise = |step: &Progress| matches!(step, Progress::MoveEta { .. });
    let last = steps.iter().rposition(is_promise);
    let steps = steps.into_iter().enumerate();
    steps
        .filter(move |(at, step)| !is_promise(step) || Some(*at) == last)
        .map(|(_, step)| step)
}

fn job_of(row: &DueRow) -> Job {
    Job {
        order: row.order,
        delivery_id: DeliveryId::of(row.order),
        requested_at: row.opened_at,
    }
}

async fn within_limit<T>(
    call: impl Future<Output = Result<T, CourierError>>,
) -> Result<T, Failure> {
    match timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(e)) => Err(Failure::Unavailable(e.to_string())),
        Err(_) => Err(Failure::Unavailable(
            "the courier did not answer in time".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use domain::Decider;
    use domain::delivery::{Assignment, State};
    use domain::values::{OrderId, Timestamp};
    use uuid::Uuid;

    use super::*;

    fn at(micros: i64) -> Progress {
        Progress::MoveEta {
            estimated_delivery_time: Timestamp::from_micros(micros),
        }
    }

    /// How many facts one answer of the courier makes.
    fn heard(state: &mut State, steps: &[Progress]) -> usize {
        let mut facts = 0;
        for step in news(steps.to_vec()) {
            for event in Delivery::decide(state, Command::Progress(step)).unwrap() {
                *state = Delivery::evolve(state.clone(), &event);
                facts += 1;
            }
        }
        facts
    }

    #[test]
    fn a_courier_that_moved_the_time_twice_and_is_asked_again_says_nothing_new() {
        let mut state = State::default();
        let request = Command::Request {
            delivery_id: DeliveryId::of(OrderId(Uuid::from_u128(7))),
        };
        for event in Delivery::decide(&state, request).unwrap() {
            state = Delivery::evolve(state, &event);
        }
        let assign = Progress::Assign(Assignment {
            driver_name: "Driver Birch".to_owned().try_into().unwrap(),
            estimated_delivery_time: Timestamp::from_micros(100),
        });
        let steps = [assign, at(200), at(300)];
        assert_eq!(heard(&mut state, &steps), 2);
        assert_eq!(heard(&mut state, &steps), 0);
        let moved = [&steps[..], &[at(200)]].concat();
        assert_eq!(heard(&mut state, &moved), 1, "back to the first");
    }
}
