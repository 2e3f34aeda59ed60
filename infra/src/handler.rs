//! Load, decide, append: the only way in which commands become facts.
//!
//! The state of a stream is cached at its version, and a stream that is not in the cache is taken
//! for a new one, as most are. The version that an append expects catches what is stale, and the
//! command is decided again over what is there now. Two windows for a crash: before the append
//! nothing happened; after it everything did, and at most the answer is lost.
//! A command that comes again is a no-op by its decider's rules, or is recognised by its id.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use domain::values::Timestamp;
use domain::{
    Category, Decider, Fact, FactId, Invariant, OrderContext, Recorded, Refusal, Sequence,
    StreamId, agenda,
};
use moka::sync::Cache;

use crate::codec::{self, Unreadable};
use crate::event_store::{
    Append, AppendError, DueRow, EventStore, StoreError, StoredFact, StoredReply,
};
use crate::failure::Failure;
use crate::origin::Origin;
use crate::telemetry::trace::{self, Kind};

/// Streams whose state is kept in memory, for each decider: at some 500 bytes each, 10 MB.
const CACHED_STREAMS: u64 = 20_000;
/// How often a command is decided again after a conflict. Two commands that meet on a stream
/// settle it in one; more than a few in a row means that something else is wrong.
const CONFLICT_RETRIES: usize = 10;
/// Facts of one read. Streams of an order have some ten.
const PAGE: usize = 500;

/// Turns the commands of one decider into facts.
pub struct Handler<D: Decider> {
    store: Arc<dyn EventStore>,
    cache: Cache<StreamId, Arc<Loaded<D::State>>>,
    last_fact_suffices: bool,
}

/// A stream as far as it has been read.
#[derive(Debug, Clone)]
pub struct Loaded<S> {
    /// What the decider remembers.
    pub state: S,
    /// The last sequence; 0 for a stream without facts.
    pub version: Sequence,
    /// When the last fact happened.
    pub last_time: Option<Timestamp>,
    /// The order that the stream belongs to, as its facts say.
    pub order: Option<OrderContext>,
}

impl<S: Default> Default for Loaded<S> {
    fn default() -> Self {
        Self {
            state: S::default(),
            version: 0,
            last_time: None,
            order: None,
        }
    }
}

