//! The group commit: one thread that appends whatever waits, with one fsync.
//!
//! There is no timer: a lone client waits for its own fsync and no longer, and while that runs
//! the next batch gathers. Each request of a batch is accepted or refused by itself, over the
//! versions that the requests before it leave.
//!
//! A crash before the commit loses the batch, of which nobody was told; after it, everything is
//! there and at most the answers are lost.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread;
use std::time::Instant;

use domain::values::Timestamp;
use domain::{Position, Sequence, Service, StreamId};
use fjall::{OwnedWriteBatch as WriteBatch, PersistMode};
use metrics::Histogram;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::database::{Database, locked};
use super::{from_json, keys, to_json};
use crate::event_store::{Append, AppendError, DueRow, StoreError, StoredReply};

/// Requests that may wait; one more is refused as overload. Twice what the HTTP side lets in, so
/// that the process's own work finds room beside it.
const QUEUE: usize = 4096;
/// Requests of one commit: larger ones gain nothing and keep the first waiting.
const BATCH: usize = 1024;

type Answer = Result<Position, AppendError>;
type Keyed = Vec<(Vec<u8>, DueRow)>;

struct Job {
    service: Service,
    what: What,
    answer: oneshot::Sender<Answer>,
}

/// What changes facts or due rows goes through the one writer, so that none of it races.
enum What {
    Append(Append),
    PutBack(DueRow),
}

/// The way to the writer thread.
pub struct Writer {
    queue: mpsc::Sender<Job>,
    jobs: Mutex<Option<mpsc::Receiver<Job>>>,
    /// What made a write fail. The engine takes none after that, since it no longer knows what is
    /// on the disk: only a restart finds out.
    failed: OnceLock<String>,
    /// How long appends take, of each service.
    took: [Histogram; 4],
}

impl Writer {
    pub fn new() -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        Self {
            queue,
            jobs: Mutex::new(Some(jobs)),
            failed: OnceLock::new(),
            took: Service::ALL
                .map(|of| metrics::histogram!("waybill_append_seconds", "service" => of.name())),
        }
    }

    /// Starts the thread. It ends when the last handle of the database is dropped.
    pub fn start(db: &Arc<Database>) -> Result<(), StoreError> {
        let Some(jobs) = locked(&db.writer().jobs).take() else {
            return Ok(());
        };
        let db = Arc::downgrade(db);
        let started = thread::Builder::new()
            .name("waybill-writer".into())
            .spawn(move || run(&db, jobs));
        started
            .map(drop)
            .map_err(|e| StoreError::Unavailable(e.to_string()))
    }

    /// Whether writes still go through.
    pub fn ready(&self) -> Result<(), StoreError> {
        match self.failed.get() {
            None if self.queue.is_closed() => Err(stopped()),
            None => Ok(()),
            Some(why) => Err(StoreError::Unavailable(format!(
                "a write failed, and the process has to be restarted: {why}"
            ))),
        }
    }

    pub async fn append(&self, service: Service, request: Append) -> Answer {
        request.check()?;
        let begun = Instant::now();
        let answer = self.send(service, What::Append(request)).await;
        self.took[service as usize].record(begun.elapsed());
        answer
    }

    pub async fn put_back(&self, service: Service, row: DueRow) -> Answer {
        self.send(service, What::PutBack(row)).await
    }

    async fn send(&self, service: Service, what: What) -> Answer {
        self.ready()?;
        let (answer, answered) = oneshot::channel();
        let job = Job {
            service,
            what,
            answer,
        };
        self.queue.try_send(job).map_err(|e| match e {
            TrySendError::Full(_) => StoreError::Overloaded,
            TrySendError::Closed(_) => stopped(),
        })?;
        answered.await.map_err(|_| stopped())?
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the writer has stopped; the process has to be restarted".into())
}

fn run(db: &Weak<Database>, mut jobs: mpsc::Receiver<Job>) {
    let mut waiting = Vec::with_capacity(BATCH);
    let size = metrics::histogram!("waybill_append_batch_size", "store" => "embedded");
    let queue = metrics::gauge!("waybill_append_queue", "store" => "embedded");
    while jobs.blocking_recv_many(&mut waiting, BATCH) > 0 {
        let Some(db) = db.upgrade() else { return };
        size.record(waiting.len() as f64);
        queue.set(jobs.len() as f64);
        commit(&db, waiting.drain(..));
    }
}

