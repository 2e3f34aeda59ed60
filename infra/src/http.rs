//! What both HTTP APIs share: problems, bodies, limits, health and metrics.

mod body;
mod draining;
mod gate;
mod limits;
mod probes;
mod problem;
mod token;

pub use body::{Body, Json, MAX_BODY_BYTES, PathParam};
pub use draining::draining;
pub use limits::{MAX_IN_FLIGHT, REQUEST_TIMEOUT, not_found, with_limits};
pub use probes::{Check, Checks, Health, Readiness, probes, within};
pub use problem::{Problem, ProblemBody};
pub use token::{After, TOKEN_HEADER, fact_of, not_shown, not_yet};
