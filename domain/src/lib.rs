//! What the pipeline decides, as pure functions.
//!
//! Four verbs carry the whole of it; everything outside this crate only moves data between them:
//!
//! - **decide** ([`Decider::decide`]): a stream's state and a command give facts, or a refusal.
//! - **evolve** ([`Decider::evolve`]): a state and a fact give the next state.
//! - **react** ([`process::react`]): a fact of one service gives commands for the others.
//! - **project** ([`View::project`]): a fact gives the cells that it writes into a view.
//!
//! Beside them, [`agenda`] says which outside calls and timers a fact opens and settles.
//!
//! Nothing here does I/O, reads a clock or draws a random number: times and ids arrive inside
//! commands. The four services share ids and money ([`values`]) and never each other's types; only
//! the process, the agenda and the views import several.

#![deny(clippy::wildcard_enum_match_arm)] // a new fact makes the compiler list the files to visit

pub mod agenda;
mod decider;
pub mod delivery;
mod fact;
pub mod inventory;
pub mod order;
pub mod payment;
pub mod process;
#[cfg(test)]
mod testing;
pub mod values;
pub mod view;

pub use agenda::{Agenda, Task, agenda};
pub use decider::{Decider, Invariant, Never, Refusal, Rejection, fold};
pub use fact::{
    Category, Fact, FactId, InvalidFactId, OrderContext, Position, Recorded, Sequence, Service,
    StreamId, Written,
};
pub use view::View;