fn commit(db: &Database, jobs: impl ExactSizeIterator<Item = Job>) {
    let mut draft = Draft::new(db);
    let mut accepted = Vec::with_capacity(jobs.len());
    for job in jobs {
        let added = match job.what {
            What::Append(request) => draft.add(job.service, request),
            What::PutBack(row) => draft.put_back(job.service, row),
        };
        match added {
            Ok(last) => accepted.push((job.answer, last)),
            // The caller may have gone away; that is no concern of the others.
            Err(refusal) => drop(job.answer.send(Err(refusal))),
        }
    }
    let result = draft.commit();
    crate::crash_point!("embedded-writer.before-answers");
    for (answer, last) in accepted {
        let told = result.clone().map(|()| last).map_err(AppendError::from);
        drop(answer.send(told));
    }
}

/// A change of the times that are kept in memory, made once the batch is durable.
enum AgendaChange {
    Add(Timestamp, String),
    Remove(Timestamp, String),
}

/// What a batch is going to change.
struct Draft<'a> {
    db: &'a Database,
    batch: WriteBatch,
    versions: HashMap<StreamId, Sequence>,
    replies: HashMap<Vec<u8>, StoredReply>,
    last: [Position; 4],
    /// Due rows as the batch leaves them; `None` for a settled one.
    due: HashMap<Vec<u8>, Option<DueRow>>,
    agenda: Vec<(Service, AgendaChange)>,
    touched: [bool; 4],
}

impl<'a> Draft<'a> {
    fn new(db: &'a Database) -> Self {
        Self {
            db,
            batch: db.engine().batch().durability(Some(PersistMode::SyncData)),
            versions: HashMap::new(),
            replies: HashMap::new(),
            last: Service::ALL.map(|service| *locked(&db.of(service).last)),
            due: HashMap::new(),
            agenda: vec![],
            touched: [false; 4],
        }
    }

    /// Adds a request, or refuses it and leaves the draft as it was.
    fn add(&mut self, service: Service, request: Append) -> Answer {
        #[cfg(feature = "planted-bugs")]
        let request = crate::planted::half_of(request, |of, at| self.is_at(service, of, at))?;
        if let Some(reply) = &request.reply {
            self.check_key(service, reply)?;
        }
        for (stream, expected) in &request.expect {
            if !self.is_at(service, stream, *expected)? {
                return Err(AppendError::Conflict(stream.clone()));
            }
        }
        // Everything that can fail comes before the first change.
        let replies = request
            .reply
            .map(|reply| Ok::<_, StoreError>((reply_key(service, &reply), to_json(&reply)?, reply)))
            .transpose()?;
        let settles = self.find_settled(service, &request.settles)?;
        let opens = self.find_opened(service, request.opens, &settles)?;

        self.touched[service as usize] = true;
        if let Some((key, row, reply)) = replies {
            self.batch.insert(&self.db.replies, key.clone(), row);
            self.replies.insert(key, reply);
        }
        for (stream, expected) in request.expect {
            self.versions.insert(stream, expected);
        }
        let parts = self.db.of(service);
        let facts = request.facts.len();
        for fact in request.facts {
            let position = self.last[service as usize] + 1;
            self.last[service as usize] = position;
            let position = keys::position(position);
            self.batch.insert(&parts.log, position, keys::encode(&fact));
            let at = keys::sequence(&fact.stream, fact.sequence);
            self.batch.insert(&parts.streams, at, position);
            self.versions.insert(fact.stream, fact.sequence);
        }
        for (key, row) in settles {
            self.set_due(service, key, Some(row), None);
        }
        for (key, row) in opens {
            self.set_due(service, key, None, Some(row));
        }
        Ok(if facts == 0 {
            0
        } else {
            self.last[service as usize]
        })
    }

    fn put_back(&mut self, service: Service, row: DueRow) -> Answer {
        let key = keys::shared(service, &[&row.id()]);
        if let Some(stored) = self.due_row(&key)? {
            self.touched[service as usize] = true;
            self.set_due(service, key, Some(stored), Some(row));
        }
        Ok(0)
    }

