//! Rows of a table held against what the logs say of them.
//!
//! A row is compared with the fold of the logs up to the versions that the row itself states. So a
//! row that is only behind is told from one that is wrong, while commands keep coming.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::view::{Cells, Column, ORDER_ID, Patch, Value, Versions, Writer};
use domain::{Category, Sequence, View};
use futures::stream::{self, StreamExt, TryStreamExt};
use infra::event_store::{EventStore, StoreError};
use infra::view_store::{
    MAX_ROWS, RowPatch, STAMPS_PER_SEQUENCE, Slice, Table, ViewError, ViewStore, cells_of,
};

use crate::fold::{Fold, sort_key, stamp_of};
use crate::orders::{OfOrder, facts_of};

/// Rows that are read at a time. A read waits for no disk to sync, and a chunk is two rounds of them.
const READS: usize = 128;

/// A row as the logs have it.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Its key.
    pub key: Vec<Value>,
    /// What each fact writes into it, and of which stream it is.
    writes: Vec<(Category, Patch)>,
}

/// What was found of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// No cell of it.
    Nothing,
    /// Its cells.
    Row(Cells),
    /// Something that is no row of the view, and why.
    Unreadable(String),
}

impl Found {
    /// What a read of a row came to.
    ///
    /// # Errors
    /// [`ViewError::Unavailable`]
    pub fn of(read: Result<Option<Cells>, ViewError>) -> Result<Self, ViewError> {
        match read {
            Ok(None) => Ok(Self::Nothing),
            Ok(Some(cells)) => Ok(Self::Row(cells)),
            Err(ViewError::Corrupt(why)) => Ok(Self::Unreadable(why)),
            Err(e @ ViewError::Unavailable(_)) => Err(e),
        }
    }
}

/// How a row stands against the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As they have it.
    Equal,
    /// As they had it, and not all of what they have.
    Behind,
    /// It is not there.
    Missing,
    /// It holds something else.
    Different,
    /// It holds something that is no row of the view.
    Unreadable,
}

impl Expected {
    /// The rows of an order.
    pub fn of(view: &dyn View, order: &OfOrder) -> Vec<Self> {
        let mut rows: BTreeMap<Vec<u8>, Self> = BTreeMap::new();
        for fact in &order.facts {
            let Some(patch) = view.project(fact) else {
                continue;
            };
            let row = rows.entry(sort_key(&patch.key));
            let row = row.or_insert_with(|| Self {
                key: patch.key.clone(),
                writes: vec![],
            });
            row.writes.push((fact.fact.category(), patch));
        }
        rows.into_values().collect()
    }

    /// The row, to be written.
    pub fn patch(&self) -> RowPatch {
        self.folded(|_, _| true)
    }

    /// The row as a store gives it.
    pub fn cells(&self, view: &dyn View) -> Cells {
        cells_of(view.schema(), self.patch().cells)
    }

    /// The row when it had seen what this one says that it has.
    pub fn as_seen_by(&self, view: &dyn View, found: &Cells) -> Cells {
        match view.versions(found) {
            Some(seen) if !self.is_passed_by(seen) => self.as_of(view, seen),
            Some(_) | None => self.cells(view),
        }
    }

    /// Whether somebody says to have seen more than there is.
    fn is_passed_by(&self, seen: Versions) -> bool {
        Category::OF_ORDERS
            .into_iter()
            .any(|of| seen.of(of) > Some(self.version(of)))
    }

    /// The row when it had seen these versions.
    fn as_of(&self, view: &dyn View, seen: Versions) -> Cells {
        let row = self.folded(|category, sequence| {
            seen.of(category).is_some_and(|version| sequence <= version)
        });
        cells_of(view.schema(), row.cells)
    }

    fn folded(&self, is_in: impl Fn(Category, Sequence) -> bool) -> RowPatch {
        let mut fold = Fold::default();
        for (category, patch) in &self.writes {
            if is_in(*category, patch.sequence) {
                fold.add(Some(patch.clone()));
            }
        }
        let key = self.key.clone();
        let cells = fold.rows().pop().map(|row| row.cells).unwrap_or_default();
        RowPatch { key, cells }
    }

    /// The last sequence of a stream; 0 where nothing of it is in the row.
    fn version(&self, category: Category) -> Sequence {
        let of = self.writes.iter().filter(|(of, _)| *of == category);
        of.map(|(_, patch)| patch.sequence).max().unwrap_or(0)
    }

    /// The highest stamp that a cell of this column can have until the next fact: that of the last
    /// fact of the stream that writes it, repaired as often as can be.
    pub fn last_stamp(&self, column: &Column) -> i64 {
        let writes = self.writes.iter().filter(|(of, _)| match column.writer {
            Writer::Stream(category) => category == *of,
            Writer::OwnFact => true,
        });
        let last = writes.map(|(_, patch)| patch.sequence).max();
        stamp_of(last.unwrap_or(0)).saturating_add(STAMPS_PER_SEQUENCE - 1)
    }

