//! Dead letters whose publishing was cut off.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::values::OrderId;
use domain::{Category, Service, StreamId};
use infra::bus::{Bus, BusError, Delivered, FeedBus, Partition, Subscription};
use infra::consumer::Consumer;
use infra::event_store::ParkedRow;
use infra::failure::Failure;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::bench::{Bench, GROUP};
use crate::support::eventually;

/// Keeps what is published, or never answers.
struct Letters {
    bus: FeedBus,
    answers: bool,
    published: Mutex<Vec<ParkedRow>>,
}

impl Letters {
    fn new(bench: &Bench, answers: bool) -> Arc<Self> {
        Arc::new(Self {
            bus: FeedBus::new(vec![bench.store.clone()]),
            answers,
            published: Mutex::default(),
        })
    }
}

#[async_trait]
impl Bus for Letters {
    async fn subscribe(
        &self,
        group: &str,
        topics: &[Service],
    ) -> Result<Box<dyn Subscription>, BusError> {
        self.bus.subscribe(group, topics).await
    }

    async fn lag(&self, group: &str, topics: &[Service]) -> Result<Vec<(Service, u64)>, BusError> {
        self.bus.lag(group, topics).await
    }

    async fn dead_letter(&self, _: &Delivered, row: &ParkedRow) -> Result<(), BusError> {
        if !self.answers {
            return std::future::pending().await;
        }
        self.published.lock().unwrap().push(row.clone());
        Ok(())
    }

    async fn ready(&self) -> Result<(), BusError> {
        self.bus.ready().await
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
}

/// A fact of an order that was parked by a process which ended before it had published the letter; and
/// what consumes after it.
async fn cut_off(bench: &Bench) -> (OrderId, impl Fn(Arc<Letters>) -> Consuming + use<>) {
    let order = bench.order().await;
    let poison = StreamId::of(Category::Order, order).fact(2);
    let invariant = || Failure::permanent("invariant", "it cannot be");
    bench
        .take
        .fail(move |fact, _| (fact.id == poison).then(invariant));
    let (store, take) = (bench.store.clone(), bench.take.clone());
    let consume = move |bus: Arc<Letters>| {
        let stop = CancellationToken::new();
        let consumer = Consumer {
            group: GROUP.into(),
            topics: vec![Service::Order],
            bus,
            store: store.clone(),
            take: take.clone(),
        };
        Consuming(stop.clone(), tokio::spawn(consumer.run(stop)))
    };
    let first = consume(Letters::new(bench, false));
    eventually(|| bench.parked(order), |parked| parked.len() == 1).await;
    first.end().await;
    (order, consume)
}

struct Consuming(CancellationToken, JoinHandle<()>);

impl Consuming {
    async fn end(self) {
        self.0.cancel();
        self.1.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_fact_whose_letter_was_cut_off_is_published_when_it_comes_again() {
    let bench = Bench::new();
    let (order, consume) = cut_off(&bench).await;
    let letters = Letters::new(&bench, true);
    let second = consume(letters.clone());
    bench.passed(3).await;
    let parked = [(2, "invariant".to_owned()), (3, "waiting".to_owned())];
    assert_eq!(bench.parked(order).await, parked);
    let published = letters.published.lock().unwrap().clone();
    assert_eq!(published, bench.rows(order).await[..1]);
    second.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_that_was_taken_up_before_its_letter_has_one_even_where_it_waits_when_it_comes_again()
 {
    let mut bench = Bench::new();
    let (order, consume) = cut_off(&bench).await;
    bench.take.heal();
    let row = bench.rows(order).await.remove(0);
    assert!(bench.ask(&row).await);
    bench.redrive();
    bench.free(order).await;
    bench.stop().await;
    // Something of its order is set aside on another way.
    let other = ParkedRow {
        partition: row.partition + 1,
        ..row.clone()
    };
    bench.store.park(other).await.unwrap();

    let letters = Letters::new(&bench, true);
    let second = consume(letters.clone());
    bench.passed(3).await;
    let published = letters.published.lock().unwrap().clone();
    let of_whom: Vec<_> = published.iter().map(|row| (row.id(), &row.class)).collect();
    assert_eq!(of_whom, [(row.id(), &row.class)]);
    second.end().await;
}
