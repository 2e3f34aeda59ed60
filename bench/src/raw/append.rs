//! The same rows into the same tables, without a check: through a queue like ours, by the same
//! driver, as one statement a batch.

use std::sync::Arc;

use anyhow::{Context, bail};
use infra::event_store::{Append, NewFact, StoredReply};
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::sql::{Json, Micros};

/// As ours: requests of a batch, requests that may wait, and how often it lets others come.
const BATCH: usize = 1024;
const QUEUE: usize = 4096;
const YIELDS: usize = 4;

/// Facts and replies as one statement, which commits by itself.
const INSERT: &str = "WITH facts AS (
    INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version,
                        payload, metadata)
    SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::bigint[]), unnest($4::text[]),
           unnest($5::text[]), unnest($6::json[]), unnest($7::json[]))
    INSERT INTO replies (scope, key, hash, status, body, location, token, stored_at)
    SELECT unnest($8::text[]), unnest($9::text[]), unnest($10::bytea[]), unnest($11::integer[]),
           unnest($12::bytea[]), unnest($13::text[]), unnest($14::text[]),
           unnest($15::timestamptz[])";

/// The same where there are no replies.
const INSERT_FACTS: &str = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type,
        event_version, payload, metadata)
    SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::bigint[]), unnest($4::text[]),
           unnest($5::text[]), unnest($6::json[]), unnest($7::json[])";

/// One fact and its reply, in the plainest way.
const INSERT_ONE: &str = "WITH fact AS (
    INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version,
                        payload, metadata)
    VALUES ($1, $2, $3, $4, $5, $6, $7))
    INSERT INTO replies (scope, key, hash, status, body, location, token, stored_at)
    VALUES ($8, $9, $10, $11, $12, $13, $14, $15)";

struct Job {
    append: Append,
    answer: oneshot::Sender<Result<(), String>>,
}

/// The way to the task that writes, which ends with the last of them.
#[derive(Clone)]
pub struct RawWriter {
    queue: mpsc::Sender<Job>,
    _task: Arc<JoinSet<()>>,
}

impl RawWriter {
    pub fn start(connection: PgConnection) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let mut task = JoinSet::new();
        task.spawn(run(connection, jobs));
        Self {
            queue,
            _task: Arc::new(task),
        }
    }

    pub async fn append(&self, append: Append) -> anyhow::Result<()> {
        let (answer, answered) = oneshot::channel();
        let sent = self.queue.send(Job { append, answer }).await;
        sent.ok().context("the raw writer has ended")?;
        let told = answered.await.context("the raw writer has ended")?;
        told.map_err(anyhow::Error::msg)
    }
}

async fn run(mut connection: PgConnection, mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut batch, BATCH).await > 0 {
        let done = insert(&mut connection, batch.iter().map(|job| &job.append)).await;
        let told = done.map_err(|e| format!("{e:#}"));
        let taken = batch.len();
        for job in batch.drain(..) {
            // Nobody waits where the round is over.
            drop(job.answer.send(told.clone()));
        }
        for _ in 0..YIELDS {
            if taken < 2 || jobs.len() >= taken {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Inserts the rows of some appends and commits.
pub async fn insert<'a>(
    on: &mut PgConnection,
    appends: impl Iterator<Item = &'a Append>,
) -> anyhow::Result<()> {
    let (mut facts, mut replies) = (vec![], vec![]);
    for append in appends {
        facts.extend(&append.facts);
        replies.extend(&append.reply);
    }
    let sql = if replies.is_empty() {
        INSERT_FACTS
    } else {
        INSERT
    };
    let query = bind_facts(sqlx::query(sql), &facts);
    let query = if replies.is_empty() {
        query
    } else {
        bind_replies(query, &replies)
    };
    query.execute(on).await?;
    Ok(())
}

/// Inserts the only fact of an append, and its reply, and commits.
pub async fn insert_one(on: &mut PgConnection, append: &Append) -> anyhow::Result<()> {
    let (Some(fact), Some(reply)) = (append.facts.first(), &append.reply) else {
        bail!("this is not one fact and a reply");
    };
    let query = sqlx::query(INSERT_ONE)
        .bind(fact.stream.category.name())
        .bind(fact.stream.id.as_str())
        .bind(fact.sequence as i64)
        .bind(fact.name)
        .bind(fact.version)
        .bind(Json(&fact.payload))
        .bind(Json(&fact.metadata))
        .bind(reply.scope.as_str())
        .bind(reply.key.as_str())
        .bind(&reply.hash[..])
        .bind(i32::from(reply.status))
        .bind(reply.body.as_slice())
        .bind(reply.location.as_deref())
        .bind(reply.token.as_deref())
        .bind(Micros(reply.stored_at.as_micros()));
    query.execute(on).await?;
    Ok(())
}

type Bound<'q> = Query<'q, Postgres, PgArguments>;

fn column<'q, R, T>(rows: &[&'q R], part: impl Fn(&'q R) -> T) -> Vec<T> {
    rows.iter().map(|row| part(row)).collect()
}

fn bind_facts<'q>(query: Bound<'q>, facts: &[&'q NewFact]) -> Bound<'q> {
    query
        .bind(column(facts, |fact| fact.stream.category.name()))
        .bind(column(facts, |fact| fact.stream.id.as_str()))
        .bind(column(facts, |fact| fact.sequence as i64))
        .bind(column(facts, |fact| fact.name))
        .bind(column(facts, |fact| fact.version))
        .bind(column(facts, |fact| Json(&fact.payload)))
        .bind(column(facts, |fact| Json(&fact.metadata)))
}

fn bind_replies<'q>(query: Bound<'q>, replies: &[&'q StoredReply]) -> Bound<'q> {
    query
        .bind(column(replies, |reply| reply.scope.as_str()))
        .bind(column(replies, |reply| reply.key.as_str()))
        .bind(column(replies, |reply| &reply.hash[..]))
        .bind(column(replies, |reply| i32::from(reply.status)))
        .bind(column(replies, |reply| reply.body.as_slice()))
        .bind(column(replies, |reply| reply.location.as_deref()))
        .bind(column(replies, |reply| reply.token.as_deref()))
        .bind(column(replies, |reply| Micros(reply.stored_at.as_micros())))
}
