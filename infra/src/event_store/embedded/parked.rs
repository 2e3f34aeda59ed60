//! Parked facts.

use std::collections::HashSet;

use async_trait::async_trait;
use fjall::PersistMode;

use super::{EmbeddedEventStore, from_json, keys, to_json};
use crate::event_store::{ParkedRow, ParkedRows, StoreError};

#[async_trait]
impl ParkedRows for EmbeddedEventStore {
    async fn park(&self, row: ParkedRow) -> Result<(), StoreError> {
        self.blocking(move |store| {
            let key = store.parked_key(&row);
            if store.db.parked.contains_key(&key)? {
                return Ok(());
            }
            // Durable before the offset moves.
            let mut batch = store
                .db
                .engine()
                .batch()
                .durability(Some(PersistMode::SyncData));
            batch.insert(&store.db.parked, key, to_json(&row)?);
            Ok(batch.commit()?)
        })
        .await
    }

    async fn parked(
        &self,
        group: &str,
        key: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let (group, key) = (group.to_owned(), key.map(str::to_owned));
        self.blocking(move |store| {
            let mut rows = vec![];
            for entry in store
                .db
                .parked
                .prefix(keys::shared_prefix(store.service, &[&group]))
            {
                if rows.len() == limit {
                    break;
                }
                let row: ParkedRow = from_json(&entry.value()?)?;
                if key.as_ref().is_none_or(|key| *key == row.key) {
                    rows.push(row);
                }
            }
            Ok(rows)
        })
        .await
    }

    async fn parked_keys(&self, group: &str) -> Result<HashSet<(String, String)>, StoreError> {
        let rows = self.parked(group, None, usize::MAX).await?;
        Ok(rows.into_iter().map(|row| (row.topic, row.key)).collect())
    }

    async fn unpark(&self, row: &ParkedRow) -> Result<(), StoreError> {
        let key = self.parked_key(row);
        self.blocking(move |store| {
            let mut batch = store
                .db
                .engine()
                .batch()
                .durability(Some(PersistMode::SyncData));
            batch.remove(&store.db.parked, key);
            Ok(batch.commit()?)
        })
        .await
    }
}

impl EmbeddedEventStore {
    fn parked_key(&self, row: &ParkedRow) -> Vec<u8> {
        let mut key = keys::shared(self.service, &[&row.group, &row.topic, &row.key]);
        key.push(0);
        key.extend_from_slice(&row.partition.to_be_bytes());
        key.extend_from_slice(&row.offset.to_be_bytes());
        key
    }
}
