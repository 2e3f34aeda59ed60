//! The payment stream: the one charge of an order, and its undoing.
//!
//! Every call to the provider is two facts: the intent, appended before the call, and the
//! outcome. An undo that meets a call on its way waits for the outcome and then follows it.

mod command;
mod event;
mod state;

pub use command::{Command, Rejection, Settlement};
pub use event::Event;
pub use state::{Charge, State};

use crate::values::{Amount, Reason};
use crate::{Decider, Refusal};

/// The rules of a payment.
pub struct Payment;

impl Decider for Payment {
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Refusal<Rejection>> {
        match command {
            Command::Authorize {
                payment_id,
                amount,
                currency,
            } if *state == State::None => Ok(vec![Event::Requested {
                payment_id,
                amount,
                currency,
            }]),
            Command::Authorize { .. } => Ok(vec![]),
            Command::Capture => capture(state),
            Command::Undo { reason } => Ok(undo(state, reason)),
            Command::Authorized => Ok(authorized(state)),
            Command::Declined { reason } => Ok(declined(state, reason)),
            Command::Captured => Ok(captured(state)),
            Command::CaptureRefused { reason } => Ok(capture_refused(state, reason)),
            Command::VoidDone => Ok(undone(state, Settlement::Voided, None)),
            Command::RefundDone => Ok(undone(state, Settlement::Refunded, None)),
            Command::Settle { outcome, reason } => {
                let events = undone(state, outcome, Some(reason));
                if events.is_empty() {
                    return Err(Rejection::NothingToSettle.into());
                }
                Ok(events)
            }
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        state.evolve(event)
    }
}

fn capture(state: &State) -> Result<Vec<Event>, Refusal<Rejection>> {
    match state {
        State::Authorized(charge) => Ok(vec![Event::CaptureRequested {
            payment_id: charge.payment_id,
            amount: charge.amount,
        }]),
        State::None | State::Asked { .. } | State::Failed => {
            let why = "a delivery left for which nothing was ever authorized";
            Err(Refusal::impossible("capture", state.name(), why))
        }
        State::Capturing { .. }
        | State::Captured(_)
        | State::CaptureFailed(_)
        | State::Voiding { .. }
        | State::Voided
        | State::Refunding { .. }
        | State::Refunded => Ok(vec![]),
    }
}

fn undo(state: &State, reason: Reason) -> Vec<Event> {
    match state {
        State::None => vec![Event::Voided {
            amount: Amount::ZERO,
            reason,
            settled_by_hand: None,
        }],
        State::Asked { undo: None, .. } | State::Capturing { undo: None, .. } => {
            vec![Event::UndoRequested { reason }]
        }
        State::Authorized(charge) | State::CaptureFailed(charge) => vec![charge.void(&reason)],
        State::Captured(charge) => vec![charge.refund(&reason)],
        State::Asked { undo: Some(_), .. }
        | State::Capturing { undo: Some(_), .. }
        | State::Failed
        | State::Voiding { .. }
        | State::Voided
        | State::Refunding { .. }
        | State::Refunded => vec![],
    }
}

fn authorized(state: &State) -> Vec<Event> {
    let State::Asked { charge, undo } = state else {
        return vec![];
    };
    let mut events = vec![Event::Authorized {
        payment_id: charge.payment_id,
        amount: charge.amount,
    }];
    events.extend(undo.as_ref().map(|reason| charge.void(reason)));
    events
}

fn declined(state: &State, reason: Reason) -> Vec<Event> {
    let State::Asked { charge, undo } = state else {
        return vec![];
    };
    vec![Event::Failed {
        payment_id: charge.payment_id,
        reason,
        undo_reason: undo.clone(),
    }]
}

fn captured(state: &State) -> Vec<Event> {
    let State::Capturing { charge, undo } = state else {
        return vec![];
    };
    let mut events = vec![Event::Captured {
        payment_id: charge.payment_id,
        amount: charge.amount,
    }];
    events.extend(undo.as_ref().map(|reason| charge.refund(reason)));
    events
}

fn capture_refused(state: &State, reason: Reason) -> Vec<Event> {
    let State::Capturing { charge, undo } = state else {
        return vec![];
    };
    let mut events = vec![Event::CaptureFailed {
        payment_id: charge.payment_id,
        amount: charge.amount,
        reason,
    }];
    events.extend(undo.as_ref().map(|reason| charge.void(reason)));
    events
}

fn undone(state: &State, outcome: Settlement, settled_by_hand: Option<Reason>) -> Vec<Event> {
    match (state, outcome) {
        (State::Voiding { charge, reason }, Settlement::Voided) => vec![Event::Voided {
            amount: charge.amount,
            reason: reason.clone(),
            settled_by_hand,
        }],
        (State::Refunding { charge, reason }, Settlement::Refunded) => vec![Event::Refunded {
            amount: charge.amount,
            reason: reason.clone(),
            settled_by_hand,
        }],
        _ => vec![],
    }
}

#[cfg(test)]
mod tests;
