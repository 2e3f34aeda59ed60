//! A view store that remembers when which cells were written, so that a row can say how many there
//! were and how soon, without asking the store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::view::{Cells, Schema, Value, order_view};
use infra::view_store::{
    Generations, Row, RowPatch, ScanCursor, Scanned, Slice, StampedCell, Table, ViewError,
    ViewStore,
};
use tokio::sync::watch;
use uuid::Uuid;

/// A row, and which view it is of.
pub type Kept = (&'static Schema, RowPatch);

/// What was written so far.
#[derive(Default)]
pub struct Seen {
    cells: AtomicU64,
    /// Writes that are under way.
    under_way: AtomicU64,
    /// When the first write began, and the last one ended.
    times: Mutex<Option<(Instant, Instant)>>,
    keeps_rows: AtomicBool,
    rows: Mutex<Vec<Kept>>,
    placed: Mutex<HashMap<Uuid, Instant>>,
    assigned: Mutex<HashMap<Uuid, Instant>>,
}

/// A store, watched.
pub struct Watched {
    store: Arc<dyn ViewStore>,
    pub seen: Arc<Seen>,
}

impl Watched {
    pub fn new(store: Arc<dyn ViewStore>) -> Self {
        Self {
            store,
            seen: Arc::default(),
        }
    }
}

impl Seen {
    /// Cells that were written.
    pub fn cells(&self) -> u64 {
        self.cells.load(Ordering::Acquire)
    }

    /// Whether nothing is being written.
    pub fn is_quiet(&self) -> bool {
        self.under_way.load(Ordering::Acquire) == 0
    }

    /// As if nothing had been written so far.
    pub fn forget_times(&self) {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// From the begin of the first write to the end of the last.
    pub fn took(&self) -> Duration {
        let times = *self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.map_or(Duration::ZERO, |(first, last)| last.duration_since(first))
    }

    /// Whether to keep all rows that are written from now on.
    pub fn keep_rows(&self, keep: bool) {
        self.keeps_rows.store(keep, Ordering::Release);
    }

    /// The rows that were kept.
    pub fn take_rows(&self) -> Vec<Kept> {
        std::mem::take(&mut *self.rows.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// When each order was first in the order view.
    pub fn placed(&self) -> HashMap<Uuid, Instant> {
        self.placed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// When each delivery was first assigned there.
    pub fn assigned(&self) -> HashMap<Uuid, Instant> {
        self.assigned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many orders are there, and of how many the delivery is assigned.
    pub fn counts(&self) -> (usize, usize) {
        let count =
            |of: &Mutex<HashMap<_, _>>| of.lock().unwrap_or_else(PoisonError::into_inner).len();
        (count(&self.placed), count(&self.assigned))
    }

    fn note(&self, begun: Instant, notes: Notes) {
        let now = Instant::now();
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.get_or_insert((begun, now)).1 = now;
        drop(times);
        let put = |to: &Mutex<HashMap<Uuid, Instant>>, ids: Vec<Uuid>| {
            let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
            for id in ids {
                to.entry(id).or_insert(now);
            }
        };
        put(&self.placed, notes.placed);
        put(&self.assigned, notes.assigned);
        self.cells.fetch_add(notes.cells, Ordering::AcqRel);
    }
}

/// What some rows say, once they are written.
struct Notes {
    cells: u64,
    placed: Vec<Uuid>,
    assigned: Vec<Uuid>,
}

impl Notes {
    fn of(schema: &Schema, rows: &[RowPatch]) -> Self {
        let mut notes = Self {
            cells: rows.iter().map(|row| row.cells.len() as u64).sum(),
            placed: vec![],
            assigned: vec![],
        };
        if schema.name != order_view::SCHEMA.name {
            return notes;
        }
        for row in rows {
            let Some(Value::Uuid(id)) = row.key.first() else {
                continue;
            };
            for cell in &row.cells {
                let column = schema.columns.get(cell.column).map(|column| column.name);
                match (column, &cell.value) {
                    (Some("order_version"), _) => notes.placed.push(*id),
                    (Some("delivery_status"), Value::Text(status)) if status == "ASSIGNED" => {
                        notes.assigned.push(*id);
                    }
                    _ => {}
                }
            }
        }
        notes
    }
}

#[async_trait]
impl ViewStore for Watched {
    async fn apply(
        &self,
        schema: &'static Schema,
        table: &Table,
        rows: Vec<RowPatch>,
    ) -> Result<(), ViewError> {
        let notes = Notes::of(schema, &rows);
        if self.seen.keeps_rows.load(Ordering::Acquire) {
            let mut kept = self
                .seen
                .rows
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            kept.extend(rows.iter().map(|row| (schema, row.clone())));
        }
        let begun = Instant::now();
        self.seen.under_way.fetch_add(1, Ordering::AcqRel);
        let applied = self.store.apply(schema, table, rows).await;
        if applied.is_ok() {
            self.seen.note(begun, notes);
        }
        self.seen.under_way.fetch_sub(1, Ordering::AcqRel);
        applied
    }

    async fn create(&self, schema: &'static Schema, table: &Table) -> Result<(), ViewError> {
        self.store.create(schema, table).await
    }

    async fn get(
        &self,
        schema: &'static Schema,
        table: &Table,
        key: &[Value],
    ) -> Result<Option<Cells>, ViewError> {
        self.store.get(schema, table, key).await
    }

    async fn list(
        &self,
        schema: &'static Schema,
        table: &Table,
        slice: Slice<'_>,
    ) -> Result<Vec<Row>, ViewError> {
        self.store.list(schema, table, slice).await
    }

    async fn make(&self, schema: &'static Schema, table: &Table) -> Result<(), ViewError> {
        self.store.make(schema, table).await
    }

    async fn remove(&self, table: &Table) -> Result<(), ViewError> {
        self.store.remove(table).await
    }

    async fn scan(
        &self,
        schema: &'static Schema,
        table: &Table,
        after: Option<&ScanCursor>,
    ) -> Result<(Vec<Scanned>, Option<ScanCursor>), ViewError> {
        self.store.scan(schema, table, after).await
    }

    async fn stamped(
        &self,
        schema: &'static Schema,
        table: &Table,
        key: &[Value],
    ) -> Result<Vec<StampedCell>, ViewError> {
        self.store.stamped(schema, table, key).await
    }

    async fn generations(&self, view: &str) -> Result<Option<Generations>, ViewError> {
        self.store.generations(view).await
    }

    async fn replace_generations(
        &self,
        view: &str,
        generations: &Generations,
    ) -> Result<bool, ViewError> {
        self.store.replace_generations(view, generations).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.store.changes()
    }

    async fn ready(&self) -> Result<(), ViewError> {
        self.store.ready().await
    }
}
