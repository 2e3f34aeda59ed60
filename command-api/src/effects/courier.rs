//! Asking the courier, and the order's deadline.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::{Command, Delivery};
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
                within_limit(self.courier.call_off(&job_of(row))).await?;
                Ok(Done::Nothing)
            }
            Task::Deadline => {
                let reason = Reason::deadline();
                let handled = self.handle(row, &[Command::Close { reason }]).await?;
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
        let update = within_limit(self.courier.ask(&job_of(row), clock::now())).await?;
        let steps: Vec<_> = update.steps.into_iter().map(Command::Progress).collect();
        let handled = self.handle(row, &steps).await?;
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
