//! Connections and servers that fail in every way while difficult customers order, and the oracle's
//! word on what is left (I1 to I12).
//!
//! - `stage`: a fleet, its customers, its provider with books, and the oracle.
//! - `proxied`: every connection to a server goes through a proxy that delays, cuts, half-opens, and
//!   loses answers after the server has acted.
//! - `kills`: the servers are killed, wholly and in parts, and Redis forgets everything.
//! - `zombies`: processes that stand still for longer than anybody waits for them, and go on.

mod kills;
mod proxied;
mod stage;
mod zombies;

pub use stage::{Stage, stub};
