//! The loops of the engine when what they call fails.

mod projecting;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::order::{Command, Order};
use domain::values::{OrderId, Timestamp};
use domain::{Category, Recorded, Service, StreamId, Task};
use infra::bus::FeedBus;
use infra::consumer::{Consumer, Take};
use infra::due::{Done, DueRunner, RunTask};
use infra::event_store::{Append, Database, DueRow, EmbeddedEventStore, EventStore};
use infra::failure::{Failure, MAX_ATTEMPTS};
use infra::handler::Handler;
use infra::{Origin, clock, ids};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{eventually, order_of_three};

struct Bench {
    store: Arc<dyn EventStore>,
    orders: Handler<Order>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open(&folder.path().join("data")).unwrap();
        let store: Arc<dyn EventStore> = Arc::new(EmbeddedEventStore::new(db, Service::Order));
        Self {
            orders: Handler::new(store.clone()),
            store,
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
            _folder: folder,
        }
    }

    /// An order with three facts.
    async fn order(&self) -> OrderId {
        order_of_three(&self.orders).await
    }

    fn consume(&mut self, take: &Arc<Flaky>) {
        let consumer = Consumer {
            group: "test".into(),
            topics: vec![Service::Order],
            bus: Arc::new(FeedBus::new(vec![self.store.clone()])),
            store: self.store.clone(),
            take: take.clone(),
        };
        self.tasks.spawn(consumer.run(self.stop.clone()));
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        self.stop = CancellationToken::new();
    }

    async fn committed(&self) -> u64 {
        let checkpoint = self.store.checkpoint("group:test").await.unwrap();
        checkpoint.unwrap_or_default().position
    }
}

type Fails = dyn Fn(&Recorded, usize) -> Option<Failure> + Send + Sync;

/// Takes facts, and fails as `fail` says for the fact and the number of the attempt.
struct Flaky {
    taken: Mutex<Vec<String>>,
    attempts: Mutex<HashMap<String, usize>>,
    fail: Box<Fails>,
}

impl Flaky {
    fn new(
        fail: impl Fn(&Recorded, usize) -> Option<Failure> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            taken: Mutex::default(),
            attempts: Mutex::default(),
            fail: Box::new(fail),
        })
    }

    fn taken_of(&self, order: OrderId) -> Vec<u64> {
        let prefix = format!("order-{order}-");
        let taken = self.taken.lock().unwrap();
        let of = taken
            .iter()
            .filter_map(|id| id.strip_prefix(&prefix)?.parse().ok());
        of.collect()
    }
}

