//! What a port promises, written once against its trait and run for every adapter.
//!
//! Each port has a list of clauses, every clause a sentence and a test on an instance of its own.
//! Another adapter is one line more in the port's file, and a type that says how an empty
//! instance is started, and where that makes sense how it is started anew.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics has failed, and says where"
)]

/// One test a clause, each on what `$start` gives; `if_there` for an adapter whose server may be
/// missing, where `$start` gives an option.
macro_rules! contract {
    ($adapter:ident, $start:path; $($group:ident: $($clause:ident),+;)+) => {
        mod $adapter {
            use super::*;

            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $clause() {
                    super::$group::$clause($start().await).await;
                }
            )+)+
        }
    };
    ($adapter:ident, if_there $start:path; $($group:ident: $($clause:ident),+;)+) => {
        mod $adapter {
            use super::*;

            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $clause() {
                    if let Some(started) = $start().await {
                        super::$group::$clause(started).await;
                    }
                }
            )+)+
        }
    };
}

pub mod bus;
mod cache;
mod cassandra;
mod courier;
mod embedded;
mod event_store;
pub mod kafka;
mod payment_provider;
pub mod postgres;
mod view_store;

pub use cassandra::Cassandra;
pub use embedded::Embedded;
pub use event_store::Stores;
pub use event_store::given::{ALL, fact, parked_fact, stream, to};
pub use postgres::Databases;
pub use view_store::Views;
