//! Parked facts: the open ones, and beside them those that ended.
//!
//! A change of a row is read, checked and written under one lock, and synced before it is told:
//! a fact is parked before an offset moves past it, and ended after it took effect.

use std::collections::HashSet;
use std::ops::Bound;

use async_trait::async_trait;
use domain::values::Timestamp;
use fjall::{Keyspace, PersistMode};

use super::database::locked;
use super::{EmbeddedEventStore, from_json, keys, to_json};
use crate::event_store::{ParkedId, ParkedRow, ParkedRows, StoreError};

#[async_trait]
impl ParkedRows for EmbeddedEventStore {
    async fn park(&self, row: ParkedRow) -> Result<(), StoreError> {
        self.blocking(move |store| {
            let _one_at_a_time = locked(&store.db.parked_lock);
            let key = store.parked_key(&row.id());
            if store.db.parked.contains_key(&key)? {
                return Ok(());
            }
            let ended = store.db.parked_ended.get(&key)?;
            let revision = match ended.map(|row| from_json::<ParkedRow>(&row)).transpose()? {
                Some(ended) if ended.gave_up(&row) => return Ok(()),
                Some(ended) => ended.revision + 1,
                None => row.revision,
            };
            store.put_parked(&key, &ParkedRow { revision, ..row })
        })
        .await
    }

    async fn parked(
        &self,
        group: &str,
        key: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        self.of_key(&self.db.parked, group, key, limit).await
    }

    async fn parked_after(
        &self,
        group: &str,
        after: Option<&ParkedId>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let prefix = keys::shared_prefix(self.service, &[group]);
        let from = after.map_or_else(|| prefix.clone(), |id| self.parked_key(id));
        self.blocking(move |store| {
            let range = (Bound::Excluded(from), Bound::Unbounded);
            let mut rows = vec![];
            for entry in store.db.parked.range::<Vec<u8>, _>(range).take(limit) {
                let (key, row) = entry.into_inner()?;
                if !key.starts_with(&prefix) {
                    break;
                }
                rows.push(from_json(&row)?);
            }
            Ok(rows)
        })
        .await
    }

    async fn parked_heads(
        &self,
        group: &str,
        after: Option<&ParkedId>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let (group, mut after) = (group.to_owned(), after.map(last_of));
        let mut rows: Vec<ParkedRow> = vec![];
        while rows.len() < limit {
            let next = self.parked_after(&group, after.as_ref(), 1).await?.pop();
            let Some(row) = next else { break };
            after = Some(last_of(&row.id()));
            rows.push(row);
        }
        Ok(rows)
    }

    async fn parked_among(
        &self,
        group: &str,
        keys: &HashSet<(String, String)>,
    ) -> Result<HashSet<(String, String)>, StoreError> {
        // Asked for each batch that is polled: at most times there is nothing at all.
        if self.db.parked.is_empty()? {
            return Ok(HashSet::new());
        }
        let (group, keys) = (group.to_owned(), keys.clone());
        self.blocking(move |store| {
            let is_parked = |(topic, key): &(String, String)| {
                let prefix = keys::shared_prefix(store.service, &[&group, topic, key]);
                store.db.parked.prefix(prefix).next().is_some()
            };
            Ok(keys.into_iter().filter(is_parked).collect())
        })
        .await
    }

    async fn parked_row(&self, id: &ParkedId) -> Result<Option<ParkedRow>, StoreError> {
        let key = self.parked_key(id);
        let open = self.db.parked.get(&key)?;
        let row = open.map_or_else(|| self.db.parked_ended.get(&key), |row| Ok(Some(row)))?;
        row.map(|row| from_json(&row)).transpose()
    }

    async fn replace_parked(&self, row: &ParkedRow) -> Result<bool, StoreError> {
        let row = row.clone();
        self.blocking(move |store| {
            let _one_at_a_time = locked(&store.db.parked_lock);
            let key = store.parked_key(&row.id());
            let Some(now) = store.db.parked.get(&key)? else {
                return Ok(false);
            };
            if from_json::<ParkedRow>(&now)?.revision != row.revision {
                return Ok(false);
            }
            let revision = row.revision + 1;
            store.put_parked(&key, &ParkedRow { revision, ..row })?;
            Ok(true)
        })
        .await
    }

    async fn ended_parked(
        &self,
        group: &str,
        key: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        self.of_key(&self.db.parked_ended, group, key, limit).await
    }

    async fn purge_parked(&self, group: &str, before: Timestamp) -> Result<u64, StoreError> {
        let prefix = keys::shared_prefix(self.service, &[group]);
        self.blocking(move |store| {
            let _one_at_a_time = locked(&store.db.parked_lock);
            let mut purged = 0;
            for entry in store.db.parked_ended.prefix(prefix) {
                let (key, row) = entry.into_inner()?;
                let row: ParkedRow = from_json(&row)?;
                let is_old = row.ended.is_some_and(|ended| ended.at < before);
                if is_old && row.replacement.is_none() {
                    store.db.parked_ended.remove(key)?;
                    purged += 1;
                }
            }
            Ok(purged)
        })
        .await
    }
}

impl EmbeddedEventStore {
    /// Rows of a group, and where given of a key.
    async fn of_key(
        &self,
        rows: &Keyspace,
        group: &str,
        key: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let (rows, key) = (rows.clone(), key.map(str::to_owned));
        let prefix = keys::shared_prefix(self.service, &[group]);
        self.blocking(move |_| {
            let mut found = vec![];
            for entry in rows.prefix(prefix) {
                if found.len() == limit {
                    break;
                }
                let row: ParkedRow = from_json(&entry.value()?)?;
                if key.as_ref().is_none_or(|key| *key == row.key) {
                    found.push(row);
                }
            }
            Ok(found)
        })
        .await
    }

    /// Among the open rows, or the ended ones.
    fn put_parked(&self, key: &[u8], row: &ParkedRow) -> Result<(), StoreError> {
        let (to, other) = match row.ended {
            None => (&self.db.parked, &self.db.parked_ended),
            Some(_) => (&self.db.parked_ended, &self.db.parked),
        };
        let sync = Some(PersistMode::SyncData);
        let mut batch = self.db.engine().batch().durability(sync);
        batch.insert(to, key, to_json(row)?);
        batch.remove(other, key);
        Ok(batch.commit()?)
    }

    fn parked_key(&self, id: &ParkedId) -> Vec<u8> {
        let mut key = keys::shared_prefix(self.service, &[&id.group, &id.topic, &id.key]);
        key.extend_from_slice(&id.partition.to_be_bytes());
        key.extend_from_slice(&id.offset.to_be_bytes());
        key
    }
}

/// What no row of the same topic and key comes behind.
fn last_of(id: &ParkedId) -> ParkedId {
    ParkedId {
        partition: i32::MAX,
        offset: i64::MAX,
        ..id.clone()
    }
}
