//! The keys.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A key and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it means, in one sentence.
    pub help: &'static str,
}

macro_rules! settings {
    ($($(#[doc = $help:literal])+ $name:ident: $type:ty = $default:expr;)+) => {
        /// The values of all keys, as they are written.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Settings {
            $($(#[doc = $help])+ pub $name: $type,)+
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        /// Every key, in the order of the documentation.
        pub const KEYS: &[Key] = &[
            $(Key { name: stringify!($name), help: concat!($($help),+) },)+
        ];
    };
}

settings! {
    /// Where the embedded store keeps its data.
    data_dir: PathBuf = "waybill-data".into();
    /// Where the command API listens.
    command_addr: String = "127.0.0.1:8080".into();
    /// Where the query API listens.
    query_addr: String = "127.0.0.1:8081".into();
    /// How long a read with ?after= waits for the view, in milliseconds.
    fresh_wait_ms: u64 = 5000;
    /// How long an order may take until its delivery is requested, in milliseconds; 0 is for ever.
    order_deadline_ms: u64 = 900_000;
    /// How long replies are kept under their idempotency keys, in days.
    idempotency_days: u64 = 7;
    /// Which payment provider is called: simulated.
    payment_provider: String = "simulated".into();
    /// How many of a hundred simulated authorizations succeed.
    payment_success_rate: u64 = 80;
    /// How long a simulated call to the provider takes, in milliseconds.
    payment_delay_ms: u64 = 2000;
    /// What simulated outcomes are drawn from.
    payment_seed: u64 = 0;
    /// Who brings the goods: simulated, or none for people at the HTTP endpoints.
    courier: String = "simulated".into();
    /// How long the simulated courier takes to assign a driver, in milliseconds.
    courier_assign_ms: u64 = 2000;
    /// How long it takes from there until the goods leave, in milliseconds.
    courier_dispatch_ms: u64 = 4000;
    /// How long it takes from there until they arrive, in milliseconds.
    courier_deliver_ms: u64 = 4000;
    /// How long a lease lasts, in milliseconds; it is renewed three times as often.
    lease_ms: u64 = 10_000;
    /// How long work in hand may take when the process is asked to end, in milliseconds.
    drain_ms: u64 = 20_000;
    /// What is logged: a level, or a filter such as info,infra=debug.
    log: String = "info,fjall=warn,lsm_tree=warn".into();
}
