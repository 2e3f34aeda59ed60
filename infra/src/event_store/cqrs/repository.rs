//! A store as a repository of cqrs-es.

use std::error::Error;
use std::sync::Arc;

use cqrs_es::Aggregate;
use cqrs_es::persist::{
    PersistedEventRepository, PersistenceError, ReplayFeed, ReplayStream, SerializedEvent,
    SerializedSnapshot,
};
use domain::{Category, Sequence, StreamId};
use serde_json::Value;

use super::NO_SNAPSHOTS;
use super::request::request;
use crate::codec::{self, Unreadable};
use crate::event_store::{AppendError, EventStore, StoreError, StoredFact};

/// Facts of one read.
const PAGE: usize = 500;
/// Facts that are read ahead of whoever replays, as in postgres-es.
const AHEAD: usize = 200;

/// Appends through the store's group commit, with the tasks that facts open and settle; what is
/// appended at once is accepted or refused as a whole. A fact of an unknown version is an error,
/// where a stock repository would take it for one of today's.
#[derive(Debug, Clone)]
pub struct Repository(Arc<dyn EventStore>);

impl Repository {
    /// A repository of the streams of `store`.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        Self(store)
    }

    async fn read<A: Aggregate>(
        &self,
        aggregate_id: &str,
        mut after: Sequence,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        let stream = stream_of::<A>(aggregate_id)?;
        let mut events = vec![];
        loop {
            let page = self.0.read_stream(&stream, after, PAGE).await;
            let page = page.map_err(store_error)?;
            for fact in &page {
                after = fact.id.sequence;
                events.push(serialized(fact)?);
            }
            if page.len() < PAGE {
                return Ok(events);
            }
        }
    }
}

impl PersistedEventRepository for Repository {
    async fn get_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.read::<A>(aggregate_id, 0).await
    }

    async fn get_last_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
        last_sequence: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.read::<A>(aggregate_id, last_sequence as Sequence)
            .await
    }

    async fn get_snapshot<A: Aggregate>(
        &self,
        _: &str,
    ) -> Result<Option<SerializedSnapshot>, PersistenceError> {
        Err(other(NO_SNAPSHOTS))
    }

    async fn persist<A: Aggregate>(
        &self,
        events: &[SerializedEvent],
        snapshot_update: Option<(String, Value, usize)>,
    ) -> Result<(), PersistenceError> {
        if snapshot_update.is_some() {
            return Err(other(NO_SNAPSHOTS));
        }
        let Some(first) = events.first() else {
            return Ok(());
        };
        let stream = stream_of::<A>(&first.aggregate_id)?;
        let last = self.0.read_last(&stream).await.map_err(store_error)?;
        let request = request(&stream, events, last.as_ref())?;
        match self.0.append(request).await {
            Ok(_) => Ok(()),
            Err(AppendError::Conflict(_)) => Err(PersistenceError::OptimisticLockError),
            Err(AppendError::Store(e)) => Err(store_error(e)),
            Err(e @ (AppendError::Repeated(_) | AppendError::Invalid(_))) => Err(other(e)),
        }
    }

    async fn stream_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
    ) -> Result<ReplayStream, PersistenceError> {
        let stream = stream_of::<A>(aggregate_id)?;
        let (mut feed, replay) = ReplayStream::new(AHEAD);
        let store = self.0.clone();
        in_background(async move {
            let mut after = 0;
            while let Some(last) = feed_page(
                &mut feed,
                store.read_stream(&stream, after, PAGE).await,
                |_| true,
            )
            .await
            {
                after = last.id.sequence;
            }
        });
        Ok(replay)
    }

    async fn stream_all_events<A: Aggregate>(&self) -> Result<ReplayStream, PersistenceError> {
        let category = category_of::<A>()?;
        let (mut feed, replay) = ReplayStream::new(AHEAD);
        let store = self.0.clone();
        let of_it = move |fact: &StoredFact| fact.id.stream.category == category;
        in_background(async move {
            let mut after = 0;
            while let Some(last) =
                feed_page(&mut feed, store.read_log(after, PAGE).await, of_it).await
            {
                after = last.position;
            }
        });
        Ok(replay)
    }
}

/// Hands a page on, and gives back its last fact; none where that was all, where something went
/// wrong, which is handed on too, or where nobody takes it any more.
async fn feed_page(
    feed: &mut ReplayFeed,
    page: Result<Vec<StoredFact>, StoreError>,
    wanted: impl Fn(&StoredFact) -> bool,
) -> Option<StoredFact> {
    let mut page = match page {
        Ok(page) => page,
        Err(e) => {
            feed.push(Err(store_error(e))).await.ok();
            return None;
        }
    };
    for fact in page.iter().filter(|fact| wanted(fact)) {
        let event = serialized(fact);
        let broken = event.is_err();
        feed.push(event).await.ok()?;
        if broken {
            return None;
        }
    }
    page.pop()
}

#[expect(
    clippy::disallowed_methods,
    reason = "ends with the replay, when that is dropped or done"
)]
fn in_background(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}

fn serialized(fact: &StoredFact) -> Result<SerializedEvent, PersistenceError> {
    if !codec::knows(&fact.name, &fact.version) {
        return Err(unreadable(Unreadable::Unknown {
            name: fact.name.clone(),
            version: fact.version.clone(),
        }));
    }
    let sequence = usize::try_from(fact.id.sequence).map_err(other)?;
    Ok(SerializedEvent::new(
        fact.id.stream.id.clone(),
        sequence,
        fact.id.stream.category.name().to_owned(),
        fact.name.clone(),
        fact.version.clone(),
        serde_json::from_slice(&fact.payload)?,
        serde_json::from_slice(&fact.metadata)?,
    ))
}

fn category_of<A: Aggregate>() -> Result<Category, PersistenceError> {
    let category = Category::named(A::TYPE);
    category.ok_or_else(|| other(format!("'{}' is no category of streams", A::TYPE)))
}

pub(super) fn stream_of<A: Aggregate>(aggregate_id: &str) -> Result<StreamId, PersistenceError> {
    Ok(StreamId {
        category: category_of::<A>()?,
        id: aggregate_id.to_owned(),
    })
}

fn store_error(e: StoreError) -> PersistenceError {
    if e.is_transient() {
        PersistenceError::ConnectionError(Box::new(e))
    } else {
        other(e)
    }
}

pub(super) fn unreadable(e: Unreadable) -> PersistenceError {
    PersistenceError::DeserializationError(Box::new(e))
}

fn other(e: impl Into<Box<dyn Error + Send + Sync>>) -> PersistenceError {
    PersistenceError::UnknownError(e.into())
}
