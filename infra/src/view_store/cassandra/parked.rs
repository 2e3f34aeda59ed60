//! Parked facts of the projectors, in the keyspace of what they keep.
//!
//! Rare, and control data: written by lightweight transactions, so that of two who park one fact
//! the first stays. They are made to be repeated, since a time-out says nothing of the outcome.

use std::borrow::Cow;
use std::collections::HashSet;

use async_trait::async_trait;
use futures::TryStreamExt;
use scylla::client::pager::QueryPager;
use scylla::serialize::row::SerializeRow;
use sha2::{Digest, Sha256};

use super::cql::idempotent;
use super::{CassandraViewStore, REQUEST, within};
use crate::event_store::{ParkedRow, ParkedRows, StoreError};

/// The table.
pub const TABLE: &str = "parked";
/// The longest record key that stands in its column as it is. A key may be as long as a record,
/// and the cluster takes 64 KiB for all columns of the key together.
const KEY: usize = 1024;

#[async_trait]
impl ParkedRows for CassandraViewStore {
    async fn park(&self, row: ParkedRow) -> Result<(), StoreError> {
        let fact = serde_json::to_string(&row).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        let cql = format!(
            "INSERT INTO {} (consumer_group, topic, record_key, partition, record_offset, fact) \
             VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS",
            self.table(TABLE)
        );
        let values = (
            &row.group,
            &row.topic,
            column(&row.key),
            row.partition,
            row.offset,
            fact,
        );
        self.change(cql, values).await
    }

    async fn parked(
        &self,
        group: &str,
        key: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        if limit == 0 {
            return Ok(vec![]);
        }
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let select = format!(
            "SELECT fact FROM {} WHERE consumer_group = ?",
            self.table(TABLE)
        );
        match key {
            None => {
                let cql = format!("{select} LIMIT ?");
                self.facts(cql, (group, limit)).await
            }
            // Topics come before keys, so that this looks at all of the group.
            Some(key) => {
                let cql = format!("{select} AND record_key = ? LIMIT ? ALLOW FILTERING");
                self.facts(cql, (group, column(key), limit)).await
            }
        }
    }

    async fn parked_keys(&self, group: &str) -> Result<HashSet<(String, String)>, StoreError> {
        // The first of each, whose JSON has the key as it is.
        let cql = format!(
            "SELECT fact FROM {} WHERE consumer_group = ? GROUP BY topic, record_key",
            self.table(TABLE)
        );
        let first = self.facts(cql, (group,)).await?;
        Ok(first.into_iter().map(|row| (row.topic, row.key)).collect())
    }

    async fn unpark(&self, row: &ParkedRow) -> Result<(), StoreError> {
        let cql = format!(
            "DELETE FROM {} WHERE consumer_group = ? AND topic = ? AND record_key = ? \
             AND partition = ? AND record_offset = ? IF EXISTS",
            self.table(TABLE)
        );
        let key = column(&row.key);
        let values = (&row.group, &row.topic, key, row.partition, row.offset);
        self.change(cql, values).await
    }
}

impl CassandraViewStore {
    async fn change(&self, cql: String, values: impl SerializeRow) -> Result<(), StoreError> {
        let session = self.session().await?;
        within(REQUEST, session.execute_unpaged(idempotent(cql), values)).await?;
        Ok(())
    }

    async fn facts(
        &self,
        cql: String,
        values: impl SerializeRow,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let session = self.session().await?;
        let pages = within(REQUEST, session.execute_iter(idempotent(cql), values));
        read(pages.await?).await
    }
}

async fn read(pages: QueryPager) -> Result<Vec<ParkedRow>, StoreError> {
    let corrupt = |e: &dyn std::fmt::Display| StoreError::Corrupt(format!("a parked fact: {e}"));
    let mut rows = pages.rows_stream::<(String,)>().map_err(|e| corrupt(&e))?;
    let mut read = vec![];
    while let Some((fact,)) = within(REQUEST, rows.try_next()).await? {
        read.push(serde_json::from_str(&fact).map_err(|e| corrupt(&e))?);
    }
    Ok(read)
}

/// What stands for a record's key in its column: the key, or where that is too long its beginning
/// and its hash.
fn column(key: &str) -> Cow<'_, str> {
    if key.len() <= KEY {
        return Cow::Borrowed(key);
    }
    let beginning: String = key.chars().take(KEY / 8).collect();
    let mut column = format!("{beginning}..");
    for byte in Sha256::digest(key.as_bytes()) {
        column.push_str(&format!("{byte:02x}"));
    }
    Cow::Owned(column)
}
