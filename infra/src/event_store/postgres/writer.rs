//! The group commit: one task that appends whatever waits, in one statement.
//!
//! There is no timer: a lone client waits for its own statement and no longer, and while that runs
//! the next batch gathers.

use std::collections::VecDeque;
use std::time::Duration;

use domain::Service;
use metrics::Histogram;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use super::append::{self, Answer};
use super::batch::{self, BATCH, Prepared, Request, TaskRow};
use super::columns::bind_tasks;
use super::errors::{Trouble, store_error};
use crate::event_store::{Append, AppendError, DueRow, StoreError};
use crate::tasks::in_background;

/// Requests that may wait; one more is refused as overload. Twice what the HTTP side lets in, so
/// that the process's own work finds room beside it.
const QUEUE: usize = 4096;
/// Batches halve by themselves: of those that were answered, half ask again before the writer
/// looks. That many yields let the others come; a lone client is not made to wait.
const YIELDS: usize = 4;
/// How long to try to connect before whoever waits is told.
const CONNECT: Duration = Duration::from_secs(1);
/// How long a statement may take: a server that is stopped never answers. Longer than the lock
/// time-out of the session.
const STATEMENT: Duration = Duration::from_secs(10);
/// How long to find out what became of a batch whose connection was lost.
const RESOLVE: Duration = Duration::from_secs(15);
/// Between tries, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(200)];

struct Job {
    request: Request,
    answer: oneshot::Sender<Answer>,
}

/// The way to the writer task.
pub struct Writer {
    queue: mpsc::Sender<Job>,
    /// How long appends take.
    took: Histogram,
}

impl Writer {
    /// Starts the task of a service. It ends when this is dropped and what waits is done.
    pub fn start(service: Service, options: PgConnectOptions, changes: watch::Sender<u64>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let session = Session {
            options,
            connection: None,
        };
        in_background(run(service, jobs, session, changes));
        Self {
            queue,
            took: metrics::histogram!("waybill_append_seconds", "service" => service.name()),
        }
    }

    /// Whether the task runs.
    pub fn ready(&self) -> Result<(), StoreError> {
        match self.queue.is_closed() {
            false => Ok(()),
            true => Err(stopped()),
        }
    }

    pub async fn append(&self, request: Append) -> Answer {
        request.check()?;
        let begun = Instant::now();
        let prepared = Box::new(Prepared::new(request)?);
        let answer = self.send(Request::Append(prepared)).await;
        self.took.record(begun.elapsed());
        answer
    }

    pub async fn put_back(&self, row: &DueRow) -> Answer {
        self.send(Request::PutBack(TaskRow::new(row)?)).await
    }

    async fn send(&self, request: Request) -> Answer {
        let (answer, answered) = oneshot::channel();
        let job = Job { request, answer };
        self.queue.try_send(job).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answered.await.map_err(|_| stopped())?
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the writer has stopped".into())
}

async fn run(
    service: Service,
    mut jobs: mpsc::Receiver<Job>,
    mut session: Session,
    changes: watch::Sender<u64>,
) {
    let size = metrics::histogram!("waybill_append_batch_size", "store" => service.name());
    let queue = metrics::gauge!("waybill_append_queue", "store" => service.name());
    let (mut waiting, mut taken) = (VecDeque::new(), Vec::with_capacity(BATCH));
    loop {
        if waiting.is_empty() && jobs.recv_many(&mut taken, BATCH).await == 0 {
            return;
        }
        while waiting.len() + taken.len() < BATCH {
            let Ok(job) = jobs.try_recv() else { break };
            taken.push(job);
        }
        waiting.extend(taken.drain(..));
        let cut = batch::cut(waiting.iter().map(|job: &Job| &job.request));
        let (requests, answers): (Vec<_>, Vec<_>) = waiting
            .drain(..cut.len)
            .map(|job| (job.request, job.answer))
            .unzip();
        size.record(requests.len() as f64);
        queue.set((waiting.len() + jobs.len()) as f64);
        crate::crash_point!("postgres-writer.before-send");
        let told = session.commit(&requests, cut.careful).await;
        crate::crash_point!("postgres-writer.after-commit");
        if told.iter().any(Result::is_ok) {
            changes.send_modify(|n| *n += 1);
        }
        for (answer, told) in answers.into_iter().zip(told) {
            // The caller may have gone away; that is no concern of the others.
            drop(answer.send(told));
        }
        for _ in 0..YIELDS {
            if cut.len < 2 || !waiting.is_empty() || jobs.len() >= cut.len {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// A batch of one kind.
#[derive(Clone, Copy)]
enum Batch<'a> {
    Appends(&'a [&'a Prepared], Way),
    PutBacks(&'a [&'a TaskRow]),
}

/// Whether the writer knows that the batch cannot be taken as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Try,
    Careful,
}

impl Batch<'_> {
    fn len(self) -> usize {
        match self {
            Self::Appends(requests, _) => requests.len(),
            Self::PutBacks(rows) => rows.len(),
        }
    }

