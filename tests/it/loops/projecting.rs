//! A projector whose store is away for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use domain::Service;
use domain::view::order_view::{OrderView, SCHEMA};
use domain::view::{Cells, Schema, Value};
use infra::bus::{Bus, BusError, Delivered, FeedBus, Partition, Subscription};
use infra::event_store::{Database, EmbeddedEventStore, ParkedRow};
use infra::view_store::{
    EmbeddedViewStore, Generations, Row, RowPatch, ScanCursor, Scanned, Slice, StampedCell, Table,
    ViewError, ViewStore,
};
use projectors::Projector;
use tokio::sync::watch;

use super::Bench;
use crate::support::eventually;

/// Refuses so many writes, as a store that is away does.
struct Away {
    store: EmbeddedViewStore,
    writes: AtomicUsize,
    refused: usize,
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
    bus: FeedBus,
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

#[tokio::test]
async fn a_projector_whose_store_is_away_stays_in_its_group_and_skips_nothing() {
    let mut bench = Bench::new();
    let order = bench.order().await;
    let folder = tempfile::tempdir().unwrap();
    let db = Database::open(&folder.path().join("data")).unwrap();
    let logs = Service::ALL.map(|service| match service {
        Service::Order => bench.store.clone(),
        Service::Inventory | Service::Payment | Service::Delivery => {
            Arc::new(EmbeddedEventStore::new(db.clone(), service))
        }
    });
    let parked = Arc::new(EmbeddedEventStore::new(db.clone(), Service::Order));
    let store = Arc::new(Away {
        store: EmbeddedViewStore::new(db),
        writes: AtomicUsize::new(0),
        refused: 5,
    });
    let bus = Arc::new(Joined {
        bus: FeedBus::new(logs.to_vec()),
        joined: AtomicUsize::new(0),
    });
    let table = Table {
        name: SCHEMA.name.to_owned(),
    };
    let projector = Projector {
        view: &OrderView,
        table: table.clone(),
        group: "test".to_owned(),
        bus: bus.clone(),
        store: store.clone(),
        parked,
        logs: vec![],
    };
    bench.tasks.spawn(projector.run(bench.stop.clone()));
    // Meanwhile nothing is committed.
    eventually(async || store.writes.load(Ordering::SeqCst), |n| *n >= 2).await;
    assert_eq!(bench.committed().await, 0);
    let key = [Value::Uuid(order.0)];
    let version = async || {
        let cells = store.get(&SCHEMA, &table, &key).await.unwrap();
        let names = SCHEMA.columns.iter().map(|column| column.name);
        let mut cells = names.zip(cells.unwrap_or_default());
        cells.find(|(name, _)| *name == "order_version")?.1
    };
    eventually(version, |seen| *seen == Some(Value::Int(3))).await;
    eventually(async || bench.committed().await, |at| *at == 3).await;
    bench.stop().await;
    assert_eq!(store.writes.load(Ordering::SeqCst), 6, "one batch");
    assert_eq!(bus.joined.load(Ordering::SeqCst), 1);
}
