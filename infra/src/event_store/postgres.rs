//! The event store of a service in a Postgres database of its own.
//!
//! One writer task a store takes whatever appends wait and sends them as one statement: the group
//! commit. What the database promises is in `schemas/postgres`: positions that become visible in
//! order for whoever writes, and facts that nobody changes.
//!
//! Two windows for a crash: before the commit nothing happened; after it everything did, and at
//! most the answer is lost. Where the connection is lost in between, the writer sends the same
//! batch again: a conflict whose rows are the request's own facts is a success. A request without
//! facts and without a reply is then simply done twice, which for tasks comes to the same.
//!
//! Readers in this process are woken by the writer. What other processes append is noticed by a
//! look every [`POLL`]; a task that another process opens as due at once and without a fact is
//! left to the reader's own look.

mod append;
mod batch;
mod columns;
mod confirm;
mod due;
mod errors;
mod foreign;
mod leases;
mod log;
mod looks;
mod migrate;
mod parked;
mod place;
mod values;
mod writer;

use std::fmt;
use std::future::Future;
use std::io::ErrorKind;
use std::sync::{Arc, Weak};
use std::time::Duration;

use domain::Service;
use domain::values::Timestamp;
use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{EventStore, StoreError};
use crate::tasks::in_background;
use errors::{is_lost, store_error};
use foreign::Strangers;
use looks::{Find, Looks};
use values::{Micros, number};
use writer::Writer;

pub use migrate::{MigrateError, Migrated, migrate};
pub use place::{InvalidPlace, PostgresPlace};

/// Connections for reading, a store; it has one more for writing. Four stores of six processes
/// fit into a server of 300.
const CONNECTIONS: u32 = 8;
/// How long a read waits for a connection: a server that is down is told soon.
const ACQUIRE: Duration = Duration::from_secs(2);
/// How long a read may take in all: a server that is stopped never answers.
const READ: Duration = Duration::from_secs(10);
/// How long it may take at first: a connection that is dead and does not say so never answers, and
/// another one may, in what is left. Longer than the lock time-out of the session.
const ATTEMPT: Duration = Duration::from_secs(3);
/// How long a connection may take to show that it is alive when it is given back: what takes longer
/// is closed, and its place is free again.
const GIVEN_BACK: Duration = Duration::from_secs(2);
/// How often it is looked what other processes have appended. Each look costs the server some
/// 0.1 ms, and an order that crosses processes waits for half of this at each crossing.
const POLL: Duration = Duration::from_millis(50);
/// The same while the server does not answer.
const POLL_IN_TROUBLE: Duration = Duration::from_secs(1);

/// The event store of one service on Postgres. Cheap to clone; all clones share one writer.
#[derive(Clone)]
pub struct PostgresEventStore {
    shared: Arc<Shared>,
}

struct Shared {
    service: Service,
    pool: PgPool,
    writer: Writer,
    next: Looks,
    last: Looks,
    changes: watch::Sender<u64>,
    strangers: Strangers,
}

impl PostgresEventStore {
    /// The store at `place`. Connects when it is first used, and again whenever that was lost:
    /// [`ready`](super::Log::ready) says whether the server answers and is migrated. Has to be
    /// called within a Tokio runtime; its tasks end after the last clone is dropped.
    pub fn new(place: &PostgresPlace) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            // A round trip for every read; a read on a lost connection is made again instead.
            .test_before_acquire(false)
            // The pool itself waits for that without an end, and eight that are dead are all.
            .after_release(|connection, _| Box::pin(is_alive(connection)))
            .connect_lazy_with(place.reading());
        let changes = watch::Sender::new(0);
        let shared = Arc::new(Shared {
            service: place.service(),
            next: Looks::start(pool.clone(), Find::Next),
            last: Looks::start(pool.clone(), Find::Last),
            pool,
            writer: Writer::start(place.service(), place.writing(), changes.clone()),
            changes,
            strangers: Strangers::default(),
        });
        in_background(look_at_others(Arc::downgrade(&shared)));
        Self { shared }
    }

    fn pool(&self) -> &PgPool {
        &self.shared.pool
    }
}

impl EventStore for PostgresEventStore {
    fn service(&self) -> Service {
        self.shared.service
    }
}

impl fmt::Debug for PostgresEventStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresEventStore({})", self.shared.service)
    }
}

/// Asks the server, and again where a connection turns out to be lost: so for reads, and for
/// writes that may be made twice.
async fn ask<T, F: Future<Output = sqlx::Result<T>>>(ask: impl Fn() -> F) -> Result<T, StoreError> {
    let asked = async {
        let (mut lost, mut patience) = (0, ATTEMPT);
        loop {
            match timeout(patience, ask()).await {
                // All that were idle may be lost at once.
                Ok(Err(e)) if is_lost(&e) && lost < CONNECTIONS => lost += 1,
                Ok(answer) => return answer.map_err(|e| store_error(&e)),
                Err(_) => patience = READ,
            }
        }
    };
    let late = |_| StoreError::Unavailable(format!("no answer within {READ:?}"));
    timeout(READ, asked).await.map_err(late)?
}

/// Whether a connection answers soon.
async fn is_alive(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let late = |_| sqlx::Error::Io(ErrorKind::TimedOut.into());
    timeout(GIVEN_BACK, connection.ping())
        .await
        .map_err(late)??;
    Ok(true)
}

/// Wakes readers of this process when another one has appended.
async fn look_at_others(store: Weak<Shared>) {
    let mut seen = None;
    loop {
        let Some(store) = store.upgrade() else { return };
        let mut pause = POLL;
        if store.changes.receiver_count() > 0 {
            match look(&store.pool).await {
                Ok(now) => {
                    // The first look tells nothing by itself: what was there before may be news.
                    if seen != Some(now) {
                        store.changes.send_modify(|n| *n += 1);
                    }
                    seen = Some(now);
                }
                Err(e) => {
                    tracing::debug!(service = %store.service, error = %e, "cannot look for changes");
                    pause = POLL_IN_TROUBLE;
                }
            }
        }
        drop(store);
        sleep(pause).await;
    }
}

/// The last position, and the next time at which a task becomes due.
async fn look(pool: &PgPool) -> Result<(u64, Option<Timestamp>), StoreError> {
    let looked = sqlx::query_as::<_, (Option<i64>, Option<Micros>)>(
        "SELECT (SELECT position FROM events ORDER BY position DESC LIMIT 1),
                (SELECT due_at FROM due WHERE due_at > now() ORDER BY due_at LIMIT 1)",
    )
    .fetch_one(pool);
    let late = |_| StoreError::Unavailable(format!("no answer within {ATTEMPT:?}"));
    let (position, next) = timeout(ATTEMPT, looked)
        .await
        .map_err(late)?
        .map_err(|e| store_error(&e))?;
    Ok((number(position.unwrap_or(0))?, next.map(Into::into)))
}