#[async_trait]
impl Take for Flaky {
    async fn take(&self, fact: &Recorded) -> Result<(), Failure> {
        let attempt = {
            let mut attempts = self.attempts.lock().unwrap();
            let attempt = attempts.entry(fact.id.to_string()).or_default();
            *attempt += 1;
            *attempt
        };
        match (self.fail)(fact, attempt) {
            Some(failure) => Err(failure),
            None => {
                self.taken.lock().unwrap().push(fact.id.to_string());
                Ok(())
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_that_cannot_be_taken_parks_its_key_and_no_other() {
    let mut bench = Bench::new();
    let (bad, good) = (bench.order().await, bench.order().await);
    let poison = StreamId::of(Category::Order, bad).fact(2);
    let take = Flaky::new(move |fact, _| {
        (fact.id == poison).then(|| Failure::permanent("invariant", "it cannot be"))
    });
    bench.consume(&take);
    eventually(|| bench.committed(), |done| *done == 6).await;
    assert_eq!(take.taken_of(bad), [1]);
    assert_eq!(take.taken_of(good), [1, 2, 3]);
    let key = bad.to_string();
    let parked = bench.store.parked("test", Some(&key), 10).await.unwrap();
    let parked: Vec<_> = parked
        .iter()
        .map(|row| (row.fact.clone().unwrap(), row.class.as_str()))
        .collect();
    let fact = |sequence: u64| format!("order-{bad}-{sequence}");
    assert_eq!(parked, [(fact(2), "invariant"), (fact(3), "waiting")]);

    // A consumer that starts anew goes on keeping them back.
    bench.stop().await;
    bench.consume(&take);
    let stream = StreamId::of(Category::Order, bad);
    let origin = Origin::of_person(ids::unique(), bad.to_string(), clock::now());
    let complete = [Command::Complete];
    bench
        .orders
        .handle(&stream, &complete, &origin, None)
        .await
        .unwrap();
    eventually(|| bench.committed(), |done| *done == 7).await;
    assert_eq!(take.taken_of(bad), [1]);
    assert_eq!(
        bench
            .store
            .parked("test", Some(&key), 10)
            .await
            .unwrap()
            .len(),
        3
    );
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_down_is_waited_for_and_no_attempt_is_counted() {
    let mut bench = Bench::new();
    let order = bench.order().await;
    // More often than an unknown failure would be put up with.
    let take = Flaky::new(|fact, attempt| {
        let down = fact.id.sequence == 1 && attempt <= 6;
        down.then(|| Failure::Unavailable("it is down".into()))
    });
    bench.consume(&take);
    eventually(|| bench.committed(), |done| *done == 3).await;
    assert_eq!(take.taken_of(order), [1, 2, 3]);
    assert!(
        bench
            .store
            .parked("test", None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_failure_and_a_panic_are_put_up_with_a_few_times() {
    let mut bench = Bench::new();
    let (odd, mad) = (bench.order().await, bench.order().await);
    let take = Flaky::new(move |fact, _| {
        assert!(fact.order_id() != Some(mad), "a panic that is meant");
        Some(Failure::Unknown("it is odd".into()))
    });
    bench.consume(&take);
    eventually(|| bench.committed(), |done| *done == 6).await;
    for order in [odd, mad] {
        let key = order.to_string();
        let parked = bench.store.parked("test", Some(&key), 10).await.unwrap();
        assert_eq!(
            (parked[0].class.as_str(), parked[0].attempts),
            ("unknown", MAX_ATTEMPTS)
        );
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_is_stopped_in_the_middle_goes_on_without_a_gap() {
    let mut bench = Bench::new();
    let mut orders = vec![];
    for _ in 0..50 {
        orders.push(bench.order().await);
    }
    let take = Flaky::new(|_, _| None);
    for _ in 0..5 {
        bench.consume(&take);
        tokio::task::yield_now().await;
        bench.stop().await;
    }
    bench.consume(&take);
    eventually(|| bench.committed(), |done| *done == 150).await;
    for order in orders {
        let taken = take.taken_of(order);
        let mut first = vec![];
        for sequence in &taken {
            if !first.contains(sequence) {
                first.push(*sequence);
            }
        }
        assert_eq!(
            first,
            [1, 2, 3],
            "taken again, maybe, but in order: {taken:?}"
        );
    }
    bench.stop().await;
}

/// Counts how often each task ran, and answers as `answer` says for the number of the run.
struct Tried {
    runs: AtomicUsize,
    answer: fn(usize) -> Result<Done, Failure>,
}

#[async_trait]
impl RunTask for Tried {
    async fn run(&self, _: &DueRow) -> Result<Done, Failure> {
        (self.answer)(self.runs.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl Bench {
    /// Opens a task, runs it as `answer` says, and waits until its row is as `enough` wants it.
    async fn run_task(
        &mut self,
        answer: fn(usize) -> Result<Done, Failure>,
        enough: impl Fn(&Option<DueRow>) -> bool,
    ) -> (usize, Option<DueRow>) {
        let order = ids::order();
        let origin = Origin::of_person(ids::unique(), order.to_string(), clock::now());
        let row = DueRow {
            order,
            task: Task::Authorize,
            opened_at: origin.at,
            not_before: origin.at,
            failures: 0,
            attempts: 0,
            problem: None,
            parked: false,
            origin,
        };
        // The rows of an order are looked up by the tasks of the store's service.
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open(&folder.path().join("data")).unwrap();
        let store: Arc<dyn EventStore> = Arc::new(EmbeddedEventStore::new(db, Service::Payment));
        let request = Append {
            opens: vec![row],
            ..Append::default()
        };
        store.append(request).await.unwrap();
        let tried = Arc::new(Tried {
            runs: AtomicUsize::new(0),
            answer,
        });
        let runner = DueRunner {
            store: store.clone(),
            run: tried.clone(),
        };
        self.tasks.spawn(runner.run(self.stop.clone()));
        let look = || async { store.due_of(order).await.unwrap().pop() };
        let row = eventually(look, enough).await;
        self.stop().await;
        (tried.runs.load(Ordering::Relaxed), row)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_run_until_it_is_settled() {
    let answer = |run| match run {
        1..4 => Err(Failure::Unavailable("it is down".into())),
        4 => Ok(Done::Again(Timestamp::default())),
        _ => Ok(Done::Nothing),
    };
    let (runs, _) = Bench::new().run_task(answer, Option::is_none).await;
    assert_eq!(runs, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_can_never_end_is_parked_at_once() {
    let answer = |_| Err(Failure::permanent("invariant", "it cannot be"));
    let parked = |row: &Option<DueRow>| row.as_ref().is_some_and(|row| row.parked);
    let (runs, row) = Bench::new().run_task(answer, parked).await;
    assert_eq!(
        (runs, row.unwrap().problem.as_deref()),
        (1, Some("it cannot be"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_fails_for_unknown_reasons_is_parked_after_a_few_attempts() {
    let answer = |_| Err(Failure::Unknown("it is odd".into()));
    let parked = |row: &Option<DueRow>| row.as_ref().is_some_and(|row| row.parked);
    let (runs, row) = Bench::new().run_task(answer, parked).await;
    assert_eq!(runs, usize::try_from(MAX_ATTEMPTS).unwrap());
    assert_eq!(row.unwrap().attempts, MAX_ATTEMPTS);
}
