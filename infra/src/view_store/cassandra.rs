//! Views in a keyspace of Cassandra or ScyllaDB.
//!
//! A stamp is the timestamp of its cell, so that the cluster merges as the port promises: by
//! itself, whoever writes, in whatever order, with nothing read before. That holds as long as
//! nobody writes these tables with a timestamp of the clock. There are no nulls, no deletes and no
//! lives in what is written here: each would leave a tombstone that later cells have to beat.
//!
//! Cells of one row and one stamp are one UPDATE, and a row's UPDATEs are one unlogged batch of its
//! partition: one mutation, applied as a whole. A crash between two rows leaves some of them
//! written, and all of them are written again.
//!
//! Whether an acknowledged write outlives a crash of the cluster is the cluster's affair: with
//! `commitlog_sync: batch` it does; with the default, `periodic`, the last seconds may be lost
//! where all replicas crash at once.
//!
//! The cluster may be down when this is opened, and at any time after. Each call then fails within
//! [`REQUEST`], or [`CHANGE`] where it changes the schema, and calls succeed again once it is back.

mod change;
mod cql;
mod generations;
mod link;
mod migrate;
mod parked;
mod place;
mod tables;
mod unavailable;
mod values;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::view::{Cells, Schema, Value};
use futures::{TryFutureExt, TryStreamExt, stream};
use scylla::client::caching_session::CachingSession;
use scylla::client::session::Session;
use scylla::response::query_result::QueryResult;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::statement::batch::{Batch, BatchType};
use scylla::value::{CqlValue, Row};
use tokio::sync::watch;
use tokio::time::timeout;

use super::{
    Generations, MAX_ROWS, RowPatch, ScanCursor, Scanned, Slice, StampedCell, Table, ViewError,
    ViewStore,
};
use change::{CHANGE, Tries, agreed, change};
use cql::idempotent;
use link::Link;
use unavailable::Unavailable;

pub use migrate::{MigrateError, Migrated, migrate_keyspace};
pub use place::{CassandraPlace, InvalidPlace, TlsFiles};

/// How long one request may take, its retries at other nodes included. The server gives up after
/// 2 s of writing and 5 s of reading, and then says why.
const REQUEST: Duration = Duration::from_secs(5);
/// How long readiness waits for an answer: whoever asks has a limit of its own.
const READY: Duration = Duration::from_secs(2);
/// Rows of a page of a scan.
const PAGE: i32 = MAX_ROWS as i32;
/// Rows that one call writes at a time. A writer that waits for the disk holds one of the server's
/// 32 `concurrent_writes`; 128 at a time were no faster.
const ROWS_AT_A_TIME: usize = 32;

/// The view store in a keyspace. Cheap to clone; all clones share one session.
#[derive(Clone)]
pub struct CassandraViewStore {
    shared: Arc<Shared>,
}

struct Shared {
    keyspace: String,
    link: Link,
    changes: watch::Sender<u64>,
}

