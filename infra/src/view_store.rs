//! The view store: tables whose cells carry the sequence of the fact that wrote them.
//!
//! A cell is replaced only by one with a higher stamp, so that writes may be repeated and may come
//! in any order.

mod cassandra;
mod embedded;

use async_trait::async_trait;
use domain::view::{Cells, Schema, Value};
use tokio::sync::watch;

pub use cassandra::{
    CassandraPlace, CassandraViewStore, InvalidPlace, MigrateError, Migrated, TlsFiles,
    migrate_keyspace,
};
pub use embedded::EmbeddedViewStore;

/// Sequences are multiplied by this to make a stamp; a repair of a cell adds its number.
pub const STAMPS_PER_SEQUENCE: i64 = 1024;

/// A table of a view.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Table {
    /// Its name; the first of a view is named as the view.
    pub name: String,
}

/// Cells of one row, to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct RowPatch {
    /// Which row.
    pub key: Vec<Value>,
    /// The cells, at most one a column.
    pub cells: Vec<StampedCell>,
}

/// A cell and what orders it against others.
#[derive(Debug, Clone, PartialEq)]
pub struct StampedCell {
    /// The number of its column in the schema.
    pub column: usize,
    /// What it holds.
    pub value: Value,
    /// The sequence of the fact that wrote it, times [`STAMPS_PER_SEQUENCE`].
    pub stamp: i64,
}

/// Where views are kept.
#[async_trait]
pub trait ViewStore: Send + Sync + 'static {
    /// Makes the table where it does not exist, or where tables are made by a migration, looks
    /// whether it is there with all columns.
    ///
    /// # Errors
    /// [`ViewError`]
    async fn create(&self, schema: &'static Schema, table: &Table) -> Result<(), ViewError>;

    /// Writes cells: each takes the place of one with a lower stamp, and is dropped before one
    /// with a higher; of two with one stamp the larger value stays. Once this returns, reads see
    /// them.
    ///
    /// # Errors
    /// [`ViewError`]; some of the rows may then be written, and all may be written again.
    async fn apply(
        &self,
        schema: &'static Schema,
        table: &Table,
        rows: Vec<RowPatch>,
    ) -> Result<(), ViewError>;

    /// Reads a row; `None` where no cell of it was ever written.
    ///
    /// # Errors
    /// [`ViewError`]
    async fn get(
        &self,
        schema: &'static Schema,
        table: &Table,
        key: &[Value],
    ) -> Result<Option<Cells>, ViewError>;

    /// Changes after this process has written; a reader that waits for another process's writes
    /// looks by itself from time to time.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Whether views can be read and written now; answers within seconds.
    ///
    /// # Errors
    /// [`ViewError::Unavailable`], which says what is missing.
    async fn ready(&self) -> Result<(), ViewError>;
}

/// Why the view store did not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ViewError {
    /// It cannot be reached, or cannot write. Trying later may help.
    #[error("the view store is unavailable: {0}")]
    Unavailable(String),
    /// A row cannot be read.
    #[error("the view store holds something unreadable: {0}")]
    Corrupt(String),
}
