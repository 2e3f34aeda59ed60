//! Views in the data folder, one keyspace a table.
//!
//! A row is one entry that holds its cells with their stamps, and entries sort as the keys of their
//! rows do, so that a partition is a range of them. Writes are not fsynced: they stand
//! in the same journal as the checkpoints of who wrote them, before these, so that after a crash
//! what is missing is written again.

mod key;
mod row;

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use domain::view::{Cells, Direction, Schema, Value};
use fjall::{Guard, Keyspace, PersistMode};
use tokio::sync::watch;

use super::{Row, RowPatch, Slice, Table, ViewError, ViewStore};
use crate::event_store::Database;

/// The view store of an open data folder.
#[derive(Clone)]
pub struct EmbeddedViewStore {
    inner: Arc<Inner>,
}

struct Inner {
    db: Arc<Database>,
    tables: Mutex<HashMap<String, Keyspace>>,
    /// Rows are read, merged and written by one at a time.
    writing: Mutex<()>,
    changes: watch::Sender<u64>,
}

impl EmbeddedViewStore {
    /// The views in `db`.
    pub fn new(db: Arc<Database>) -> Self {
        Self {
            inner: Arc::new(Inner {
                db,
                tables: Mutex::default(),
                writing: Mutex::default(),
                changes: watch::Sender::new(0),
            }),
        }
    }
}

impl Inner {
    fn keyspace(&self, table: &Table) -> Result<Keyspace, ViewError> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keyspace) = tables.get(&table.name) {
            return Ok(keyspace.clone());
        }
        let keyspace = self.db.keyspace(&format!("view_{}", table.name));
        let keyspace = keyspace.map_err(|e| ViewError::Unavailable(e.to_string()))?;
        tables.insert(table.name.clone(), keyspace.clone());
        Ok(keyspace)
    }

    fn merge(&self, table: &Table, rows: Vec<RowPatch>) -> Result<(), ViewError> {
        let keyspace = self.keyspace(table)?;
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // One entry a key, for all entries of a batch have one sequence number in the engine.
        let mut merged: HashMap<Vec<u8>, row::Row> = HashMap::with_capacity(rows.len());
        // A row exists once it has a cell.
        for patch in rows.into_iter().filter(|patch| !patch.cells.is_empty()) {
            let key = key::encode(&patch.key);
            let stored = match merged.remove(&key) {
                Some(row) => row,
                None => match keyspace.get(&key).map_err(unavailable)? {
                    Some(bytes) => row::decode(&bytes)?,
                    None => row::Row::default(),
                },
            };
            merged.insert(key, row::merge(stored, patch.cells));
        }
        let mut batch = self
            .db
            .engine()
            .batch()
            .durability(Some(PersistMode::Buffer));
        for (key, cells) in merged {
            batch.insert(&keyspace, key, row::encode(&cells));
        }
        batch.commit().map_err(unavailable)
    }
}

#[async_trait]
impl ViewStore for EmbeddedViewStore {
    async fn create(&self, _: &'static Schema, table: &Table) -> Result<(), ViewError> {
        self.inner.keyspace(table).map(drop)
    }

    async fn apply(
        &self,
        _: &'static Schema,
        table: &Table,
        rows: Vec<RowPatch>,
    ) -> Result<(), ViewError> {
        let (inner, table) = (self.inner.clone(), table.clone());
        let written = tokio::task::spawn_blocking(move || inner.merge(&table, rows)).await;
        written.map_err(|e| ViewError::Unavailable(e.to_string()))??;
        self.inner.changes.send_modify(|n| *n += 1);
        Ok(())
    }

    async fn get(
        &self,
        schema: &'static Schema,
        table: &Table,
        key: &[Value],
    ) -> Result<Option<Cells>, ViewError> {
        let keyspace = self.inner.keyspace(table)?;
        let Some(bytes) = keyspace.get(key::encode(key)).map_err(unavailable)? else {
            return Ok(None);
        };
        cells(schema, &bytes).map(Some)
    }

    async fn list(
        &self,
        schema: &'static Schema,
        table: &Table,
        slice: Slice<'_>,
    ) -> Result<Vec<Row>, ViewError> {
        let keyspace = self.inner.keyspace(table)?;
        let (range, direction, limit) =
            (range(&slice, schema), slice.direction(schema), slice.rows());
        let read = move || -> Result<Vec<Row>, ViewError> {
            let entries = keyspace.range(range);
            match direction {
                Direction::Ascending => entries
                    .take(limit)
                    .map(|entry| row(schema, entry))
                    .collect(),
                Direction::Descending => {
                    let entries = entries.rev().take(limit);
                    entries.map(|entry| row(schema, entry)).collect()
                }
            }
        };
        let read = tokio::task::spawn_blocking(read).await;
        read.map_err(|e| ViewError::Unavailable(e.to_string()))?
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Whoever holds the folder can use it.
    async fn ready(&self) -> Result<(), ViewError> {
        Ok(())
    }
}

/// The cells of a row, by column.
fn cells(schema: &Schema, bytes: &[u8]) -> Result<Cells, ViewError> {
    let mut cells: Cells = vec![None; schema.columns.len()];
    for cell in row::decode(bytes)? {
        // A column of a later revision than this program knows is left alone.
        if let Some(place) = cells.get_mut(cell.column) {
            *place = Some(cell.value);
        }
    }
    Ok(cells)
}

fn row(schema: &Schema, entry: Guard) -> Result<Row, ViewError> {
    let (key, bytes) = entry.into_inner().map_err(unavailable)?;
    let kinds = schema.key.iter().map(|(_, kind)| *kind);
    let key = key::decode(kinds, &key);
    let mut key = key.ok_or_else(|| ViewError::Corrupt(format!("a key of {}", schema.name)))?;
    Ok(Row {
        rest: key.split_off(1),
        cells: cells(schema, &bytes)?,
    })
}

/// The keys of a slice: of its partition, and behind where it begins.
fn range(slice: &Slice<'_>, schema: &Schema) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let partition = key::encode(std::slice::from_ref(slice.partition));
    let end = match key::after_all_of(&partition) {
        Some(end) => Bound::Excluded(end),
        None => Bound::Unbounded,
    };
    let begin = Bound::Included(partition.clone());
    let Some(after) = slice.after else {
        return (begin, end);
    };
    let after = Bound::Excluded([partition, key::encode(after)].concat());
    match slice.direction(schema) {
        Direction::Ascending => (after, end),
        Direction::Descending => (begin, after),
    }
}

fn unavailable(e: fjall::Error) -> ViewError {
    ViewError::Unavailable(e.to_string())
}