    /// How a row stands that was read before the logs were.
    pub fn standing(&self, view: &dyn View, found: &Found) -> Standing {
        let found = match found {
            Found::Nothing => return Standing::Missing,
            Found::Unreadable(_) => return Standing::Unreadable,
            Found::Row(cells) => cells,
        };
        if *found == self.cells(view) {
            return Standing::Equal;
        }
        if *found == self.as_seen_by(view, found) {
            Standing::Behind
        } else {
            Standing::Different
        }
    }

    /// Whether a row has seen all that this one has.
    pub fn is_seen_by(&self, view: &dyn View, found: &Cells) -> bool {
        let Some(seen) = view.versions(found) else {
            return true;
        };
        Category::OF_ORDERS
            .into_iter()
            .all(|of| seen.of(of) >= Some(self.version(of)))
    }
}

/// What the logs say of a row.
pub enum Told {
    /// This.
    Row(Expected),
    /// No fact writes it.
    Nothing,
    /// A fact of its order cannot be read, and nobody knows what it writes.
    Unknown,
}

/// What the logs say now of the row of this key.
///
/// # Errors
/// [`StoreError`]
pub async fn of_logs(
    logs: &[Arc<dyn EventStore>],
    view: &dyn View,
    key: &[Value],
) -> Result<Told, StoreError> {
    let Some(order) = view.schema().order_of(key) else {
        return Ok(Told::Nothing);
    };
    let facts = facts_of(logs, order).await?;
    if !facts.unreadable.is_empty() {
        return Ok(Told::Unknown);
    }
    let mut rows = Expected::of(view, &facts).into_iter();
    let row = rows.find(|row| row.key == key);
    Ok(row.map_or(Told::Nothing, Told::Row))
}

/// Reads rows, in the order in which they are asked for.
///
/// # Errors
/// [`ViewError`]
pub async fn read(
    store: &Arc<dyn ViewStore>,
    view: &'static dyn View,
    table: &Table,
    rows: &[Expected],
) -> Result<Vec<Found>, ViewError> {
    if let [(ORDER_ID, _), _, ..] = view.schema().key {
        match read_partitions(store, view, table, rows).await {
            // One by one, so that the one that cannot be read is known.
            Err(ViewError::Corrupt(_)) => {}
            read => return read,
        }
    }
    let keys = rows.iter().map(|row| row.key.clone());
    let reads = keys.map(|key| row(store.clone(), view, table.clone(), key));
    stream::iter(reads.collect::<Vec<_>>())
        .buffered(READS)
        .try_collect()
        .await
}

async fn row(
    store: Arc<dyn ViewStore>,
    view: &'static dyn View,
    table: Table,
    key: Vec<Value>,
) -> Result<Found, ViewError> {
    Found::of(store.get(view.schema(), &table, &key).await)
}

/// The same where a partition is an order: one read has all of its rows.
async fn read_partitions(
    store: &Arc<dyn ViewStore>,
    view: &'static dyn View,
    table: &Table,
    rows: &[Expected],
) -> Result<Vec<Found>, ViewError> {
    let mut orders: Vec<Value> = vec![];
    for partition in rows.iter().filter_map(|row| row.key.first()) {
        if orders.last() != Some(partition) {
            orders.push(partition.clone());
        }
    }
    let reads = orders
        .into_iter()
        .map(|order| partition(store.clone(), view, table.clone(), order));
    let partitions: Vec<Vec<_>> = stream::iter(reads.collect::<Vec<_>>())
        .buffered(READS)
        .try_collect()
        .await?;
    let mut found: BTreeMap<Vec<u8>, Cells> = BTreeMap::new();
    for (key, cells) in partitions.into_iter().flatten() {
        found.insert(sort_key(&key), cells);
    }
    let rows = rows.iter();
    let rows = rows.map(|row| found.remove(&sort_key(&row.key)));
    Ok(rows
        .map(|cells| cells.map_or(Found::Nothing, Found::Row))
        .collect())
}

/// All rows of a partition, with their keys.
///
/// # Errors
/// [`ViewError`]
pub async fn partition(
    store: Arc<dyn ViewStore>,
    view: &'static dyn View,
    table: Table,
    partition: Value,
) -> Result<Vec<(Vec<Value>, Cells)>, ViewError> {
    let schema = view.schema();
    let mut rows: Vec<(Vec<Value>, Cells)> = vec![];
    loop {
        let after = rows.last().map(|(key, _)| key[1..].to_vec());
        let slice = Slice {
            partition: &partition,
            after: after.as_deref(),
            backwards: false,
            limit: MAX_ROWS,
        };
        let page = store.list(schema, &table, slice).await?;
        let last = page.len() < MAX_ROWS;
        rows.extend(page.into_iter().map(|row| {
            let key = std::iter::once(partition.clone()).chain(row.rest);
            (key.collect(), row.cells)
        }));
        if last {
            return Ok(rows);
        }
    }
}
