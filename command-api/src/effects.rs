//! Calls to the outside: each from an open task, to an outcome that is a command.

mod courier;
mod payment;

pub use courier::DeliveryEffects;
pub use payment::PaymentEffects;

use infra::due::Done;
use infra::handler::Handled;

/// Where the outcome appended facts, one of them settles the task; where it appended none, the
/// stream has moved on and the task is to be settled as it is.
fn done<S>(handled: &Handled<S>) -> Done {
    if handled.facts.is_empty() {
        Done::Nothing
    } else {
        Done::Settled
    }
}
