//! What the APIs promise beside the process.

mod bad_input;
mod idempotency;
mod probes;
mod tokens;
