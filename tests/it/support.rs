//! A pipeline to test, clients for it, and patience.

mod client;
mod eventually;
mod listening;
mod moment;
mod order;
mod pipeline;
mod place;
pub mod provider;
pub mod proxy;
mod remove;
mod role;
mod servers;
mod settings;
pub mod torture;

pub use client::{Client, Reply, order_of};
pub use eventually::{eventually, eventually_within};
pub use listening::serve_all;
pub use moment::{Moment, settled};
pub use order::order_of_three;
pub use pipeline::{Fast, Pipeline};
pub use place::{Addresses, Place};
pub use remove::remove_unless_failed;
pub use role::{Role, resident_mb};
pub use servers::{cassandra_nodes, kafka_brokers, own_prefix, postgres_url, redis_url};
pub use settings::config_of;
