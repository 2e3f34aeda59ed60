//! A pipeline to test, clients for it, and patience.

mod client;
mod eventually;
mod pipeline;
pub mod provider;
mod servers;

pub use client::{Client, order_of};
pub use eventually::eventually;
pub use pipeline::{Fast, Pipeline};
pub use servers::{cassandra_nodes, kafka_brokers, own_prefix, postgres_url, redis_url};
