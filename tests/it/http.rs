//! What the APIs promise beside the process.

mod at;
mod bad_input;
mod both_stores;
mod customers;
mod idempotency;
mod many_orders;
mod probes;
mod queries;
mod timeline;
mod tokens;
