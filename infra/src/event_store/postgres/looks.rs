//! Looks at single streams, many in one statement.
//!
//! Facts are taken many at once, and each is decided over a look at its stream. A statement for
//! each would cost the server more than the appends that follow. So whatever looks wait are asked
//! as one. There is no timer: a lone look is asked at once, and while that runs the next gather.

use domain::{Sequence, StreamId};
use futures::stream::{FuturesUnordered, StreamExt};
use sqlx::postgres::{PgPool, PgRow};
use tokio::sync::{mpsc, oneshot};

use super::ask;
use super::log::{fact, get, select_facts};
use super::values::{corrupt, int};
use crate::event_store::{StoreError, StoredFact};
use crate::tasks::in_background;

/// The most facts that a look finds: three times what the streams of an order have.
pub const FEW: usize = 32;
/// Looks of one statement: as many as a consumer takes facts at once.
const BATCH: usize = 256;
/// Statements at once: while the server works on one, the answer to the other is read.
const AT_ONCE: usize = 2;
/// Looks that may wait; who comes then waits for a place. As many as requests may be in flight.
const QUEUE: usize = 2048;

/// Streams that are not there have no rows. The columns are those of `select_facts`, and behind
/// them which of the looks a row answers.
macro_rules! looks {
    ($rest:literal) => {
        concat!(
            "SELECT found.*, asked.n \
             FROM unnest($1, $2, $3) WITH ORDINALITY AS asked (type, id, after, n), LATERAL (",
            select_facts!("WHERE aggregate_type = asked.type AND aggregate_id = asked.id "),
            $rest,
            ") AS found"
        )
    };
}

/// Where a row has the number of its look.
const NUMBER: usize = 9;

/// What the looks of a queue find.
#[derive(Debug, Clone, Copy)]
pub enum Find {
    /// The facts after a sequence, at most [`FEW`], oldest first.
    Next,
    /// The last fact.
    Last,
}

impl Find {
    fn statement(self) -> &'static str {
        match self {
            // Its constant is FEW.
            Self::Next => looks!("AND sequence > asked.after ORDER BY sequence LIMIT 32"),
            Self::Last => looks!("ORDER BY sequence DESC LIMIT 1"),
        }
    }
}

struct Look {
    stream: StreamId,
    after: Sequence,
    answer: oneshot::Sender<Result<Vec<StoredFact>, StoreError>>,
}

/// The way to the task that asks.
pub struct Looks {
    queue: mpsc::Sender<Look>,
}

impl Looks {
    /// Starts the task. It ends when this is dropped and what waits is answered.
    pub fn start(pool: PgPool, find: Find) -> Self {
        let (queue, looks) = mpsc::channel(QUEUE);
        in_background(run(pool, find, looks));
        Self { queue }
    }

    /// What there is of a stream.
    pub async fn at(
        &self,
        stream: &StreamId,
        after: Sequence,
    ) -> Result<Vec<StoredFact>, StoreError> {
        let (answer, answered) = oneshot::channel();
        let look = Look {
            stream: stream.clone(),
            after,
            answer,
        };
        let stopped = || StoreError::Unavailable("the reader has stopped".into());
        self.queue.send(look).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

async fn run(pool: PgPool, find: Find, mut looks: mpsc::Receiver<Look>) {
    let (mut running, mut taken) = (FuturesUnordered::new(), Vec::with_capacity(BATCH));
    let mut open = true;
    while open || !running.is_empty() {
        tokio::select! {
            Some(()) = running.next() => {}
            n = looks.recv_many(&mut taken, BATCH), if open && running.len() < AT_ONCE => {
                open = n > 0;
                if open {
                    running.push(answer(&pool, find, std::mem::take(&mut taken)));
                }
            }
        }
    }
}

async fn answer(pool: &PgPool, find: Find, looks: Vec<Look>) {
    let answers = match found(pool, find, &looks).await {
        Ok(answers) => answers,
        // One of them may be to blame.
        Err(e) if !e.is_transient() && looks.len() > 1 => {
            let mut answers = Vec::with_capacity(looks.len());
            for look in &looks {
                let alone = found(pool, find, std::slice::from_ref(look)).await;
                answers.push(alone.and_then(|mut one| one.swap_remove(0)));
            }
            answers
        }
        Err(e) => vec![Err(e); looks.len()],
    };
    for (look, facts) in looks.into_iter().zip(answers) {
        // The caller may have gone away.
        drop(look.answer.send(facts));
    }
}

/// The answers, in the order of `looks`: a row that cannot be read is its own look's trouble.
async fn found(
    pool: &PgPool,
    find: Find,
    looks: &[Look],
) -> Result<Vec<Result<Vec<StoredFact>, StoreError>>, StoreError> {
    let types: Vec<_> = looks
        .iter()
        .map(|look| look.stream.category.name())
        .collect();
    let ids: Vec<_> = looks.iter().map(|look| &*look.stream.id).collect();
    let after: Vec<_> = looks.iter().map(|look| int(look.after)).collect();
    let rows = ask(|| {
        sqlx::query(find.statement())
            .bind(&types)
            .bind(&ids)
            .bind(&after)
            .fetch_all(pool)
    });
    let mut answers: Vec<_> = looks.iter().map(|_| Ok(vec![])).collect();
    for row in rows.await? {
        let answer = answers.get_mut(asked(&row)?);
        let answer = answer.ok_or_else(|| corrupt("the number of a look"))?;
        if let Ok(facts) = answer {
            match fact(&row) {
                Ok(fact) => facts.push(fact),
                Err(e) => *answer = Err(e),
            }
        }
    }
    // So they come, but the server promises it for each look only.
    for facts in answers.iter_mut().flatten() {
        facts.sort_unstable_by_key(|fact| fact.id.sequence);
    }
    Ok(answers)
}

fn asked(row: &PgRow) -> Result<usize, StoreError> {
    let number: i64 = get(row, NUMBER)?;
    usize::try_from(number - 1).map_err(|_| corrupt("the number of a look"))
}
