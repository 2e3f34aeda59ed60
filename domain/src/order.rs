//! The order stream: what the customer asked for, and how it ended.

mod command;
mod event;
mod state;

pub use command::{Command, Place, Rejection};
pub use event::Event;
pub use state::State;

use crate::{Decider, Refusal};

/// The rules of an order.
pub struct Order;

impl Decider for Order {
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Refusal<Rejection>> {
        use State::{Asked, Cancelled, Completed, None, Open, Refused};
        let events = match (command, state) {
            (Command::Place(placed), None) => vec![placed.into_event()],
            (Command::Place(_), Open | Asked | Refused | Cancelled | Completed) => vec![],

            (Command::Cancel { .. }, None) => return Err(Rejection::UnknownOrder.into()),
            (Command::Cancel { reason }, Open) => vec![Event::CancellationRequested { reason }],
            (Command::Cancel { .. }, Asked | Cancelled) => vec![],
            (Command::Cancel { .. }, Refused) => return Err(Rejection::CancellationRefused.into()),
            (Command::Cancel { .. }, Completed) => return Err(Rejection::OrderCompleted.into()),

            (Command::Refuse, Asked) => vec![Event::CancellationRefused {}],
            (Command::Refuse, None | Open | Refused | Cancelled | Completed) => vec![],

            (Command::Finish { reason }, Open | Asked | Refused) => {
                vec![Event::Cancelled { reason }]
            }
            (Command::Finish { .. }, None | Cancelled) => vec![],
            (Command::Finish { .. }, Completed) => {
                let why = "everything was undone, and yet the delivery had arrived";
                return Err(Refusal::impossible("finish", state.name(), why));
            }

            (Command::Complete, Open | Asked | Refused) => vec![Event::Completed {}],
            (Command::Complete, None | Completed) => vec![],
            (Command::Complete, Cancelled) => {
                let why = "the delivery arrived, and yet everything had been undone";
                return Err(Refusal::impossible("complete", state.name(), why));
            }
        };
        Ok(events)
    }

    fn evolve(_: State, event: &Event) -> State {
        match event {
            Event::Created { .. } => State::Open,
            Event::CancellationRequested { .. } => State::Asked,
            Event::CancellationRefused {} => State::Refused,
            Event::Cancelled { .. } => State::Cancelled,
            Event::Completed {} => State::Completed,
        }
    }
}

#[cfg(test)]
mod tests;
