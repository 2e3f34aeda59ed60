//! Which of the requests that wait can go together.

use std::collections::{HashMap, HashSet};

use domain::StreamId;

use super::values::{JsonText, Micros, int};
use crate::event_store::{Append, DueRow, StoreError};

/// Requests of one batch: larger ones gain nothing and keep the first waiting.
pub const BATCH: usize = 1024;
/// Bytes of one batch, about: a call of the server may have 1 GB, and is kept in memory there.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// What one caller asks for.
pub enum Request {
    Append(Box<Prepared>),
    PutBack(TaskRow),
}

/// An append whose tasks are made ready by its caller, so that the writer does less.
pub struct Prepared {
    pub append: Append,
    pub opens: Vec<TaskRow>,
    /// How many facts each of the expected streams gets.
    pub counts: Vec<i64>,
}

impl Prepared {
    pub fn new(mut append: Append) -> Result<Self, StoreError> {
        let opens = std::mem::take(&mut append.opens);
        let opens = opens.iter().map(TaskRow::new).collect::<Result<_, _>>()?;
        let mut facts: HashMap<&StreamId, i64> = HashMap::new();
        for fact in &append.facts {
            *facts.entry(&fact.stream).or_default() += 1;
        }
        let count = |stream| facts.get(stream).copied().unwrap_or(0);
        let counts = append.expect.iter().map(|(stream, _)| count(stream));
        let counts = counts.collect();
        Ok(Self {
            append,
            opens,
            counts,
        })
    }

    /// The streams that it names: the version expected, and how many facts come.
    pub fn streams(&self) -> impl Iterator<Item = (&StreamId, i64, i64)> {
        let streams = self.append.expect.iter().zip(&self.counts);
        streams.map(|((stream, expected), count)| (stream, int(*expected), *count))
    }

    fn bytes(&self) -> usize {
        let facts = self.append.facts.iter();
        let facts = facts.map(|fact| 128 + fact.payload.len() + fact.metadata.len());
        let replies = self.append.reply.iter().map(|reply| 128 + reply.body.len());
        let opens = self.opens.iter().map(|row| 128 + row.task.0.len());
        facts.chain(replies).chain(opens).sum()
    }
}

/// A row of the table of tasks.
pub struct TaskRow {
    pub id: String,
    /// None where it is parked.
    pub due_at: Option<Micros>,
    pub failures: i32,
    pub task: JsonText<'static>,
}

impl TaskRow {
    pub fn new(row: &DueRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id(),
            due_at: (!row.parked).then(|| row.not_before.into()),
            failures: i32::try_from(row.failures).unwrap_or(i32::MAX),
            task: JsonText::from_row(row)?,
        })
    }
}

/// How many of the requests that wait go together, and whether they need the careful way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    pub len: usize,
    pub careful: bool,
}

/// Cuts a batch off the front. It ends before a request that touches a task of one before it: the
/// order in which tasks are opened, settled and put back counts, and a statement has none. Where
/// two name one stream or one key, only the careful way knows which comes first.
pub fn cut<'a>(waiting: impl Iterator<Item = &'a Request>) -> Cut {
    let (mut tasks, mut streams, mut keys) = (
        HashSet::<&str>::new(),
        HashSet::<&StreamId>::new(),
        HashSet::new(),
    );
    let (mut len, mut bytes, mut careful) = (0, 0, false);
    for request in waiting.take(BATCH) {
        let touched = touched(request);
        if touched.iter().any(|id| tasks.contains(id)) {
            break;
        }
        if let Request::Append(prepared) = request {
            let append = &prepared.append;
            careful |= append
                .expect
                .iter()
                .any(|(stream, _)| streams.contains(stream));
            streams.extend(append.expect.iter().map(|(stream, _)| stream));
            if let Some(reply) = &append.reply {
                careful |= !keys.insert((&reply.scope, &reply.key));
            }
        }
        tasks.extend(touched);
        bytes += size(request);
        if len > 0 && bytes > BATCH_BYTES {
            break;
        }
        len += 1;
    }
    Cut { len, careful }
}

fn touched(request: &Request) -> Vec<&str> {
    match request {
        Request::Append(prepared) => {
            let settles = prepared.append.settles.iter().map(String::as_str);
            let opens = prepared.opens.iter().map(|row| &*row.id);
            settles.chain(opens).collect()
        }
        Request::PutBack(row) => vec![&row.id],
    }
}

fn size(request: &Request) -> usize {
    match request {
        Request::Append(prepared) => prepared.bytes(),
        Request::PutBack(row) => row.task.0.len(),
    }
}

#[cfg(test)]
mod tests {
    use domain::values::{OrderId, Timestamp};
    use domain::{Category, Task};

    use super::*;
    use crate::event_store::NewFact;
    use crate::{Origin, ids};

    fn task(order: OrderId) -> DueRow {
        let at = Timestamp::default();
        DueRow {
            order,
            task: Task::Authorize,
            opened_at: at,
            not_before: at,
            failures: 0,
            attempts: 0,
            problem: None,
            parked: false,
            origin: Origin::of_person(ids::unique(), order.to_string(), at),
        }
    }

    fn on(stream: OrderId) -> Append {
        let stream = StreamId::of(Category::Payment, stream);
        Append {
            expect: vec![(stream, 3)],
            ..Append::default()
        }
    }

    fn opening(order: OrderId) -> Append {
        Append {
            opens: vec![task(order)],
            settles: vec![task(order).id()],
            ..on(order)
        }
    }

    #[track_caller]
    fn assert_cut(requests: Vec<Request>, len: usize, careful: bool) {
        assert_eq!(cut(requests.iter()), Cut { len, careful });
    }

    fn append(append: Append) -> Request {
        Request::Append(Box::new(Prepared::new(append).unwrap()))
    }

    fn put_back(order: OrderId) -> Request {
        Request::PutBack(TaskRow::new(&task(order)).unwrap())
    }

    #[test]
    fn requests_that_have_nothing_in_common_go_together() {
        let alone = || [append(opening(ids::order())), put_back(ids::order())];
        assert_cut((0..50).flat_map(|_| alone()).collect(), 100, false);
        assert_cut((0..BATCH).flat_map(|_| alone()).collect(), BATCH, false);
    }

    #[test]
    fn two_on_one_stream_go_the_careful_way() {
        let hot = ids::order();
        let all = [ids::order(), hot, ids::order(), hot];
        assert_cut(all.map(|order| append(on(order))).into(), 4, true);
    }

    #[test]
    fn a_batch_ends_before_a_task_that_it_touches_already() {
        let (one, other) = (ids::order(), ids::order());
        for second in [append(opening(one)), put_back(one)] {
            assert_cut(
                vec![append(opening(one)), put_back(other), second],
                2,
                false,
            );
        }
        assert_cut(vec![put_back(one), put_back(one)], 1, false);
    }

    #[test]
    fn a_batch_ends_before_it_gets_too_large_and_is_never_empty() {
        let of = |bytes: usize| {
            let order = ids::order();
            let fact = NewFact {
                stream: StreamId::of(Category::Payment, order),
                sequence: 4,
                name: "payment.requested",
                version: "1",
                payload: vec![b' '; bytes].into(),
                metadata: vec![].into(),
            };
            append(Append {
                facts: vec![fact],
                ..on(order)
            })
        };
        let large = BATCH_BYTES * 3 / 4;
        assert_cut(vec![of(1), of(large), of(large)], 2, false);
        assert_cut(vec![of(BATCH_BYTES), of(1)], 1, false);
    }
}
