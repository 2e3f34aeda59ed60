//! Views in the data folder, one keyspace a table.
//!
//! A row is one entry that holds its cells with their stamps, and entries sort as the keys of their
//! rows do, so that a partition is a range of them. Writes are not fsynced: they stand
//! in the same journal as the checkpoints of who wrote them, before these, so that after a crash
//! what is missing is written again. Tables themselves, and how generations stand, are on the disk
//! when a call returns.

mod generations;
mod key;
mod row;
mod tables;

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use domain::view::{Cells, Direction, Schema, Value};
use fjall::{Guard, PersistMode};
use tokio::sync::watch;

use super::{
    Generations, MAX_ROWS, Row, RowPatch, ScanCursor, Scanned, Slice, StampedCell, Table,
    ViewError, ViewStore, cells_of,
};
use crate::event_store::Database;
use tables::Tables;

/// The view store of an open data folder.
#[derive(Clone)]
pub struct EmbeddedViewStore {
    inner: Arc<Inner>,
}

struct Inner {
    tables: Tables,
    generations: generations::Stored,
    changes: watch::Sender<u64>,
}

impl EmbeddedViewStore {
    /// The views in `db`.
    pub fn new(db: Arc<Database>) -> Self {
        Self {
            inner: Arc::new(Inner {
                tables: Tables::of(db.clone()),
                generations: generations::Stored::of(db),
                changes: watch::Sender::new(0),
            }),
        }
    }

    /// Runs something that may wait for the disk without holding up other tasks.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        let inner = self.inner.clone();
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.map_err(|e| ViewError::Unavailable(e.to_string()))?
    }
}

impl Inner {
    fn merge(&self, table: &Table, rows: Vec<RowPatch>) -> Result<(), ViewError> {
        let _one_at_a_time = self.tables.writing();
        let keyspace = self.tables.to_write(table)?;
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
        let batch = self.tables.db().engine().batch();
        let mut batch = batch.durability(Some(PersistMode::Buffer));
        for (key, cells) in merged {
            batch.insert(&keyspace, key, row::encode(&cells));
        }
        batch.commit().map_err(unavailable)
    }

    fn row(&self, table: &Table, key: &[Value]) -> Result<Option<row::Row>, ViewError> {
        let Some(keyspace) = self.tables.to_read(table)? else {
            return Ok(None);
        };
        let bytes = keyspace.get(key::encode(key)).map_err(unavailable)?;
        bytes.map(|bytes| row::decode(&bytes)).transpose()
    }
}

#[async_trait]
impl ViewStore for EmbeddedViewStore {
    async fn create(&self, _: &'static Schema, table: &Table) -> Result<(), ViewError> {
        let table = table.clone();
        self.blocking(move |inner| inner.tables.make(&table)).await
    }

    async fn apply(
        &self,
        _: &'static Schema,
        table: &Table,
        rows: Vec<RowPatch>,
    ) -> Result<(), ViewError> {
        let table = table.clone();
        self.blocking(move |inner| inner.merge(&table, rows))
            .await?;
        self.inner.changes.send_modify(|n| *n += 1);
        Ok(())
    }

    async fn get(
        &self,
        schema: &'static Schema,
        table: &Table,
        key: &[Value],
    ) -> Result<Option<Cells>, ViewError> {
        let Some(row) = self.inner.row(table, key)? else {
            return Ok(None);
        };
        Ok(Some(cells_of(schema, row)))
    }

    async fn list(
        &self,
        schema: &'static Schema,
        table: &Table,
        slice: Slice<'_>,
    ) -> Result<Vec<Row>, ViewError> {
        let Some(keyspace) = self.inner.tables.to_read(table)? else {
            return Ok(vec![]);
        };
        let (range, direction, limit) =
            (range(&slice, schema), slice.direction(schema), slice.rows());
        let read = move |_: &Inner| {
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
        self.blocking(read).await
    }

    async fn make(&self, schema: &'static Schema, table: &Table) -> Result<(), ViewError> {
        self.create(schema, table).await
    }

    async fn remove(&self, table: &Table) -> Result<(), ViewError> {
        let table = table.clone();
        self.blocking(move |inner| inner.tables.remove(&table))
            .await
    }

    async fn scan(
        &self,
        schema: &'static Schema,
        table: &Table,
        after: Option<&ScanCursor>,
    ) -> Result<(Vec<Scanned>, Option<ScanCursor>), ViewError> {
        let Some(keyspace) = self.inner.tables.to_read(table)? else {
            return Ok((vec![], None));
        };
        let begin = match after {
            Some(ScanCursor(last)) => Bound::Excluded(last.clone()),
            None => Bound::Unbounded,
        };
        self.blocking(move |_| {
            let mut entries = keyspace.range((begin, Bound::Unbounded));
            let (mut rows, mut last) = (vec![], None);
            for entry in entries.by_ref().take(MAX_ROWS) {
                let (key, bytes) = entry.into_inner().map_err(unavailable)?;
                rows.push(Scanned {
                    key: key_of(schema, &key)?,
                    cells: row::decode(&bytes).map(|row| cells_of(schema, row)).ok(),
                });
                last = Some(key);
            }
            let more = entries.next().is_some();
            let last = last.filter(|_| more);
            Ok((rows, last.map(|last| ScanCursor(last.to_vec()))))
        })
        .await
    }

    async fn stamped(
        &self,
        schema: &'static Schema,
        table: &Table,
        key: &[Value],
    ) -> Result<Vec<StampedCell>, ViewError> {
        let mut row = self.inner.row(table, key)?.unwrap_or_default();
        row.retain(|cell| cell.column < schema.columns.len());
        Ok(row)
    }

    async fn generations(&self, view: &str) -> Result<Option<Generations>, ViewError> {
        let view = view.to_owned();
        self.blocking(move |inner| inner.generations.read(&view))
            .await
    }

    async fn replace_generations(
        &self,
        view: &str,
        generations: &Generations,
    ) -> Result<bool, ViewError> {
        let (view, generations) = (view.to_owned(), generations.clone());
        self.blocking(move |inner| inner.generations.replace(&view, generations))
            .await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Whoever holds the folder can use it.
    async fn ready(&self) -> Result<(), ViewError> {
        Ok(())
    }
}

fn key_of(schema: &Schema, bytes: &[u8]) -> Result<Vec<Value>, ViewError> {
    let kinds = schema.key.iter().map(|(_, kind)| *kind);
    let key = key::decode(kinds, bytes);
    key.ok_or_else(|| ViewError::Corrupt(format!("a key of {}", schema.name)))
}

fn row(schema: &Schema, entry: Guard) -> Result<Row, ViewError> {
    let (key, bytes) = entry.into_inner().map_err(unavailable)?;
    Ok(Row {
        rest: key_of(schema, &key)?.split_off(1),
        cells: cells_of(schema, row::decode(&bytes)?),
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
