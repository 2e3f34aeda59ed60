//! A consumer and a redriver of one group over one log, and a take that fails as it is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::order::Order;
use domain::values::OrderId;
use domain::{Category, FactId, Recorded, Service, StreamId};
use infra::bus::{Bus, FeedBus};
use infra::clock;
use infra::consumer::{Consumer, Take};
use infra::event_store::{
    Append, Database, EmbeddedEventStore, EventStore, NewFact, ParkedRow, Redrive,
};
use infra::failure::Failure;
use infra::handler::Handler;
use infra::redrive::Redriver;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{eventually, order_of_three};

pub const GROUP: &str = "test";

pub struct Bench {
    pub store: Arc<dyn EventStore>,
    pub take: Arc<Flaky>,
    orders: Handler<Order>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    _folder: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open(&folder.path().join("data")).unwrap();
        let store: Arc<dyn EventStore> = Arc::new(EmbeddedEventStore::new(db, Service::Order));
        Self {
            orders: Handler::new(store.clone()),
            take: Arc::default(),
            store,
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
            _folder: folder,
        }
    }

    /// An order with three facts: created, cancellation requested and refused.
    pub async fn order(&self) -> OrderId {
        order_of_three(&self.orders).await
    }

    /// Appends a fact behind the `last` of an order, as the third of it but for `change`.
    pub async fn append(&self, order: OrderId, last: u64, change: impl FnOnce(&mut NewFact)) {
        let stream = StreamId::of(Category::Order, order);
        let refused = self
            .store
            .read_stream(&stream, 2, 1)
            .await
            .unwrap()
            .remove(0);
        let mut fact = NewFact {
            stream: stream.clone(),
            sequence: last + 1,
            name: "order.cancellation-refused",
            version: "1",
            payload: refused.payload,
            metadata: refused.metadata,
        };
        change(&mut fact);
        let request = Append {
            expect: vec![(stream, last)],
            facts: vec![fact],
            ..Append::default()
        };
        self.store.append(request).await.unwrap();
    }

    fn bus(&self) -> Arc<dyn Bus> {
        Arc::new(FeedBus::new(vec![self.store.clone()]))
    }

    pub fn consume(&mut self) {
        let consumer = Consumer {
            group: GROUP.into(),
            topics: vec![Service::Order],
            bus: self.bus(),
            store: self.store.clone(),
            take: self.take.clone(),
        };
        self.tasks.spawn(consumer.run(self.stop.clone()));
    }

    pub fn redriver(&self) -> Redriver {
        Redriver {
            group: GROUP.into(),
            parked: self.store.clone(),
            logs: vec![self.store.clone()],
            bus: self.bus(),
            take: self.take.clone(),
            in_order: true,
        }
    }

    pub fn redrive(&mut self) {
        let redriver = self.redriver();
        self.tasks.spawn(redriver.run(self.stop.clone()));
    }

    pub async fn stop(&mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        self.stop = CancellationToken::new();
    }

    /// Waits until the group has passed `position`.
    pub async fn passed(&self, position: u64) {
        let committed = || async {
            let checkpoint = self.store.checkpoint("group:test").await.unwrap();
            checkpoint.unwrap_or_default().position
        };
        eventually(committed, |done| *done >= position).await;
    }

    /// What is parked of an order: the sequence and the class of each.
    pub async fn parked(&self, order: OrderId) -> Vec<(u64, String)> {
        let rows = self.rows(order).await;
        let each = |row: ParkedRow| (row.fact_id().unwrap().sequence, row.class);
        rows.into_iter().map(each).collect()
    }

    pub async fn rows(&self, order: OrderId) -> Vec<ParkedRow> {
        let key = order.to_string();
        self.store.parked(GROUP, Some(&key), 10_000).await.unwrap()
    }

    /// Waits until nothing of an order is parked.
    pub async fn free(&self, order: OrderId) {
        eventually(|| self.parked(order), Vec::is_empty).await;
    }

    /// Asks that a row be taken up again; false where it has changed meanwhile.
    pub async fn ask(&self, row: &ParkedRow) -> bool {
        let mut row = row.clone();
        row.redrive = Some(Redrive {
            asked_at: clock::now(),
            reason: Some("it is mended".to_owned()),
        });
        self.store.replace_parked(&row).await.unwrap()
    }
}

type Fails = dyn Fn(&Recorded, usize) -> Option<Failure> + Send + Sync;

/// Takes facts, and fails as it was last told for the fact and the number of the attempt.
#[derive(Default)]
pub struct Flaky {
    taken: Mutex<Vec<FactId>>,
    attempts: Mutex<HashMap<FactId, usize>>,
    fails: Mutex<Option<Box<Fails>>>,
}

impl Flaky {
    pub fn fail(
        &self,
        fails: impl Fn(&Recorded, usize) -> Option<Failure> + Send + Sync + 'static,
    ) {
        *self.fails.lock().unwrap() = Some(Box::new(fails));
    }

    pub fn heal(&self) {
        *self.fails.lock().unwrap() = None;
    }

    /// Sequences of an order's facts, as often as they were taken.
    pub fn taken_of(&self, order: OrderId) -> Vec<u64> {
        let stream = StreamId::of(Category::Order, order);
        let taken = self.taken.lock().unwrap();
        let of = taken.iter().filter(|id| id.stream == stream);
        of.map(|id| id.sequence).collect()
    }

    /// Sequences of an order's facts in the order in which they were first taken.
    pub fn first_taken_of(&self, order: OrderId) -> Vec<u64> {
        let mut first = vec![];
        for sequence in self.taken_of(order) {
            if !first.contains(&sequence) {
                first.push(sequence);
            }
        }
        first
    }
}

#[async_trait]
impl Take for Flaky {
    async fn take(&self, fact: &Recorded) -> Result<(), Failure> {
        let attempt = {
            let mut attempts = self.attempts.lock().unwrap();
            let attempt = attempts.entry(fact.id.clone()).or_default();
            *attempt += 1;
            *attempt
        };
        tokio::task::yield_now().await;
        let fails = self.fails.lock().unwrap();
        match fails.as_ref().and_then(|fails| fails(fact, attempt)) {
            Some(failure) => Err(failure),
            None => {
                self.taken.lock().unwrap().push(fact.id.clone());
                Ok(())
            }
        }
    }
}
