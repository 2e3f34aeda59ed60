//! Dead letters whose publishing was cut off.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::{Category, Service, StreamId};
use infra::bus::{Bus, BusError, Delivered, FeedBus, Partition, Subscription};
use infra::consumer::Consumer;
use infra::event_store::ParkedRow;
use infra::failure::Failure;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_fact_whose_letter_was_cut_off_is_published_when_it_comes_again() {
    let bench = Bench::new();
    let order = bench.order().await;
    let poison = StreamId::of(Category::Order, order).fact(2);
    let invariant = || Failure::permanent("invariant", "it cannot be");
    bench
        .take
        .fail(move |fact, _| (fact.id == poison).then(invariant));
    let consume = |bus: Arc<Letters>| {
        let stop = CancellationToken::new();
        let consumer = Consumer {
            group: GROUP.into(),
            topics: vec![Service::Order],
            bus,
            store: bench.store.clone(),
            take: bench.take.clone(),
        };
        (stop.clone(), tokio::spawn(consumer.run(stop)))
    };
    let (stop, first) = consume(Letters::new(&bench, false));
    eventually(|| bench.parked(order), |parked| parked.len() == 1).await;
    stop.cancel();
    first.await.unwrap();

    let letters = Letters::new(&bench, true);
    let (stop, second) = consume(letters.clone());
    bench.passed(3).await;
    let parked = [(2, "invariant".to_owned()), (3, "waiting".to_owned())];
    assert_eq!(bench.parked(order).await, parked);
    let published = letters.published.lock().unwrap().clone();
    assert_eq!(published, bench.rows(order).await[..1]);
    stop.cancel();
    second.await.unwrap();
}
