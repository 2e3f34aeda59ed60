//! Any sequence of requests, held against a store in a few lines.
//!
//! Requests come in bursts that are sent together, so that one commit holds several. What the
//! store answered, and what it holds afterwards, has to be what the model does for some order of
//! the burst.

mod plain;

use std::sync::Arc;

use domain::values::OrderId;
use domain::{Category, Position, Service, StreamId, Task};
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use infra::event_store::{Append, AppendError, DueRow, EventStore};
use infra::ids;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Handle;

use super::Stores;
use super::given::*;
use plain::{Plain, Verdict};

const CASES: u32 = 400;
const ORDERS: usize = 3;
const KEYS: usize = 2;
const TASKS: [Task; 2] = [Task::Authorize, Task::Capture];

/// One request, by numbers; an instance of a case makes it one of its own orders and keys.
#[derive(Debug, Clone)]
enum Step {
    Append {
        /// Stream, its version relative to the true one before the burst, and how many facts.
        on: Vec<(usize, i64, u64)>,
        key: Option<usize>,
        opens: Vec<(usize, usize, i64)>,
        settles: Vec<(usize, usize)>,
    },
    PutBack {
        task: (usize, usize),
        time: i64,
        parked: bool,
    },
}

fn append() -> impl Strategy<Value = Step> {
    let version = prop_oneof![8 => Just(0i64), 1 => Just(-1), 1 => Just(1), 1 => Just(2)];
    let on = vec((0..ORDERS, version, 0..3u64), 0..3).prop_map(|mut on| {
        on.sort_by_key(|(stream, ..)| *stream);
        on.dedup_by_key(|(stream, ..)| *stream);
        on
    });
    let task = || (0..ORDERS, 0..TASKS.len());
    let opens = vec((0..ORDERS, 0..TASKS.len(), 0..20i64), 0..3);
    let key = prop::option::weighted(0.3, 0..KEYS);
    (on, key, opens, vec(task(), 0..3)).prop_map(|(on, key, opens, settles)| Step::Append {
        on,
        key,
        opens,
        settles,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let task = (0..ORDERS, 0..TASKS.len());
    let put_back = (task, 0..20i64, prop::bool::weighted(0.2))
        .prop_map(|(task, time, parked)| Step::PutBack { task, time, parked });
    prop_oneof![4 => append(), 1 => put_back]
}

pub async fn any_sequence_of_requests_does_what_the_model_does(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let runtime = Handle::current();
    let checked = tokio::task::spawn_blocking(move || {
        let mut runner = TestRunner::new(Config {
            cases: CASES,
            failure_persistence: None,
            ..Config::default()
        });
        let bursts = vec(vec(step(), 1..4), 1..8);
        runner.run(&bursts, |bursts| {
            runtime.block_on(Case::new(store.clone()).run(bursts))
        })
    });
    if let Err(e) = checked.await.unwrap() {
        panic!("{e}");
    }
}

/// One sequence, on streams, keys and tasks of its own.
struct Case {
    store: Arc<dyn EventStore>,
    orders: [OrderId; ORDERS],
    scope: String,
    begin: Position,
    model: Plain,
}

/// A request as it is sent.
#[derive(Debug, Clone)]
enum Request {
    Append(Append),
    PutBack(DueRow),
}

impl Case {
    fn new(store: Arc<dyn EventStore>) -> Self {
        Self {
            store,
            orders: std::array::from_fn(|_| ids::order()),
            scope: ids::unique().to_string(),
            begin: 0,
            model: Plain::default(),
        }
    }

    async fn run(mut self, bursts: Vec<Vec<Step>>) -> Result<(), TestCaseError> {
        self.begin = self.store.last_position().await.unwrap();
        let result = self.compare(bursts).await;
        self.settle_all().await;
        result
    }

    async fn compare(&mut self, bursts: Vec<Vec<Step>>) -> Result<(), TestCaseError> {
        for burst in bursts {
            let requests: Vec<_> = burst.into_iter().map(|step| self.request(step)).collect();
            let sent = requests.iter().map(|request| self.send(request.clone()));
            let verdicts = join_all(sent).await;
            let seen = self.seen().await?;
            let orders = orders_of(requests.len());
            let explained = orders.iter().find(|order| {
                let mut model = self.model.clone();
                let same = |n: &usize| verdicts[*n] == model.take(&requests[*n]);
                order.iter().all(same) && model == seen
            });
            if explained.is_none() {
                return Err(TestCaseError::fail(format!(
                    "no order of {requests:#?}\nexplains {verdicts:#?}\nand after {:#?}\n{seen:#?}",
                    self.model
                )));
            }
            self.model = seen;
        }
        Ok(())
    }

    fn stream(&self, n: usize) -> StreamId {
        StreamId::of(Category::Payment, self.orders[n])
    }

    fn row(&self, (order, task): (usize, usize), time: i64) -> DueRow {
        task_of(self.orders[order], TASKS[task], second(time))
    }

    fn request(&self, step: Step) -> Request {
        match step {
            Step::PutBack { task, time, parked } => Request::PutBack(DueRow {
                parked,
                failures: 1,
                ..self.row(task, time)
            }),
            Step::Append {
                on,
                key,
                opens,
                settles,
            } => {
                let facts = on.into_iter().map(|(n, off, count)| {
                    let stream = self.stream(n);
                    let version = self.model.version(&stream).saturating_add_signed(off);
                    to(&stream, version, count)
                });
                let rest = Append {
                    reply: key.map(|key| reply(&self.scope, &key.to_string(), second(1))),
                    opens: (opens.into_iter())
                        .map(|(order, task, time)| self.row((order, task), time))
                        .collect(),
                    settles: (settles.into_iter())
                        .map(|task| self.row(task, 0).id())
                        .collect(),
                    ..Append::default()
                };
                Request::Append(facts.fold(rest, both))
            }
        }
    }

    fn send(&self, request: Request) -> BoxFuture<'_, Verdict> {
        async move {
            match request {
                Request::PutBack(row) => {
                    self.store.put_back(&row).await.unwrap();
                    Verdict::Accepted
                }
                Request::Append(request) => match self.store.append(request).await {
                    Ok(_) => Verdict::Accepted,
                    Err(AppendError::Conflict(_)) => Verdict::Conflict,
                    Err(AppendError::Repeated(reply)) => Verdict::Repeated(reply),
                    Err(e) => panic!("{e}"),
                },
            }
        }
        .boxed()
    }

    /// What the store holds of this case; checks that its ways to read agree.
    async fn seen(&self) -> Result<Plain, TestCaseError> {
        let log = self.store.read_log(self.begin, ALL).await.unwrap();
        prop_assert!(log.is_sorted_by(|a, b| a.position < b.position));
        let mut seen = Plain {
            log: without_positions(&log),
            ..Plain::default()
        };
        for n in 0..ORDERS {
            let stream = self.stream(n);
            let facts = facts_of(&*self.store, &stream).await;
            let in_log = log.iter().filter(|fact| fact.id.stream == stream);
            prop_assert!(
                facts.iter().eq(in_log),
                "the stream {stream} differs from the log"
            );
            let rows = self.store.due_of(self.orders[n]).await.unwrap();
            seen.due.extend(rows.into_iter().map(|row| (row.id(), row)));
        }
        for key in 0..KEYS {
            let key = key.to_string();
            let kept = self.store.stored_reply(&self.scope, &key).await.unwrap();
            seen.replies.extend(kept.map(|reply| (key, reply)));
        }
        for now in [second(5), second(20)] {
            let mut due = due_at(&*self.store, now).await;
            prop_assert!(due.is_sorted_by_key(|row| row.not_before));
            due.sort_by_key(|row| (row.not_before, row.id()));
            prop_assert_eq!(due, seen.due_at(now));
        }
        let next = self.store.next_due(second(5)).await.unwrap();
        prop_assert_eq!(next, seen.next_due(second(5)));
        Ok(seen)
    }

    /// Leaves no task to the next case.
    async fn settle_all(&self) {
        let of_order = |order| TASKS.map(|task| DueRow::id_of(order, task));
        let request = Append {
            settles: self.orders.into_iter().flat_map(of_order).collect(),
            ..Append::default()
        };
        self.store.append(request).await.unwrap();
    }
}

/// Every order of `0..n`.
fn orders_of(n: usize) -> Vec<Vec<usize>> {
    let Some(last) = n.checked_sub(1) else {
        return vec![vec![]];
    };
    let inserted = |order: Vec<usize>| {
        (0..n).map(move |at| {
            let mut order = order.clone();
            order.insert(at, last);
            order
        })
    };
    orders_of(last).into_iter().flat_map(inserted).collect()
}