    fn set_due(
        &mut self,
        service: Service,
        key: Vec<u8>,
        before: Option<DueRow>,
        after: Option<DueRow>,
    ) {
        if let Some(row) = before {
            let gone = AgendaChange::Remove(row.not_before, row.id());
            self.agenda.push((service, gone));
        }
        if let Some(row) = after.as_ref().filter(|row| !row.parked) {
            let new = AgendaChange::Add(row.not_before, row.id());
            self.agenda.push((service, new));
        }
        self.due.insert(key, after);
    }

    fn due_row(&self, key: &[u8]) -> Result<Option<DueRow>, StoreError> {
        match self.due.get(key) {
            Some(row) => Ok(row.clone()),
            None => (self.db.due.get(key)?)
                .map(|row| from_json(&row))
                .transpose(),
        }
    }

    fn check_key(&self, service: Service, reply: &StoredReply) -> Result<(), AppendError> {
        let key = reply_key(service, reply);
        let stored = match self.replies.get(&key) {
            Some(earlier) => Some(earlier.clone()),
            None => super::log::read_reply(self.db, &key)?,
        };
        match stored {
            Some(stored) => Err(AppendError::Repeated(Box::new(stored))),
            None => Ok(()),
        }
    }

    /// Streams have no holes: one is at a version if that fact is there and the next is not. Two
    /// point reads are cheaper than a search for the last, thanks to the engine's filters.
    fn is_at(
        &self,
        service: Service,
        stream: &StreamId,
        version: Sequence,
    ) -> Result<bool, StoreError> {
        if let Some(known) = self.versions.get(stream) {
            return Ok(*known == version);
        }
        let streams = &self.db.of(service).streams;
        let has = |sequence| streams.contains_key(keys::sequence(stream, sequence));
        Ok(!has(version + 1)? && (version == 0 || has(version)?))
    }

    fn find_settled(&self, service: Service, ids: &[String]) -> Result<Keyed, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let key = keys::shared(service, &[id]);
            if let Some(row) = self.due_row(&key)? {
                found.push((key, row));
            }
        }
        Ok(found)
    }

    /// The tasks that are not open once `settled` are gone; of two that are one, the first.
    fn find_opened(
        &self,
        service: Service,
        rows: Vec<DueRow>,
        settled: &Keyed,
    ) -> Result<Keyed, StoreError> {
        let settled: HashSet<&[u8]> = settled.iter().map(|(key, _)| &key[..]).collect();
        let mut seen = HashSet::with_capacity(rows.len());
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let key = keys::shared(service, &[&row.id()]);
            let free = settled.contains(&key[..]) || self.due_row(&key)?.is_none();
            if free && seen.insert(key.clone()) {
                found.push((key, row));
            }
        }
        Ok(found)
    }

    fn commit(mut self) -> Result<(), StoreError> {
        // Once a key, as the batch leaves it: all entries of a batch have one sequence number in
        // the engine, so that two of one key would have no order.
        for (key, row) in self.due {
            match row {
                Some(row) => self.batch.insert(&self.db.due, key, to_json(&row)?),
                None => self.batch.remove(&self.db.due, key),
            }
        }
        crate::crash_point!("embedded-writer.before-commit");
        if let Err(e) = self.batch.commit() {
            let failed = &self.db.writer().failed;
            if failed.set(e.to_string()).is_ok() {
                tracing::error!(error = %e, "the data directory cannot be written; restart to go on");
            }
            return self.db.writer().ready();
        }
        crate::crash_point!("embedded-writer.after-commit");
        for service in Service::ALL {
            *locked(&self.db.of(service).last) = self.last[service as usize];
        }
        for (service, change) in self.agenda {
            let mut agenda = locked(&self.db.of(service).agenda);
            match change {
                AgendaChange::Add(time, id) => agenda.insert((time, id)),
                AgendaChange::Remove(time, id) => agenda.remove(&(time, id)),
            };
        }
        for service in Service::ALL {
            if self.touched[service as usize] {
                self.db.of(service).changes.send_modify(|n| *n += 1);
            }
        }
        Ok(())
    }
}

fn reply_key(service: Service, reply: &StoredReply) -> Vec<u8> {
    keys::shared(service, &[&reply.scope, &reply.key])
}
