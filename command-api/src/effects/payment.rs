//! Calls to the payment provider.
//!
//! A call may be made again, after a crash or a time-out: the provider knows it by its key and
//! carries it out once. What came of it is found out by asking with the same key, never by a new
//! operation.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::payment::{Command, Payment, State};
use domain::{Category, StreamId, Task};
use infra::cache::{Cache, lives};
use infra::due::{Done, RunTask};
use infra::event_store::DueRow;
use infra::failure::Failure;
use infra::handler::Handler;
use infra::payment_provider::{Answer, Call, Operation, PaymentProvider, ProviderError};
use infra::telemetry::trace::{self, Kind};
use infra::{clock, ids};
use tokio::time::{Instant, timeout};

/// The longest that a call may take; its outcome is unknown then. Providers answer within a few
/// seconds, or have lost it. Shorter than the lock lives.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// How long to wait where another process is making the call.
const LOCKED_PAUSE_MS: u64 = 500;

/// Runs the tasks of the payment service.
pub struct PaymentEffects {
    pub payment: Arc<Handler<Payment>>,
    pub provider: Arc<dyn PaymentProvider>,
    pub cache: Arc<dyn Cache>,
    /// The name of this process, as the owner of locks.
    pub owner: String,
    /// The epoch of the lease under which it makes calls: locks of those who had it before are
    /// nobody's.
    pub epoch: u64,
}

#[async_trait]
impl RunTask for PaymentEffects {
    async fn run(&self, row: &DueRow) -> Result<Done, Failure> {
        let stream = StreamId::of(Category::Payment, row.order);
        let loaded = self.payment.load_fresh(&stream).await;
        let loaded = loaded.map_err(|e| e.into_failure())?;
        let Some(call) = call_of(row, &loaded.state) else {
            return Ok(Done::Nothing);
        };
        let lock = format!("payment-lock:order:{}", row.order);
        if !self
            .cache
            .lock(&lock, &self.owner, self.epoch, lives::PAYMENT_LOCK)
            .await
        {
            return Ok(Done::Again(clock::now().plus_ms(LOCKED_PAUSE_MS)));
        }
        infra::crash_point!("payment.before-call");
        let answer = self.call(&call).await;
        infra::crash_point!("payment.after-call");
        self.cache.unlock(&lock, &self.owner).await;
        // Without an answer the outcome is unknown: the task stays, and asks again.
        let answer = answer.map_err(|e| Failure::Unavailable(e.to_string()))?;
        let command = command_of(call.operation, answer)?;
        let origin = row.origin.again(ids::unique(), clock::now());
        infra::crash_point!("payment.before-append");
        let handled = self
            .payment
            .handle(&stream, &[command], &origin, None)
            .await;
        infra::crash_point!("payment.after-append");
        Ok(super::done(&handled.map_err(|e| e.into_failure())?))
    }
}

impl PaymentEffects {
    async fn call(&self, call: &Call) -> Result<Answer, ProviderError> {
        let begun = Instant::now();
        let operation = call.operation.task().name();
        let work = trace::within(Kind::Client, "provider", operation);
        let answer = work.run(timeout(CALL_TIMEOUT, self.provider.call(call)));
        let answer = answer.await.unwrap_or(Err(ProviderError::TimedOut));
        if let Err(e) = &answer {
            work.failed(e);
        }
        let outcome = match &answer {
            Ok(Answer::Done) => "done",
            Ok(Answer::Refused { .. }) => "refused",
            Err(ProviderError::TimedOut) => "timed-out",
            Err(ProviderError::Unavailable(_)) => "unavailable",
            Err(ProviderError::Rejected(_)) => "rejected",
        };
        metrics::histogram!(
            "waybill_provider_seconds",
            "operation" => operation,
            "outcome" => outcome
        )
        .record(begun.elapsed().as_secs_f64());
        answer
    }
}

/// The call that the task is about; `None` where the payment has moved on.
fn call_of(row: &DueRow, state: &State) -> Option<Call> {
    let (operation, charge) = match (row.task, state) {
        (Task::Authorize, State::Asked { charge, .. }) => (Operation::Authorize, charge),
        (Task::Capture, State::Capturing { charge, .. }) => (Operation::Capture, charge),
        (Task::Void, State::Voiding { charge, .. }) => (Operation::Void, charge),
        (Task::Refund, State::Refunding { charge, .. }) => (Operation::Refund, charge),
        _ => return None,
    };
    Some(Call {
        order: row.order,
        payment_id: charge.payment_id,
        operation,
        amount: charge.amount,
        currency: charge.currency,
        repeated: row.failures > 0,
    })
}

fn command_of(operation: Operation, answer: Answer) -> Result<Command, Failure> {
    Ok(match (operation, answer) {
        (Operation::Authorize, Answer::Done) => Command::Authorized,
        (Operation::Authorize, Answer::Refused { reason }) => Command::Declined { reason },
        (Operation::Capture, Answer::Done) => Command::Captured,
        (Operation::Capture, Answer::Refused { reason }) => {
            metrics::counter!("waybill_captures_refused_total").increment(1);
            Command::CaptureRefused { reason }
        }
        (Operation::Void, Answer::Done) => Command::VoidDone,
        (Operation::Refund, Answer::Done) => Command::RefundDone,
        // Money has to go back: the intent stays open, is asked for again and is shown, until
        // the provider does it or an operator settles it.
        (Operation::Void | Operation::Refund, Answer::Refused { reason }) => {
            let refused = format!("the provider refuses to {}: {reason}", operation.task());
            return Err(Failure::Unavailable(refused));
        }
    })
}