/// What a command did.
#[derive(Debug)]
pub struct Handled<S> {
    /// The facts that it appended; none for a repeat.
    pub facts: Vec<Recorded>,
    /// The stream afterwards.
    pub stream: Arc<Loaded<S>>,
    /// The id of the stream's last fact, which is the consistency token; none for a stream
    /// without facts.
    pub token: Option<FactId>,
}

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum HandleError<R: domain::Rejection> {
    /// The rules turn it down.
    #[error(transparent)]
    Rejected(R),
    /// It breaks an invariant.
    #[error("{0}")]
    Impossible(Invariant),
    /// Its idempotency key has been used.
    #[error("the idempotency key has been used before")]
    Repeated(Box<StoredReply>),
    /// The stream cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It can never be appended.
    #[error("{0}")]
    Invalid(String),
    /// Other commands on the stream were always faster.
    #[error("the stream {0} is too busy")]
    Busy(StreamId),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes the reply to store in the transaction of the facts, from these and the state after them.
pub type Reply<'a, S> = &'a (dyn Fn(&[Recorded], &S) -> StoredReply + Sync);

impl<R: domain::Rejection> HandleError<R> {
    /// What a loop makes of it, where no person sent the command.
    pub fn into_failure(self) -> Failure {
        let reason = self.to_string();
        match self {
            Self::Impossible(_) => Failure::permanent("invariant", reason),
            // Commands of the process are never turned down, and have no idempotency key.
            Self::Rejected(_) | Self::Repeated(_) => Failure::permanent("invariant", reason),
            Self::Unreadable(e) => e.into(),
            Self::Invalid(_) => Failure::permanent("invalid", reason),
            Self::Busy(_) => Failure::Unavailable(reason),
            Self::Store(e) => e.into(),
        }
    }
}

impl<D: Decider> Handler<D>
where
    Fact: From<D::Event>,
    D::Event: TryFrom<Fact>,
{
    /// Commands on streams of `store`.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        Self {
            store,
            cache: Cache::new(CACHED_STREAMS),
            last_fact_suffices: false,
        }
    }

    /// The same, where every fact carries the state after it: a stream loads by its last fact.
    #[must_use]
    pub fn from_last_fact(self) -> Self {
        Self {
            last_fact_suffices: true,
            ..self
        }
    }

    /// Decides `commands`, one after the other, and appends what they yield together, with the
    /// tasks that the facts open and settle, and with the reply where one is wanted. Where they
    /// yield nothing, nothing is appended and no reply is stored.
    ///
    /// # Errors
    /// [`HandleError`]; nothing was appended then, or the answer of the store was lost and the
    /// same command may be sent again.
    pub async fn handle(
        &self,
        stream: &StreamId,
        commands: &[D::Command],
        origin: &Origin,
        reply: Option<Reply<'_, D::State>>,
    ) -> Result<Handled<D::State>, HandleError<D::Rejection>> {
        let mut retries = conflict_backoff().build();
        let mut before = self.cache.get(stream).unwrap_or_default();
        let mut is_fresh = false;
        loop {
            let decided = decide_all::<D>(&before.state, commands);
            #[cfg(feature = "planted-bugs")]
            let decided = decided.map(crate::planted::without_tombstones);
            let events = match decided {
                Ok(events) if !events.is_empty() => events,
                // What is appended proves by its version that the state was not stale. Nothing
                // and a refusal prove nothing, and are decided over what is there now.
                _ if !is_fresh => {
                    before = self.read(stream).await?;
                    is_fresh = true;
                    continue;
                }
                nothing => {
                    self.keep(stream, &before);
                    return match nothing {
                        Ok(_) => Ok(Handled {
                            token: (before.version > 0).then(|| stream.fact(before.version)),
                            facts: vec![],
                            stream: before,
                        }),
                        Err(Refusal::Rejected(rejection)) => Err(HandleError::Rejected(rejection)),
                        Err(Refusal::Impossible(broken)) => Err(HandleError::Impossible(broken)),
                    };
                }
            };
            let (facts, after) = self.record(stream, &before, events, origin);
            let request = Append {
                expect: vec![(stream.clone(), before.version)],
                reply: reply.map(|reply| reply(&facts, &after.state)),
                ..with_agenda(&facts, origin)
            };
            #[cfg(feature = "planted-bugs")]
            let (request, outside) = crate::planted::without_reply(request);
            crate::crash_point!("append.before-queue");
            let append = trace::within(Kind::Client, "append", self.store.service().name());
            let appended = append.run(self.store.append(request)).await;
            drop(append);
            match appended {
                Ok(_) => {
                    crate::crash_point!("append.before-answer");
                    #[cfg(feature = "planted-bugs")]
                    crate::planted::store_reply(&*self.store, outside).await;
                    let after = Arc::new(after);
                    self.keep(stream, &after);
                    return Ok(Handled {
                        facts,
                        token: Some(stream.fact(after.version)),
                        stream: after,
                    });
                }
                Err(AppendError::Conflict(_)) => {
                    let Some(pause) = retries.next() else {
                        return Err(HandleError::Busy(stream.clone()));
                    };
                    tokio::time::sleep(pause).await;
                    before = self.read(stream).await?;
                    is_fresh = true;
                }
                Err(AppendError::Repeated(reply)) => return Err(HandleError::Repeated(reply)),
                Err(AppendError::Invalid(what)) => return Err(HandleError::Invalid(what)),
                Err(AppendError::Store(e)) => return Err(HandleError::Store(e)),
            }
        }
    }

    /// The stream as it is now.
    ///
    /// # Errors
    /// [`HandleError::Unreadable`] and [`HandleError::Store`]
    pub async fn load_fresh(
        &self,
        stream: &StreamId,
    ) -> Result<Arc<Loaded<D::State>>, HandleError<D::Rejection>> {
        let loaded = self.read(stream).await?;
        self.keep(stream, &loaded);
        Ok(loaded)
    }

    async fn read(
        &self,
        stream: &StreamId,
    ) -> Result<Arc<Loaded<D::State>>, HandleError<D::Rejection>> {
        let mut loaded = Loaded::default();
        if self.last_fact_suffices {
            if let Some(fact) = self.store.read_last(stream).await? {
                apply::<D>(&mut loaded, &fact)?;
            }
        } else {
            loop {
                let page = self.store.read_stream(stream, loaded.version, PAGE).await?;
                for fact in &page {
                    apply::<D>(&mut loaded, fact)?;
                }
                if page.len() < PAGE {
                    break;
                }
            }
        }
        Ok(Arc::new(loaded))
    }

    fn keep(&self, stream: &StreamId, loaded: &Arc<Loaded<D::State>>) {
        if loaded.version > 0 {
            self.cache.insert(stream.clone(), loaded.clone());
        }
    }

    fn record(
        &self,
        stream: &StreamId,
        before: &Loaded<D::State>,
        events: Vec<D::Event>,
        origin: &Origin,
    ) -> (Vec<Recorded>, Loaded<D::State>) {
        let mut after = before.clone();
        let mut facts = Vec::with_capacity(events.len());
        for event in events {
            let time = origin.fact_time(after.last_time);
            after.state = D::evolve(after.state, &event);
            after.version += 1;
            after.last_time = Some(time);
            after.order = after.order.or_else(|| origin.order.clone());
            facts.push(Recorded {
                id: stream.fact(after.version),
                position: 0,
                time,
                correlation: origin.correlation.clone(),
                causation: origin.causation.clone(),
                order: after.order.clone(),
                traceparent: origin.traceparent.clone(),
                fact: event.into(),
                written: None,
            });
        }
        (facts, after)
    }
}

