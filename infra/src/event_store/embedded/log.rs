//! Appending to a log and reading it.

use async_trait::async_trait;
use domain::values::Timestamp;
use domain::{Category, FactId, Position, Sequence, StreamId};
use fjall::PersistMode;
use tokio::sync::watch;

use super::database::{Database, locked};
use super::{EmbeddedEventStore, from_json, keys};
use crate::event_store::{Append, AppendError, Log, StoreError, StoredFact, StoredReply};

#[async_trait]
impl Log for EmbeddedEventStore {
    async fn append(&self, request: Append) -> Result<Position, AppendError> {
        self.db.writer().append(self.service, request).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<StoredFact>, StoreError> {
        // A stream of an order has some ten facts: read at once, without another thread.
        let from = keys::sequence(stream, after.saturating_add(1));
        let until = keys::sequence(stream, Sequence::MAX);
        let parts = self.db.of(self.service);
        parts
            .streams
            .range(from..=until)
            .take(limit)
            .map(|entry| self.fact_at(&entry.value()?))
            .collect()
    }

    async fn read_last(&self, stream: &StreamId) -> Result<Option<StoredFact>, StoreError> {
        let parts = self.db.of(self.service);
        match parts.streams.prefix(keys::stream(stream)).next_back() {
            Some(entry) => Ok(Some(self.fact_at(&entry.value()?)?)),
            None => Ok(None),
        }
    }

    async fn read_log(&self, after: Position, limit: usize) -> Result<Vec<StoredFact>, StoreError> {
        if after >= *locked(&self.db.of(self.service).last) {
            return Ok(vec![]);
        }
        self.blocking(move |store| {
            let log = &store.db.of(store.service).log;
            let read = |entry: fjall::Guard| {
                let (position, row) = entry.into_inner()?;
                keys::decode(keys::read_position(&position)?, &row)
            };
            let after = keys::position(after.saturating_add(1));
            log.range(after..).take(limit).map(read).collect()
        })
        .await
    }

    async fn read_category(
        &self,
        category: Category,
        after: Option<&FactId>,
        limit: usize,
    ) -> Result<Vec<StoredFact>, StoreError> {
        let after = after.map(|after| (after.stream.id.as_str(), after.sequence));
        let range = keys::category_after(category, after);
        self.blocking(move |store| {
            let streams = &store.db.of(store.service).streams;
            let read = |entry: fjall::Guard| store.fact_at(&entry.value()?);
            streams.range(range).take(limit).map(read).collect()
        })
        .await
    }

    async fn last_position(&self) -> Result<Position, StoreError> {
        Ok(*locked(&self.db.of(self.service).last))
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.db.writer().ready()
    }

    async fn stored_reply(
        &self,
        scope: &str,
        key: &str,
    ) -> Result<Option<StoredReply>, StoreError> {
        read_reply(&self.db, &keys::shared(self.service, &[scope, key]))
    }

    async fn purge_replies(&self, before: Timestamp) -> Result<u64, StoreError> {
        /// Rows of one batch: none of them holds up the writer for long.
        const BATCH: usize = 1000;
        self.blocking(move |store| {
            let mut old = vec![];
            for entry in store
                .db
                .replies
                .prefix(keys::shared_prefix(store.service, &[]))
            {
                let (key, row) = entry.into_inner()?;
                if from_json::<StoredReply>(&row)?.stored_at < before {
                    old.push(key);
                }
            }
            for some in old.chunks(BATCH) {
                let mut batch = store
                    .db
                    .engine()
                    .batch()
                    .durability(Some(PersistMode::Buffer));
                for key in some {
                    batch.remove(&store.db.replies, key.clone());
                }
                batch.commit()?;
            }
            Ok(old.len() as u64)
        })
        .await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.db.of(self.service).changes.subscribe()
    }
}

impl EmbeddedEventStore {
    fn fact_at(&self, position: &[u8]) -> Result<StoredFact, StoreError> {
        let at = keys::read_position(position)?;
        match self.db.of(self.service).log.get(position)? {
            Some(row) => keys::decode(at, &row),
            None => Err(super::corrupt(format!("there is no fact at position {at}"))),
        }
    }
}

pub(super) fn read_reply(db: &Database, key: &[u8]) -> Result<Option<StoredReply>, StoreError> {
    db.replies.get(key)?.map(|row| from_json(&row)).transpose()
}
