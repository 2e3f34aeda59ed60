//! Views: tables that are folded from facts and can be thrown away and folded again.
//!
//! Each column is written by the facts of exactly one stream, stamped with the fact's sequence.
//! So duplicates, reorders across streams and a full replay all end in the same row, and nothing
//! has to be read before it is written.

mod cells;
mod fold;
pub mod order_timeline;
pub mod order_view;
pub mod orders_by_customer;
mod status;
mod step;
mod versions;

use crate::values::{Item, OrderId, Timestamp};
use crate::{Category, Recorded, Sequence};
use uuid::Uuid;

pub use fold::Fold;
pub use status::{Status, Steps};
pub use versions::Versions;

/// Every view: each has a table, a consumer group that keeps it, and a place in every list.
pub static ALL: [&dyn View; 3] = [
    &order_view::OrderView,
    &orders_by_customer::OrdersByCustomer,
    &order_timeline::OrderTimeline,
];

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
    /// Whose facts write it.
    pub writer: Writer,
}

impl Column {
    /// A column that streams of one kind write.
    pub const fn of(name: &'static str, kind: Kind, category: Category) -> Self {
        let writer = Writer::Stream(category);
        Self { name, kind, writer }
    }

    /// A column of a row that is about one fact.
    pub const fn of_own_fact(name: &'static str, kind: Kind) -> Self {
        let writer = Writer::OwnFact;
        Self { name, kind, writer }
    }
}

/// The one stream of a row whose facts write a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The row's stream of this kind.
    Stream(Category),
    /// Of any kind: the fact's stream and sequence are in the key, so that no other fact writes the
    /// row.
    OwnFact,
}

/// In which order the rows of a partition are kept, and listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The smallest key first.
    Ascending,
    /// The largest key first.
    Descending,
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
    /// The columns of the key, the first of which partitions the table. One of them is
    /// [`ORDER_ID`].
    pub key: &'static [(&'static str, Kind)],
    /// How the rows of a partition are ordered, by the rest of their keys.
    pub direction: Direction,
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

/// The column of every key that says which order the row is about.
pub const ORDER_ID: &str = "order_id";

impl Schema {
    /// Which order a row is about, by its key.
    pub fn order_of(&self, key: &[Value]) -> Option<OrderId> {
        let mut columns = self.key.iter().zip(key);
        let (_, value) = columns.find(|((name, _), _)| *name == ORDER_ID)?;
        match value {
            Value::Uuid(id) => Some(OrderId(*id)),
            Value::Text(_) | Value::Int(_) | Value::Time(_) | Value::Items(_) => None,
        }
    }
}

/// A view: a table and what facts write into it.
pub trait View: Send + Sync + 'static {
    /// The table.
    fn schema(&self) -> &'static Schema;

    /// What the fact writes; `None` where it does not concern the view. A fact concerns one row.
    fn project(&self, recorded: &Recorded) -> Option<Patch>;

    /// What a row says of how much it has seen of each stream; `None` where its rows do not say that,
    /// each being written once.
    fn versions(&self, cells: &Cells) -> Option<Versions>;
}

/// The cells of one row, by column; `None` where no fact has written one yet.
pub type Cells = Vec<Option<Value>>;

#[cfg(test)]
mod tests;
