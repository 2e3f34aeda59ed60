//! The event stores of all four services in one folder, on fjall.
//!
//! One writer thread takes every append that waits, of whichever service, and makes them durable
//! with one fsync: the group commit. So a transaction can span whatever one request names, and
//! four logs cost one disk write.
//!
//! Layout, one keyspace each: `{service}_log` (position to fact), `{service}_streams` (stream and
//! sequence to position), and shared ones for replies, due rows, parked rows, checkpoints and
//! leases. Only facts and what is appended with them are fsynced; checkpoints are written behind
//! them in the same journal, so that a crash loses the last of these at most, in order.

mod database;
mod due;
mod keys;
mod leases;
mod log;
mod parked;
mod writer;

use std::fmt;
use std::sync::Arc;

use domain::Service;

use super::{EventStore, StoreError};

pub use database::{Database, DatabaseError};

/// The event store of one service in an open [`Database`].
#[derive(Clone)]
pub struct EmbeddedEventStore {
    service: Service,
    db: Arc<Database>,
}

impl EmbeddedEventStore {
    /// The store of `service`.
    pub fn new(db: Arc<Database>, service: Service) -> Self {
        Self { service, db }
    }

    /// Runs something that may wait for the disk without holding up other tasks.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(e) => Err(StoreError::Unavailable(e.to_string())),
        }
    }
}

impl EventStore for EmbeddedEventStore {
    fn service(&self) -> Service {
        self.service
    }
}

impl fmt::Debug for EmbeddedEventStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmbeddedEventStore({})", self.service)
    }
}

impl From<fjall::Error> for StoreError {
    fn from(e: fjall::Error) -> Self {
        match e {
            fjall::Error::Poisoned => {
                Self::Unavailable("an earlier write failed; the process has to be restarted".into())
            }
            e => Self::Unavailable(e.to_string()),
        }
    }
}

/// A row that this program wrote and cannot read.
fn corrupt(what: impl fmt::Display) -> StoreError {
    StoreError::Corrupt(what.to_string())
}

/// Rows that are small and seldom read are kept as JSON.
fn from_json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(corrupt)
}

fn to_json(value: &impl serde::Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(corrupt)
}
