//! The whole pipeline under test, as its users meet it.
//!
//! - `journey`: orders from POST to GET, down every road of the process.
//! - `http`: what the APIs promise beside the process: errors, keys, tokens.
//! - `contract`: what every adapter of a port promises.
//! - `architecture`, `schema`: what depends on what; contracts are files.
//! - `cqrs`: by way of cqrs-es, beside a stock repository of postgres-es.
//! - `cli`: the command line, as a process.
//! - `compose`: the image and how it is started.
//! - `handler`, `loops`: commands that meet, states that are stale, calls that fail.
//! - `dlq`: parked facts, taken up again.
//! - `secured`: servers with TLS and logins; secrets stay secret.
//! - `servers`: each role a process of its own, on real servers.
//! - `relay`: from a log to a topic, and what becomes of it when either is hurt.
//! - `telemetry`: metrics, traces, logs and `waybill status`.
//! - `rebuild`: views folded from the logs once more, and held against them.
//! - `recorded`: logs of every release, read by today's code.
//! - `verify`: what is damaged in a log or on a topic is found and named.
//! - `crash`: a real process, killed again and again.
//! - `overload`: more than can be served, and ends under load.
//! - `planted`: mistakes that a process is made to make are seen by all of these.
//! - `oracle`: what is left behind, looked at by somebody who shares no code with it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test ends where it fails, prints its seed, and spawns what it likes"
)]

mod architecture;
mod cli;
mod compose;
mod contract;
mod cqrs;
mod crash;
mod dlq;
mod handler;
mod http;
mod journey;
mod loops;
mod oracle;
mod overload;
mod planted;
mod rebuild;
mod recorded;
mod relay;
mod schema;
mod secured;
mod servers;
mod support;
mod telemetry;
mod verify;
