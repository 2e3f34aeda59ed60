//! The engine that moves facts, and the ports that it needs.
//!
//! The engine first, each part in the order in which a fact meets it:
//!
//! - [`handler`]: load, decide, append. The only writer of facts.
//! - [`relay`]: publishes the log of a service to its topic, and says where the two do not fit.
//! - [`consumer`]: takes facts from the bus, in order per key, and parks what cannot be taken.
//! - [`redrive`]: takes parked facts up again, in order per key.
//! - [`due`]: runs outside calls and timers when their time has come.
//! - [`lease`]: work that only one process may do.
//! - [`monitor`]: keeps the metrics that have to be asked for.
//! - [`failure`]: what kinds of failure there are, and how long to wait after one.
//! - [`crash`]: the points in all of these at which a test has the process abort.
//! - [`planted`]: mistakes in all of these which a test has the process make.
//!
//! Then the ports; the adapters of each are in the folder of its name:
//!
//! - [`event_store`]: the log of a service, and what changes in the same transaction.
//! - [`bus`]: facts on their way to consumers; [`envelope`] is what a record of a broker is.
//! - [`view_store`]: tables folded from facts.
//! - [`cache`]: what only makes things faster.
//! - [`payment_provider`], [`courier`]: the outside.
//!
//! And what all of them share: [`codec`], [`config`], [`http`], [`telemetry`], [`tasks`],
//! [`clock`], [`ids`].

pub mod bus;
pub mod cache;
pub mod clock;
pub mod codec;
pub mod config;
pub mod consumer;
pub mod courier;
pub mod crash;
pub mod due;
pub mod envelope;
pub mod event_store;
pub mod failure;
pub mod handler;
pub mod http;
pub mod ids;
pub mod lease;
pub mod monitor;
mod origin;
pub mod payment_provider;
pub mod planted;
mod prefix;
pub mod redrive;
pub mod relay;
pub mod tasks;
pub mod telemetry;
mod tls;
pub mod view_store;

pub use origin::Origin;
