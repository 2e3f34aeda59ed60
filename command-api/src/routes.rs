//! One file for each thing that a caller can do.

pub mod cancel_order;
pub mod deliveries;
pub mod place_order;
pub mod stock;

use axum::http::HeaderMap;
use domain::values::Timestamp;
use domain::{Decider, Fact, FactId, Recorded, Rejection, StreamId};
use infra::handler::{HandleError, Handler};
use infra::http::Problem;
use infra::telemetry::trace;
use infra::{Origin, clock, ids};

use crate::idempotency::{Keyed, NoReply, Reply};

/// The origin of a command that came over HTTP.
fn origin(headers: &HeaderMap, correlation: String) -> Origin {
    let at: Timestamp = clock::now();
    let mut origin = Origin::of_person(ids::unique(), correlation, at);
    origin.traceparent = Some(trace::for_request(headers, origin.command_id));
    origin
}

/// Has a command decided, and answers it by what the stream is afterwards and the id of its last
/// fact. Where the command came with a key and appended something, the answer is stored with it.
async fn decide<D: Decider>(
    handler: &Handler<D>,
    stream: &StreamId,
    command: D::Command,
    origin: &Origin,
    keyed: Option<&Keyed>,
    reply: impl Fn(&D::State, Option<FactId>) -> Reply + Sync,
) -> Result<Reply, NoReply>
where
    Fact: From<D::Event>,
    D::Event: TryFrom<Fact>,
{
    let stored = keyed.map(|keyed| {
        |facts: &[Recorded], state: &D::State| {
            let token = facts.last().map(|fact| fact.id.clone());
            keyed.store(reply(state, token), origin.at)
        }
    });
    let stored = stored
        .as_ref()
        .map(|stored| stored as &(dyn Fn(&_, &_) -> _ + Sync));
    let handled = handler.handle(stream, &[command], origin, stored).await;
    let handled = handled.map_err(no_reply)?;
    Ok(reply(&handled.stream.state, handled.token))
}

/// Errors of a command, each as a problem.
fn no_reply<R: Rejection>(e: HandleError<R>) -> NoReply {
    NoReply::Problem(match e {
        HandleError::Repeated(stored) => return NoReply::Repeated(stored),
        HandleError::Rejected(rejection) => Problem::rejected(&rejection),
        HandleError::Busy(_) => Problem::try_again("busy", "others were faster; try again", 1),
        HandleError::Store(e) => e.into(),
        e @ (HandleError::Impossible(_) | HandleError::Unreadable(_) | HandleError::Invalid(_)) => {
            Problem::internal(&e)
        }
    })
}
