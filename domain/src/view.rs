//! Views: tables that are folded from facts and can be thrown away and folded again.
//!
//! Each column is written by the facts of exactly one stream, stamped with the fact's sequence.
//! So duplicates, reorders across streams and a full replay all end in the same row, and nothing
//! has to be read before it is written.

pub mod order_view;

use crate::values::{Item, Timestamp};
use crate::{Category, Recorded, Sequence};
use uuid::Uuid;

/// What a cell holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An id.
    Uuid(Uuid),
    /// A text.
    Text(String),
    /// A number.
    Int(i64),
    /// A moment.
    Time(Timestamp),
    /// The lines of an order.
    Items(Vec<Item>),
}

/// What kind of [`Value`] a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// [`Value::Uuid`]
    Uuid,
    /// [`Value::Text`]
    Text,
    /// [`Value::Int`]
    Int,
    /// [`Value::Time`]
    Time,
    /// [`Value::Items`]
    Items,
}

/// A column beside the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in the table.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// The one kind of stream whose facts write it.
    pub writer: Category,
}

/// What a table looks like. Columns are added at the end and never move: stores may keep a cell
/// by its column's number.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// The name of the view and of its first table.
    pub name: &'static str,
    /// Grows with every change of what the view's `project` writes; a table of an older revision
    /// has to be rebuilt.
    pub revision: u32,
    /// The columns of the key, the first of which partitions the table.
    pub key: &'static [(&'static str, Kind)],
    /// The others.
    pub columns: &'static [Column],
}

/// One cell, by the number of its column in [`Schema::columns`].
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Which column.
    pub column: usize,
    /// What it holds.
    pub value: Value,
}

/// What one fact writes into a view.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// Which row.
    pub key: Vec<Value>,
    /// The sequence of the fact, which orders it against others of its stream.
    pub sequence: Sequence,
    /// The cells, each of a column whose writer is the fact's stream.
    pub cells: Vec<Cell>,
}

/// A view: a table and what facts write into it.
pub trait View: Send + Sync + 'static {
    /// The table.
    fn schema(&self) -> &'static Schema;

    /// What the fact writes; `None` where it does not concern the view.
    fn project(&self, recorded: &Recorded) -> Option<Patch>;
}

/// The cells of one row, by column; `None` where no fact has written one yet.
pub type Cells = Vec<Option<Value>>;
