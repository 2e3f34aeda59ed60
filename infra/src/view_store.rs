//! The view store: tables whose cells carry the sequence of the fact that wrote them.
//!
//! A cell is replaced only by one with a higher stamp, so that writes may be repeated and may come
//! in any order.

mod cassandra;
mod embedded;
mod generations;
mod live;

use async_trait::async_trait;
use domain::view::{Cells, Direction, Schema, Value};
use tokio::sync::watch;

pub use cassandra::{
    CassandraPlace, CassandraViewStore, InvalidPlace, MigrateError, Migrated, TlsFiles,
    migrate_keyspace,
};
pub use embedded::EmbeddedViewStore;
pub use generations::{Generation, Generations, Rebuild, State};
pub use live::Live;

/// Sequences are multiplied by this to make a stamp; a repair of a cell adds its number.
pub const STAMPS_PER_SEQUENCE: i64 = 1024;

/// The most rows that are read at once. The largest that a view has are facts of a hundred lines,
/// some 12 KiB each.
pub const MAX_ROWS: usize = 500;

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

/// The cells of a row, by column. A column of a later revision than this program knows is left out.
pub fn cells_of(schema: &Schema, stamped: impl IntoIterator<Item = StampedCell>) -> Cells {
    let mut cells: Cells = vec![None; schema.columns.len()];
    for cell in stamped {
        if let Some(place) = cells.get_mut(cell.column) {
            *place = Some(cell.value);
        }
    }
    cells
}

/// Which rows of a partition to read.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a> {
    /// The partition: the value of the first column of the key.
    pub partition: &'a Value,
    /// The row behind which to begin, by all of the rest of its key, whether it is there or not; at
    /// the end of the partition where there is none.
    pub after: Option<&'a [Value]>,
    /// Against the schema's direction.
    pub backwards: bool,
    /// How many rows, [`MAX_ROWS`] at most.
    pub limit: usize,
}

impl Slice<'_> {
    /// How many rows are read.
    fn rows(&self) -> usize {
        self.limit.min(MAX_ROWS)
    }

    /// The direction in which the values of the keys go.
    fn direction(&self, schema: &Schema) -> Direction {
        match (schema.direction, self.backwards) {
            (Direction::Ascending, false) | (Direction::Descending, true) => Direction::Ascending,
            (Direction::Descending, false) | (Direction::Ascending, true) => Direction::Descending,
        }
    }
}

/// A row of a partition.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The rest of its key, behind the partition.
    pub rest: Vec<Value>,
    /// What is in it.
    pub cells: Cells,
}

/// A row that a scan met.
#[derive(Debug, Clone, PartialEq)]
pub struct Scanned {
    /// All of its key.
    pub key: Vec<Value>,
    /// What is in it; `None` where that cannot be read.
    pub cells: Option<Cells>,
}

/// Where a scan goes on: whatever the store needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanCursor(pub Vec<u8>);

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

    /// Reads rows of a partition in the order of the schema's direction, by the rest of their keys:
    /// numbers and times by size, texts by their bytes, order ids (UUID v7) by age, other UUIDs in
    /// an order of the store's own. Fewer rows than asked for, [`MAX_ROWS`] at most, are all that
    /// are left. A row that is there all the while is in no two slices that follow each other, and
    /// in one of them; one that comes meanwhile is, where it belongs behind the slice.
    ///
    /// # Errors
    /// [`ViewError`]
    async fn list(
        &self,
        schema: &'static Schema,
        table: &Table,
        slice: Slice<'_>,
    ) -> Result<Vec<Row>, ViewError>;

    /// Makes a table of a view, durably, where it is not there; all nodes know it when this returns.
    ///
    /// # Errors
    /// [`ViewError`]
    async fn make(&self, schema: &'static Schema, table: &Table) -> Result<(), ViewError>;

    /// Removes a table and all that is in it; nothing where it is not there.
    ///
    /// # Errors
    /// [`ViewError`]
    async fn remove(&self, table: &Table) -> Result<(), ViewError>;

    /// Reads some of all rows of a table, from the first on or from where `after` goes on, in an order
    /// of the store's own, [`MAX_ROWS`] at most; and says where to go on, where there is more. A row
    /// that is there all the while is met once.
    ///
    /// # Errors
    /// [`ViewError`]
    async fn scan(
        &self,
        schema: &'static Schema,
        table: &Table,
        after: Option<&ScanCursor>,
    ) -> Result<(Vec<Scanned>, Option<ScanCursor>), ViewError>;

    /// The cells of a row with their stamps, in the order of the columns; none where there is no row.
    ///
    /// # Errors
    /// [`ViewError`]
    async fn stamped(
        &self,
        schema: &'static Schema,
        table: &Table,
        key: &[Value],
    ) -> Result<Vec<StampedCell>, ViewError>;

    /// How the generations of a view stand; `None` where that was never said.
    ///
    /// # Errors
    /// [`ViewError`]
    async fn generations(&self, view: &str) -> Result<Option<Generations>, ViewError>;

    /// Says how they stand, durably and for all processes at once, where they stand as when
    /// `generations` was read, by its version (0 for none); false, and nothing is done, where
    /// somebody else has changed them since. The version grows by one.
    ///
    /// # Errors
    /// [`ViewError`]; it may have been done all the same.
    async fn replace_generations(
        &self,
        view: &str,
        generations: &Generations,
    ) -> Result<bool, ViewError>;

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