    /// That request by itself.
    fn one(&self, n: usize) -> Self {
        match self {
            Self::Appends(requests, _) => Self::Appends(&requests[n..=n], Way::Try),
            Self::PutBacks(rows) => Self::PutBacks(&rows[n..=n]),
        }
    }

    async fn send(self, on: &mut PgConnection, again: bool) -> Result<Vec<Answer>, Trouble> {
        match self {
            Self::Appends(requests, way) => {
                append::append(on, requests, way == Way::Careful, again).await
            }
            Self::PutBacks(rows) => {
                let query = sqlx::query("SELECT put_back($1, $2, $3, $4)");
                bind_tasks(query, rows).execute(on).await?;
                Ok(rows.iter().map(|_| Ok(0)).collect())
            }
        }
    }
}

/// One request of a batch makes the server refuse all of it: this is the answer for that one, and
/// each has to be sent by itself.
struct OfOne {
    blamed: AppendError,
    again: bool,
}

/// The writer's own connection, made again whenever it was lost.
struct Session {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
}

impl Session {
    /// Commits requests of both kinds; the answers are in their order. No two of them touch one
    /// task, so it is the same which kind goes first.
    async fn commit(&mut self, requests: &[Request], careful: bool) -> Vec<Answer> {
        let (mut appends, mut put_backs) = (vec![], vec![]);
        for request in requests {
            match request {
                Request::Append(prepared) => appends.push(&**prepared),
                Request::PutBack(row) => put_backs.push(row),
            }
        }
        let way = if careful { Way::Careful } else { Way::Try };
        let appended = self.decide(Batch::Appends(&appends, way)).await;
        let put_back = self.decide(Batch::PutBacks(&put_backs)).await;
        let (mut appended, mut put_back) = (appended.into_iter(), put_back.into_iter());
        let answer = |request: &Request| match request {
            Request::Append(_) => appended.next().unwrap_or_else(|| Err(stopped().into())),
            Request::PutBack(_) => put_back.next().unwrap_or_else(|| Err(stopped().into())),
        };
        requests.iter().map(answer).collect()
    }

    async fn decide(&mut self, batch: Batch<'_>) -> Vec<Answer> {
        let begun = Instant::now();
        if batch.len() == 0 {
            return vec![];
        }
        let OfOne { blamed, again } = match self.decide_together(batch, false).await {
            Ok(answers) => return answers,
            Err(of_one) => of_one,
        };
        if batch.len() == 1 {
            return vec![Err(blamed)];
        }
        tracing::warn!(error = %blamed, "a batch was refused because of one request");
        let mut answers = Vec::with_capacity(batch.len());
        for n in 0..batch.len() {
            if begun.elapsed() > RESOLVE {
                answers.push(Err(
                    StoreError::Unavailable("it takes too long".into()).into()
                ));
                continue;
            }
            match self.decide_together(batch.one(n), again).await {
                Ok(one) => answers.extend(one),
                Err(of_one) => answers.push(Err(of_one.blamed)),
            }
        }
        answers
    }

    /// Sends a batch until it is known what became of it, or for as long as callers may be kept
    /// waiting. `again`: it may have been sent before.
    async fn decide_together(
        &mut self,
        batch: Batch<'_>,
        mut again: bool,
    ) -> Result<Vec<Answer>, OfOne> {
        let (begun, mut pause) = (Instant::now(), PAUSES[0]);
        loop {
            let lost = match self.connected().await {
                Err(e) => e,
                Ok(connection) => match timeout(STATEMENT, batch.send(connection, again)).await {
                    Ok(Ok(answers)) => return Ok(answers),
                    Ok(Err(Trouble::OfOne(blamed))) => return Err(OfOne { blamed, again }),
                    Ok(Err(Trouble::Refused(e))) => return Ok(same_for_all(batch, &e)),
                    Ok(Err(Trouble::Lost(e))) => self.lost(e, &mut again),
                    Err(_) => {
                        let late = format!("no answer within {STATEMENT:?}");
                        self.lost(StoreError::Unavailable(late), &mut again)
                    }
                },
            };
            if begun.elapsed() > if again { RESOLVE } else { CONNECT } {
                tracing::error!(error = %lost, requests = batch.len(), "a batch was given up");
                return Ok(same_for_all(batch, &lost));
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES[1]);
        }
    }

    fn lost(&mut self, e: StoreError, again: &mut bool) -> StoreError {
        tracing::warn!(error = %e, "a batch is sent again, its outcome being unknown");
        *again = true;
        self.connection = None;
        e
    }

    async fn connected(&mut self) -> Result<&mut PgConnection, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let late = |_| StoreError::Unavailable(format!("no connection in {CONNECT:?}"));
                let connected = timeout(CONNECT, self.options.connect()).await;
                connected.map_err(late)?.map_err(|e| store_error(&e))?
            }
        };
        Ok(self.connection.insert(connection))
    }
}

fn same_for_all(batch: Batch<'_>, e: &StoreError) -> Vec<Answer> {
    (0..batch.len()).map(|_| Err(e.clone().into())).collect()
}