/// Facts of one command, encoded, with the tasks that they open and settle.
pub fn with_agenda(facts: &[Recorded], origin: &Origin) -> Append {
    let mut request = Append {
        facts: facts
            .iter()
            .map(|fact| codec::encode(fact, origin.command_id))
            .collect(),
        ..Append::default()
    };
    for recorded in facts {
        let Some(order) = recorded.order_id() else {
            continue;
        };
        let agenda = agenda(&recorded.fact);
        let settled = agenda
            .settles
            .iter()
            .map(|task| DueRow::id_of(order, *task));
        request.settles.extend(settled);
        request.opens.extend(agenda.opens.map(|task| DueRow {
            order,
            task,
            opened_at: recorded.time,
            not_before: recorded.time,
            failures: 0,
            attempts: 0,
            problem: None,
            parked: false,
            origin: Origin::of_fact(order.derive(task.name()), recorded, recorded.time),
        }));
    }
    request
}

fn decide_all<D: Decider>(
    state: &D::State,
    commands: &[D::Command],
) -> Result<Vec<D::Event>, Refusal<D::Rejection>> {
    let [rest @ .., last] = commands else {
        return Ok(vec![]);
    };
    if rest.is_empty() {
        return D::decide(state, last.clone());
    }
    let (mut state, mut all) = (state.clone(), vec![]);
    for command in commands {
        let events = D::decide(&state, command.clone())?;
        state = events.iter().fold(state, D::evolve);
        all.extend(events);
    }
    Ok(all)
}

fn apply<D: Decider>(loaded: &mut Loaded<D::State>, fact: &StoredFact) -> Result<(), Unreadable>
where
    D::Event: TryFrom<Fact>,
{
    let recorded = codec::decode(fact)?;
    let name = recorded.fact.name();
    let event = D::Event::try_from(recorded.fact)
        .map_err(|_| Unreadable::Broken(format!("{name} in the stream {}", fact.id.stream)))?;
    loaded.state = D::evolve(std::mem::take(&mut loaded.state), &event);
    loaded.version = fact.id.sequence;
    loaded.last_time = Some(recorded.time);
    // The last fact of a SKU may be about an order; the SKU is not.
    if fact.id.stream.category != Category::Stock {
        loaded.order = recorded.order.or_else(|| loaded.order.take());
    }
    Ok(())
}

/// At once at first, then in growing steps with jitter, so that many that meet do not meet again.
fn conflict_backoff() -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(1))
        .with_max_delay(Duration::from_millis(50))
        .with_max_times(CONFLICT_RETRIES)
        .with_jitter()
}
