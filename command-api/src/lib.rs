//! The command side of the four services: HTTP commands, reactions to each other's facts, and
//! calls to the outside.
//!
//! - [`router`]: every route on one screen; a file each in `routes`.
//! - [`Services`]: the only list of services, and what each runs in the background.
//! - `reactions`: what a service does with the facts of others.
//! - `inventory_batch`: the one decider of reservations.
//! - `effects`: an open intent, the outside call, the command that its outcome makes.
//! - `idempotency`: one answer for one key.

mod effects;
mod idempotency;
mod inventory_batch;
mod reactions;
mod router;
mod routes;
mod services;

pub use reactions::topics_of;
pub use router::{Api, openapi, router};
pub use services::{Outside, Services};
