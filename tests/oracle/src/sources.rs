//! What is on servers, read with SQL, Kafka and CQL of our own.
//!
//! Offsets are read first and the views last: what a consumer has committed it has done before, so
//! that it must be seen in what is read later.

mod cassandra;
mod kafka;
mod postgres;

use anyhow::Result;

use crate::World;

/// Where a pipeline is.
#[derive(Debug, Clone)]
pub struct Servers {
    /// The server with the databases, as `postgres://user@host/any`.
    pub postgres: String,
    /// The server with the database of the inventory service, where it has one of its own.
    pub inventory: Option<String>,
    /// `host:port`, separated by commas.
    pub kafka: String,
    /// `host:port`, separated by commas.
    pub cassandra: String,
    /// In front of all names.
    pub prefix: String,
}

impl Servers {
    /// Adds everything that is on them.
    ///
    /// # Errors
    /// Says what could not be read.
    pub async fn read(&self, world: &mut World) -> Result<()> {
        kafka::read(self, world).await?;
        postgres::read(self, world).await?;
        cassandra::read(self, world).await
    }
}
