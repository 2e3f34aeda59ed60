//! Orders read over HTTP, beside the bare hops: the same server with a handler that only answers,
//! and a point read by the raw driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use domain::view::order_view::{OrderView, SCHEMA};
use domain::{Recorded, View};
use infra::view_store::{
    CassandraViewStore, RowPatch, STAMPS_PER_SEQUENCE, StampedCell, Table, ViewStore,
};
use scylla::client::session::Session;
use scylla::statement::prepared::PreparedStatement;
use scylla::value::Row;
use uuid::Uuid;

use super::hops;
use crate::child::Server;
use crate::facts::{self, Story};
use crate::http::{self, Connection};
use crate::load::{self, Client};
use crate::place::Place;
use crate::report::Outcome;
use crate::rounds::{Bench, Round, one_after_another};

/// Connections, and readers at once.
const CLIENTS: usize = 64;
/// Orders that are read by turns.
const ORDERS: usize = 10_000;
/// Orders of one write: what fits into memory with ease.
const PAGE: usize = 50_000;
/// Of the rate at which ours is pushed: for latencies.
const HALF: f64 = 0.5;
/// How long a store may take to connect, and between two looks at whether it has.
const CONNECTS: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);

/// Reads one order after another over HTTP.
pub struct Reads {
    connection: Connection,
    orders: Arc<Vec<Uuid>>,
    next: Arc<AtomicUsize>,
}

impl Client for Reads {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let order = self.orders[next % self.orders.len()];
        let answer = self
            .connection
            .send(&http::get(&format!("/api/orders/{order}")))
            .await?;
        ensure!(answer.status == 200, "answered with {}", answer.status);
        Ok(1)
    }
}

/// The same by the raw driver.
struct RawReads {
    session: Arc<Session>,
    select: PreparedStatement,
    orders: Arc<Vec<Uuid>>,
    next: Arc<AtomicUsize>,
}

impl Client for RawReads {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let order = self.orders[next % self.orders.len()];
        let found = self.session.execute_unpaged(&self.select, (order,)).await?;
        let row = found.into_rows_result()?.single_row::<Row>()?;
        ensure!(!row.columns.is_empty(), "an empty row");
        Ok(1)
    }
}

/// One after the other.
struct Both {
    http: Reads,
    read: RawReads,
}

impl Client for Both {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        self.http.ask().await?;
        self.read.ask().await
    }
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            place.make_keyspace().await?;
            let orders = Arc::new(fill(place, ORDERS).await?);
            let ours = Server::waybill(&place.args(&["query-api"])).await?;
            let nothing = Server::bare(&["nothing".to_owned()]).await?;
            let reader = RawReader::new(place, orders.clone()).await?;
            check(&ours, &orders).await?;

            let pushed = load::closed(readers(&ours, &orders).await?, bench.round).await?;
            let half = pushed.rate() * HALF;
            let rates = bench
                .interleave(
                    async || {
                        let clients = readers(&ours, &orders).await?;
                        Ok(hops::served(&ours, clients, bench.round).await?.0)
                    },
                    async || {
                        let clients = readers(&nothing, &orders).await?;
                        let http = load::closed(clients, bench.round).await?.rate();
                        let read = load::closed(reader.many(CLIENTS), bench.round)
                            .await?
                            .rate();
                        Ok(Round::of(one_after_another(&[http, read])))
                    },
                )
                .await?;
            let times = bench
                .interleave(
                    async || {
                        let clients = readers(&ours, &orders).await?;
                        let ran = load::open(clients, half, bench.round).await?;
                        Ok(Round::of(ran.latency.percentile_ms(99.0)))
                    },
                    async || {
                        let clients = readers(&nothing, &orders).await?;
                        let both = clients.into_iter().zip(reader.many(CLIENTS));
                        let both = both.map(|(http, read)| Both { http, read }).collect();
                        let ran = load::open(both, half, bench.round).await?;
                        Ok(Round::of(ran.latency.percentile_ms(99.0)))
                    },
                )
                .await?;
            ours.end().await?;
            nothing.end().await?;
            Ok(vec![rates.line("Q1", 0)?, times.line("Q1-p99", 0)?])
        })
        .await
}

