//! What the clauses write.

use std::sync::Arc;

use domain::values::Timestamp;
use domain::view::order_view::SCHEMA;
use domain::view::{Cells, Value};
use infra::ids;
use infra::view_store::{RowPatch, STAMPS_PER_SEQUENCE, StampedCell, Table, ViewStore};

/// The stamp of a fact's cells.
pub const fn of_fact(sequence: i64) -> i64 {
    sequence * STAMPS_PER_SEQUENCE
}

/// The number of a column.
pub fn column(name: &str) -> usize {
    let named = SCHEMA.columns.iter().position(|column| column.name == name);
    named.unwrap_or_else(|| panic!("there is no column {name}"))
}

pub fn cell(name: &str, value: Value, stamp: i64) -> StampedCell {
    StampedCell {
        column: column(name),
        value,
        stamp,
    }
}

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub fn micros(micros: i64) -> Value {
    Value::Time(Timestamp::from_micros(micros))
}

/// So many seconds after 1970.
pub fn second(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

/// The key of a row that nobody else writes.
pub fn key() -> Vec<Value> {
    vec![Value::Uuid(ids::order().0)]
}

pub fn row(key: &[Value], cells: impl IntoIterator<Item = StampedCell>) -> RowPatch {
    RowPatch {
        key: key.to_vec(),
        cells: cells.into_iter().collect(),
    }
}

/// What a row with these cells is read as.
pub fn read_as<'a>(cells: impl IntoIterator<Item = (&'a str, Value)>) -> Option<Cells> {
    let mut row = vec![None; SCHEMA.columns.len()];
    for (name, value) in cells {
        row[column(name)] = Some(value);
    }
    Some(row)
}

/// A table of the order view.
#[derive(Clone)]
pub struct OrderViews {
    pub views: Arc<dyn ViewStore>,
    table: Table,
}

impl OrderViews {
    /// The first table, made where it does not exist.
    pub async fn of(views: Arc<dyn ViewStore>) -> Self {
        Self::named(views, SCHEMA.name).await
    }

    pub async fn named(views: Arc<dyn ViewStore>, name: &str) -> Self {
        let table = Table {
            name: name.to_owned(),
        };
        views.create(&SCHEMA, &table).await.unwrap();
        Self { views, table }
    }

    pub async fn apply(&self, rows: Vec<RowPatch>) {
        self.views.apply(&SCHEMA, &self.table, rows).await.unwrap();
    }

    /// Writes one cell.
    pub async fn write(&self, key: &[Value], name: &str, value: Value, stamp: i64) {
        self.apply(vec![row(key, [cell(name, value, stamp)])]).await;
    }

    pub async fn get(&self, key: &[Value]) -> Option<Cells> {
        self.views.get(&SCHEMA, &self.table, key).await.unwrap()
    }

    /// Reads one cell.
    pub async fn read(&self, key: &[Value], name: &str) -> Option<Value> {
        self.get(key).await?.swap_remove(column(name))
    }
}
