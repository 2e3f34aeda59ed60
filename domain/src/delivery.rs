//! The delivery stream: the road to the customer, and the one arbiter of the race between a
//! cancellation and the dispatch.

mod command;
mod event;
mod state;

pub use command::{Command, Progress, Rejection};
pub use event::Event;
pub use state::{Assignment, State};

use crate::values::{DeliveryId, Reason};
use crate::{Decider, Refusal};

/// The rules of a delivery.
pub struct Delivery;

impl Decider for Delivery {
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Refusal<Rejection>> {
        Ok(match command {
            Command::Request { delivery_id } => request(state, delivery_id),
            Command::Progress(progress) => advance(state, progress).unwrap_or_default(),
            Command::Record(progress) => advance(state, progress)?,
            Command::Cancel { reason } => cancel(state, reason),
            Command::Close { reason } if *state == State::None => vec![tombstone(reason)],
            Command::Close { .. } => vec![],
        })
    }

    fn evolve(state: State, event: &Event) -> State {
        state.evolve(event)
    }
}

fn request(state: &State, delivery_id: DeliveryId) -> Vec<Event> {
    if *state == State::None {
        vec![Event::Requested { delivery_id }]
    } else {
        vec![]
    }
}

fn cancel(state: &State, reason: Reason) -> Vec<Event> {
    match state {
        State::None => vec![tombstone(reason)],
        State::Requested { delivery_id } | State::Assigned { delivery_id, .. } => {
            vec![Event::Cancelled {
                delivery_id: Some(*delivery_id),
                reason,
            }]
        }
        State::Dispatched { refused: false, .. } => vec![Event::CancellationRefused {}],
        State::Dispatched { refused: true, .. }
        | State::Delivered { .. }
        | State::Failed { .. }
        | State::Cancelled => vec![],
    }
}

fn tombstone(reason: Reason) -> Event {
    Event::Cancelled {
        delivery_id: None,
        reason,
    }
}

/// The facts of one step on the road. A step that was already taken yields none; one that the
/// road does not allow is turned down.
fn advance(state: &State, progress: Progress) -> Result<Vec<Event>, Rejection> {
    use State::{Assigned, Cancelled, Delivered, Dispatched, Failed, Requested};
    let (step, at) = (progress.name(), state.name());
    let taken = Ok(vec![]);
    match (progress, state) {
        (_, State::None) => Err(Rejection::UnknownDelivery),
        (_, Cancelled) => Err(Rejection::Cancelled),

        (Progress::Assign(to), Requested { delivery_id }) => Ok(vec![Event::Assigned {
            delivery_id: *delivery_id,
            driver_name: to.driver_name,
            estimated_delivery_time: to.estimated_delivery_time,
        }]),
        (
            Progress::Assign(to),
            Assigned { assignment, .. }
            | Dispatched { assignment, .. }
            | Delivered { assignment, .. },
        ) => match assignment {
            given if *given == to => taken,
            given if given.driver_name != to.driver_name => Err(Rejection::AnotherDriver),
            _ => Err(Rejection::NotAllowed { step, at }),
        },

        (
            Progress::MoveEta {
                estimated_delivery_time,
            },
            Assigned { eta, .. } | Dispatched { eta, .. },
        ) => {
            if *eta == estimated_delivery_time {
                return taken;
            }
            Ok(vec![Event::EtaUpdated {
                estimated_delivery_time,
            }])
        }

        (Progress::Dispatch, Assigned { delivery_id, .. }) => Ok(vec![Event::Dispatched {
            delivery_id: *delivery_id,
        }]),
        (Progress::Dispatch, Dispatched { .. } | Delivered { .. }) => taken,

        (Progress::Deliver, Dispatched { delivery_id, .. }) => Ok(vec![Event::Delivered {
            delivery_id: *delivery_id,
        }]),
        (Progress::Deliver, Delivered { .. }) => taken,

        (
            Progress::Fail { reason },
            Requested { delivery_id }
            | Assigned { delivery_id, .. }
            | Dispatched { delivery_id, .. },
        ) => Ok(vec![Event::Failed {
            delivery_id: *delivery_id,
            reason,
        }]),
        (Progress::Fail { reason }, Failed { reason: given, .. }) if *given == reason => taken,

        (
            Progress::Assign(_)
            | Progress::MoveEta { .. }
            | Progress::Dispatch
            | Progress::Deliver
            | Progress::Fail { .. },
            Requested { .. } | Assigned { .. } | Delivered { .. } | Failed { .. },
        ) => Err(Rejection::NotAllowed { step, at }),
    }
}

#[cfg(test)]
mod tests;