/// Fills the order view with orders whose delivery is assigned.
pub async fn fill(place: &Place, count: usize) -> anyhow::Result<Vec<Uuid>> {
    let store = CassandraViewStore::new(&place.servers.views()?);
    connected(&store).await?;
    let table = Table {
        name: SCHEMA.name.to_owned(),
    };
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let (orders, patches) = rows(PAGE.min(count - all.len()))?;
        store.apply(&SCHEMA, &table, patches).await?;
        all.extend(orders);
    }
    Ok(all)
}

/// A store connects in the background.
async fn connected(store: &CassandraViewStore) -> anyhow::Result<()> {
    let begun = Instant::now();
    while let Err(e) = store.ready().await {
        ensure!(begun.elapsed() < CONNECTS, "{e}");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// The rows of so many orders whose delivery is assigned.
pub fn rows(count: usize) -> anyhow::Result<(Vec<Uuid>, Vec<RowPatch>)> {
    let usual = facts::usual_place()?;
    let (mut orders, mut patches) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for _ in 0..count {
        let story = Story::of(&usual);
        orders.push(story.order.0);
        let mut row = None;
        let all = [story.created()?, story.reserved()?].into_iter();
        for fact in all.chain(story.paid()).chain(story.assigned()?) {
            merge(&mut row, &fact);
        }
        patches.extend(row);
    }
    Ok((orders, patches))
}

/// What a fact writes, over what those before it have written.
fn merge(row: &mut Option<RowPatch>, fact: &Recorded) {
    let Some(patch) = OrderView.project(fact) else {
        return;
    };
    let row = row.get_or_insert_with(|| RowPatch {
        key: patch.key.clone(),
        cells: vec![],
    });
    for cell in patch.cells {
        row.cells.retain(|known| known.column != cell.column);
        row.cells.push(StampedCell {
            column: cell.column,
            value: cell.value,
            stamp: patch.sequence as i64 * STAMPS_PER_SEQUENCE,
        });
    }
}

/// That an order is shown as it is, with a status that follows from all of its streams.
async fn check(ours: &Server, orders: &[Uuid]) -> anyhow::Result<()> {
    let mut connection = Connection::to(&ours.addr).await?;
    for order in orders.iter().step_by(orders.len() / 10) {
        let answer = connection
            .send(&http::get(&format!("/api/orders/{order}")))
            .await?;
        let shown: serde_json::Value = serde_json::from_slice(answer.body)?;
        let (id, status) = (shown["orderId"].as_str(), shown["status"].as_str());
        ensure!(
            id == Some(order.to_string().as_str()),
            "{order} is shown as {shown}"
        );
        ensure!(
            status == Some("DELIVERY_ASSIGNED"),
            "{order} is shown as {shown}"
        );
    }
    Ok(())
}

/// Who reads these orders from a server.
pub async fn readers(server: &Server, orders: &Arc<Vec<Uuid>>) -> anyhow::Result<Vec<Reads>> {
    let next = Arc::new(AtomicUsize::new(0));
    let one = |connection| Reads {
        connection,
        orders: orders.clone(),
        next: next.clone(),
    };
    let connections = Connection::many(&server.addr, CLIENTS).await?;
    Ok(connections.into_iter().map(one).collect())
}

struct RawReader {
    session: Arc<Session>,
    select: PreparedStatement,
    orders: Arc<Vec<Uuid>>,
}

impl RawReader {
    async fn new(place: &Place, orders: Arc<Vec<Uuid>>) -> anyhow::Result<Self> {
        let session = Arc::new(place.session().await?);
        let columns: Vec<_> = SCHEMA.columns.iter().map(|column| column.name).collect();
        let table = format!("{}.{}", place.servers.views()?.keyspace(), SCHEMA.name);
        let columns = columns.join(", ");
        let select = format!("SELECT {columns} FROM {table} WHERE order_id = ?");
        let mut select = session.prepare(select).await?;
        select.set_is_idempotent(true);
        Ok(Self {
            session,
            select,
            orders,
        })
    }

    fn many(&self, count: usize) -> Vec<RawReads> {
        let next = Arc::new(AtomicUsize::new(0));
        let one = |_| RawReads {
            session: self.session.clone(),
            select: self.select.clone(),
            orders: self.orders.clone(),
            next: next.clone(),
        };
        (0..count).map(one).collect()
    }
}
