//! A projector whose store is away for a while, or slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::Service;
use domain::values::OrderId;
use domain::view::order_view::{OrderView, SCHEMA};
use domain::view::{Cells, Schema, Value};
use infra::bus::{Bus, BusError, Delivered, FeedBus, Membership, Partition, Subscription};
use infra::codec;
use infra::event_store::{Database, EmbeddedEventStore, ParkedRow};
use infra::view_store::{
    EmbeddedViewStore, Generations, Row, RowPatch, ScanCursor, Scanned, Slice, StampedCell, Table,
    ViewError, ViewStore,
};
use projectors::Projector;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::sleep;

use super::Bench;
use crate::contract::bus::Buses;
use crate::contract::kafka::Kafka;
use crate::support::eventually;

/// Refuses so many writes, as a store that is away does, and takes its time for the others.
struct Away {
    store: EmbeddedViewStore,
    writes: AtomicUsize,
    refused: usize,
    takes: Duration,
}

#[async_trait]
impl ViewStore for Away {
    async fn create(&self, schema: &'static Schema, table: &Table) -> Result<(), ViewError> {
        self.store.create(schema, table).await
    }

    async fn apply(
        &self,
        schema: &'static Schema,
        table: &Table,
        rows: Vec<RowPatch>,
    ) -> Result<(), ViewError> {
        if self.writes.fetch_add(1, Ordering::SeqCst) < self.refused {
            return Err(ViewError::Unavailable("it is away".to_owned()));
        }
        sleep(self.takes).await;
        self.store.apply(schema, table, rows).await
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

/// Counts who joins a group.
struct Joined {
    bus: Arc<dyn Bus>,
    joined: AtomicUsize,
}

#[async_trait]
impl Bus for Joined {
    async fn subscribe(
        &self,
        group: &str,
        topics: &[Service],
    ) -> Result<Box<dyn Subscription>, BusError> {
        self.joined.fetch_add(1, Ordering::SeqCst);
        self.bus.subscribe(group, topics).await
    }

    async fn lag(&self, group: &str, topics: &[Service]) -> Result<Vec<(Service, u64)>, BusError> {
        self.bus.lag(group, topics).await
    }

    async fn ends(&self, topics: &[Service]) -> Result<Vec<(Partition, i64)>, BusError> {
        self.bus.ends(topics).await
    }

    async fn offsets(
        &self,
        group: &str,
        topics: &[Service],
    ) -> Result<Vec<(Partition, i64)>, BusError> {
        self.bus.offsets(group, topics).await
    }

    async fn begin_at(&self, group: &str, offsets: &[(Partition, i64)]) -> Result<(), BusError> {
        self.bus.begin_at(group, offsets).await
    }

    async fn dead_letter(&self, record: &Delivered, row: &ParkedRow) -> Result<(), BusError> {
        self.bus.dead_letter(record, row).await
    }

    async fn ready(&self) -> Result<(), BusError> {
        self.bus.ready().await
    }
}

/// A projector, what it writes into and where it reads.
struct Projecting {
    bench: Bench,
    order: OrderId,
    store: Arc<Away>,
    bus: Arc<Joined>,
    parked: Arc<EmbeddedEventStore>,
    _folder: TempDir,
}

impl Projecting {
    /// Reads from `bus`, or from the log of the orders.
    async fn start(refused: usize, takes: Duration, bus: Option<Arc<dyn Bus>>) -> Self {
        let bench = Bench::new();
        let order = bench.order().await;
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open(&folder.path().join("data")).unwrap();
        let logs = Service::ALL.map(|service| match service {
            Service::Order => bench.store.clone(),
            Service::Inventory | Service::Payment | Service::Delivery => {
                Arc::new(EmbeddedEventStore::new(db.clone(), service))
            }
        });
        let store = Arc::new(Away {
            store: EmbeddedViewStore::new(db.clone()),
            writes: AtomicUsize::new(0),
            refused,
            takes,
        });
        let bus = Arc::new(Joined {
            bus: bus.unwrap_or_else(|| Arc::new(FeedBus::new(logs.to_vec()))),
            joined: AtomicUsize::new(0),
        });
        let mut projecting = Self {
            bench,
            order,
            store,
            bus,
            parked: Arc::new(EmbeddedEventStore::new(db, Service::Order)),
            _folder: folder,
        };
        projecting.member();
        projecting
    }

    /// Another member of the group.
    fn member(&mut self) {
        let projector = Projector {
            view: &OrderView,
            table: table(),
            group: "test".to_owned(),
            bus: self.bus.clone(),
            store: self.store.clone(),
            parked: self.parked.clone(),
            logs: vec![],
        };
        let run = projector.run(self.bench.stop.clone());
        self.bench.tasks.spawn(run);
    }

    /// Waits until the row of the order has all of its facts.
    async fn written(&self) {
        let key = [Value::Uuid(self.order.0)];
        let version = async || {
            let cells = self.store.get(&SCHEMA, &table(), &key).await.unwrap();
            let names = SCHEMA.columns.iter().map(|column| column.name);
            let mut cells = names.zip(cells.unwrap_or_default());
            cells.find(|(name, _)| *name == "order_version")?.1
        };
        eventually(version, |seen| *seen == Some(Value::Int(3))).await;
    }
}

fn table() -> Table {
    Table {
        name: SCHEMA.name.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_that_writes_for_longer_than_it_may_be_silent_stays_in_its_group() {
    let Some(kafka) = Kafka::start().await else {
        return;
    };
    let bus = kafka.bus_like(Membership {
        session_timeout: Duration::from_secs(1),
        max_poll_interval: Duration::from_millis(6500),
    });
    let slow = Duration::from_secs(9);
    let mut projecting = Projecting::start(0, slow, Some(bus.clone())).await;
    // Who would get what the other has lost, and lose it just so.
    projecting.member();
    let facts = projecting.bench.store.read_log(0, 10).await.unwrap();
    let facts = facts.iter().map(|fact| codec::decode(fact).unwrap());
    kafka.publish(&facts.collect::<Vec<_>>()).await;
    projecting.written().await;
    let left = async || bus.lag("test", &[Service::Order]).await.unwrap();
    eventually(left, |left| left.iter().all(|(_, lag)| *lag == 0)).await;
    projecting.bench.stop().await;
    assert_eq!(projecting.bus.joined.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_projector_whose_store_is_away_stays_in_its_group_and_skips_nothing() {
    let mut projecting = Projecting::start(5, Duration::ZERO, None).await;
    let Projecting {
        bench, store, bus, ..
    } = &projecting;
    // Meanwhile nothing is committed.
    eventually(async || store.writes.load(Ordering::SeqCst), |n| *n >= 2).await;
    assert_eq!(bench.committed().await, 0);
    projecting.written().await;
    eventually(async || bench.committed().await, |at| *at == 3).await;
    let (store, bus) = (store.clone(), bus.clone());
    let bench = &mut projecting.bench;
    bench.stop().await;
    assert_eq!(store.writes.load(Ordering::SeqCst), 6, "one batch");
    assert_eq!(bus.joined.load(Ordering::SeqCst), 1);
}