impl CassandraViewStore {
    /// The views at `place`. Returns at once and connects in the background, until it succeeds:
    /// [`ready`](ViewStore::ready) says whether the cluster answers and is migrated. Has to be
    /// called within a Tokio runtime; the session ends with the last clone.
    pub fn new(place: &CassandraPlace) -> Self {
        let shared = Shared {
            keyspace: place.keyspace(),
            link: Link::to(place),
            changes: watch::Sender::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    async fn session(&self) -> Result<Arc<CachingSession>, Unavailable> {
        self.shared.link.session().await
    }

    /// Changes the schema; takes [`CHANGE`] at most.
    async fn alter(&self, session: &Session, cql: &str) -> Result<(), ViewError> {
        let mut tries = Tries::default();
        let attempts = async {
            loop {
                let mut done = change(session, cql).await;
                if done.is_ok() {
                    done = agreed(session).await;
                }
                if done.is_ok() || !tries.again().await {
                    return done;
                }
            }
        };
        Ok(within(CHANGE, attempts).await?)
    }

    /// The name of a table, within its keyspace.
    fn table(&self, table: &str) -> String {
        format!("{}.{table}", self.shared.keyspace)
    }
}

#[async_trait]
impl ViewStore for CassandraViewStore {
    /// Tables are made by [`migrate_keyspace`], or by the one process that rebuilds a view, and nowhere
    /// else, since changes of a schema that are made in two places at once may never come to agree.
    /// This looks whether the table is as the schema says.
    async fn create(&self, schema: &'static Schema, table: &Table) -> Result<(), ViewError> {
        let session = self.session().await?;
        let keyspace = &self.shared.keyspace;
        let found = tables::columns(session.get_session(), keyspace, &table.name);
        let found = within(REQUEST, found).await?;
        let name = self.table(&table.name);
        if found.is_empty() {
            return Err(Unavailable::not_migrated(&format!("{name} is not there")).into());
        }
        let missing = tables::missing(schema, &found).map_err(|other| {
            ViewError::Corrupt(format!("{name} is not the table of this program: {other}"))
        })?;
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
        let lacks = format!("{name} has no column {}", names.join(", "));
        Err(Unavailable::not_migrated(&lacks).into())
    }

    async fn apply(
        &self,
        schema: &'static Schema,
        table: &Table,
        rows: Vec<RowPatch>,
    ) -> Result<(), ViewError> {
        let session = self.session().await?;
        let table = self.table(&table.name);
        stream::iter(rows.into_iter().map(Ok))
            .try_for_each_concurrent(ROWS_AT_A_TIME, |row| {
                within(REQUEST, write(&session, schema, &table, row))
                    .inspect_ok(|()| crate::crash_point!("cassandra-views.after-row"))
            })
            .await?;
        self.shared.changes.send_modify(|n| *n += 1);
        Ok(())
    }

    async fn get(
        &self,
        schema: &'static Schema,
        table: &Table,
        key: &[Value],
    ) -> Result<Option<Cells>, ViewError> {
        let session = self.session().await?;
        let select = idempotent(cql::select(schema, &self.table(&table.name)));
        let key: Vec<CqlValue> = key.iter().cloned().map(values::to_cql).collect();
        let found = within(REQUEST, session.execute_unpaged(select, key)).await?;
        let row = rows(found)?.pop();
        row.map(|row| values::cells(schema, row)).transpose()
    }

    async fn list(
        &self,
        schema: &'static Schema,
        table: &Table,
        slice: Slice<'_>,
    ) -> Result<Vec<super::Row>, ViewError> {
        let session = self.session().await?;
        let (table, direction) = (self.table(&table.name), slice.direction(schema));
        let select = cql::list(schema, &table, direction, slice.after.is_some());
        let key = std::iter::once(slice.partition).chain(slice.after.unwrap_or_default());
        let mut bound: Vec<CqlValue> = key.cloned().map(values::to_cql).collect();
        let limit = i32::try_from(slice.rows()).unwrap_or(i32::MAX);
        if limit == 0 {
            return Ok(vec![]);
        }
        bound.push(CqlValue::Int(limit));
        // One page: the limit is one.
        let found = within(REQUEST, session.execute_unpaged(idempotent(select), bound)).await?;
        let rows = rows(found)?.into_iter();
        rows.map(|row| values::row(schema, row)).collect()
    }

    /// Repeated by itself, as a migration is: what an attempt that was cut off has made, the next finds.
    async fn make(&self, schema: &'static Schema, table: &Table) -> Result<(), ViewError> {
        let session = self.session().await?;
        let cql = cql::create(schema, &self.table(&table.name));
        self.alter(session.get_session(), &cql).await?;
        self.create(schema, table).await
    }

    async fn remove(&self, table: &Table) -> Result<(), ViewError> {
        let session = self.session().await?;
        let cql = format!("DROP TABLE IF EXISTS {}", self.table(&table.name));
        self.alter(session.get_session(), &cql).await
    }

    /// A page of the driver's: the rows of a partition come together, and partitions by their tokens.
    async fn scan(
        &self,
        schema: &'static Schema,
        table: &Table,
        after: Option<&ScanCursor>,
    ) -> Result<(Vec<Scanned>, Option<ScanCursor>), ViewError> {
        let session = self.session().await?;
        let mut select = idempotent(cql::scan(schema, &self.table(&table.name)));
        select.set_page_size(PAGE);
        let from = after.map_or_else(PagingState::start, |ScanCursor(from)| {
            PagingState::new_from_raw_bytes(from.as_slice())
        });
        let page = session.execute_single_page(select, (), from);
        let (found, next) = within(REQUEST, page).await?;
        let rows = rows(found)?.into_iter();
        let rows = rows.map(|row| values::scanned(schema, row));
        let next = match &next {
            PagingStateResponse::HasMorePages { state } => state.as_bytes_slice(),
            PagingStateResponse::NoMorePages => None,
        };
        let rows = rows.collect::<Result<_, _>>()?;
        Ok((rows, next.map(|next| ScanCursor(next.to_vec()))))
    }

    async fn stamped(
        &self,
        schema: &'static Schema,
        table: &Table,
        key: &[Value],
    ) -> Result<Vec<StampedCell>, ViewError> {
        let session = self.session().await?;
        let select = idempotent(cql::stamped(schema, &self.table(&table.name)));
        let key: Vec<CqlValue> = key.iter().cloned().map(values::to_cql).collect();
        let found = within(REQUEST, session.execute_unpaged(select, key)).await?;
        match rows(found)?.pop() {
            Some(row) => values::stamped(schema, row),
            None => Ok(vec![]),
        }
    }

    async fn generations(&self, view: &str) -> Result<Option<Generations>, ViewError> {
        let session = self.session().await?;
        generations::read(session.get_session(), &self.shared.keyspace, view).await
    }

    async fn replace_generations(
        &self,
        view: &str,
        generations: &Generations,
    ) -> Result<bool, ViewError> {
        let session = self.session().await?;
        generations::replace(&session, &self.shared.keyspace, view, generations).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    async fn ready(&self) -> Result<(), ViewError> {
        // A read of any partition needs what every read needs: the keyspace, and a quorum.
        let look = async {
            let cql = format!(
                "SELECT version FROM {} WHERE view_name = 'none'",
                self.table(migrate::LAST)
            );
            let session = self.session().await?;
            session.execute_unpaged(idempotent(cql), ()).await?;
            Ok::<_, Unavailable>(())
        };
        Ok(within(READY, look).await?)
    }
}

/// What a statement answered.
fn rows(found: QueryResult) -> Result<Vec<Row>, ViewError> {
    let unreadable = |e: &dyn fmt::Display| ViewError::Corrupt(e.to_string());
    let rows = found.into_rows_result().map_err(|e| unreadable(&e))?;
    let rows = rows.rows::<Row>().map_err(|e| unreadable(&e))?;
    rows.collect::<Result<_, _>>().map_err(|e| unreadable(&e))
}

/// The driver bounds requests, but not the preparing of statements; this bounds both.
async fn within<T, E: Into<Unavailable>>(
    limit: Duration,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, Unavailable> {
    let answered = timeout(limit, call).await;
    let answered = answered.map_err(|_| Unavailable::no_answer(limit))?;
    answered.map_err(Into::into)
}

/// Writes the cells of one row.
async fn write(
    session: &CachingSession,
    schema: &'static Schema,
    table: &str,
    row: RowPatch,
) -> Result<(), Unavailable> {
    let key: Vec<CqlValue> = row.key.into_iter().map(values::to_cql).collect();
    let (mut updates, mut bound) = (vec![], vec![]);
    for (stamp, cells) in by_stamp(row.cells) {
        updates.push(idempotent(cql::update(schema, table, &cells)));
        let cells = cells.into_iter().map(|cell| values::to_cql(cell.value));
        let stamp = std::iter::once(CqlValue::BigInt(stamp));
        bound.push(stamp.chain(cells).chain(key.clone()).collect::<Vec<_>>());
    }
    match (updates.len(), updates.pop(), bound.last()) {
        (0, ..) => {}
        (1, Some(update), Some(values)) => {
            session.execute_unpaged(update, values).await?;
        }
        (_, last, _) => {
            let statements = updates.into_iter().chain(last).map(Into::into).collect();
            let mut batch = Batch::new_with_statements(BatchType::Unlogged, statements);
            batch.set_is_idempotent(true);
            session.batch(&batch, bound).await?;
        }
    }
    Ok(())
}

/// The cells of each stamp, by column, so that the same columns are always the same statement. A
/// column that a stamp has twice goes as another update: the cluster keeps the larger value.
fn by_stamp(mut cells: Vec<StampedCell>) -> Vec<(i64, Vec<StampedCell>)> {
    cells.sort_by_key(|cell| (cell.stamp, cell.column));
    let mut groups: Vec<(i64, Vec<StampedCell>)> = vec![];
    for cell in cells {
        match groups.last_mut() {
            Some((stamp, group))
                if *stamp == cell.stamp
                    && group.last().is_some_and(|last| last.column != cell.column) =>
            {
                group.push(cell);
            }
            Some(_) | None => groups.push((cell.stamp, vec![cell])),
        }
    }
    groups
}

impl fmt::Debug for CassandraViewStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CassandraViewStore({})", self.shared.keyspace)
    }
}
