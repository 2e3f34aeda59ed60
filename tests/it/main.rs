//! The whole pipeline under test, as its users meet it.
//!
//! - `journey`: orders from POST to GET, down every road of the process.
//! - `http`: what the APIs promise beside the process: errors, keys, tokens.
//! - `crash`: a real process, killed again and again.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

mod crash;
mod http;
mod journey;
mod support;
