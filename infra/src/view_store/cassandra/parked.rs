//! Parked facts of the projectors, in the keyspace of what they keep: the open ones, and beside
//! them those that ended.
//!
//! Rare, and control data: a row is only ever changed by lightweight transactions, each of which
//! names the revision that it replaces. They are made to be repeated, since a time-out says nothing
//! of the outcome: who repeats one finds its own row, and takes it as done.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use domain::values::Timestamp;
use futures::TryStreamExt;
use scylla::client::pager::QueryPager;
use scylla::serialize::row::SerializeRow;
use sha2::{Digest, Sha256};

use super::cql::idempotent;
use super::generations::was_applied;
use super::{CassandraViewStore, REQUEST, within};
use crate::event_store::{ParkedId, ParkedRow, ParkedRows, StoreError};

/// The table.
pub const TABLE: &str = "parked";
/// The longest record key that stands in its column as it is. A key may be as long as a record,
/// and the cluster takes 64 KiB for all columns of the key together.
const KEY: usize = 1024;

const OF_ROW: &str = "WHERE consumer_group = ? AND topic = ? AND record_key = ? \
                      AND partition = ? AND record_offset = ?";

#[async_trait]
impl ParkedRows for CassandraViewStore {
    async fn park(&self, row: ParkedRow) -> Result<(), StoreError> {
        loop {
            match self.parked_row(&row.id()).await? {
                None => {
                    if self.insert(&row).await? {
                        return Ok(());
                    }
                }
                Some(ended) if ended.ended.is_some() && !ended.gave_up(&row) => {
                    let revision = ended.revision + 1;
                    let again = ParkedRow {
                        revision,
                        ..row.clone()
                    };
                    if self.replace(&again, ended.revision, false).await? {
                        return Ok(());
                    }
                }
                Some(_) => return Ok(()),
            }
        }
    }

    async fn parked(
        &self,
        group: &str,
        key: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        self.of_key(group, key, true, limit).await
    }

    async fn parked_after(
        &self,
        group: &str,
        after: Option<&ParkedId>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let (topic, key) = cursor(after);
        let partition = after.map_or(i32::MIN, |id| id.partition);
        let offset = after.map_or(i64::MIN, |id| id.offset);
        let rest = "WHERE consumer_group = ? \
                    AND (topic, record_key, partition, record_offset) > (?, ?, ?, ?) \
                    AND open = true LIMIT ? ALLOW FILTERING";
        let Some(limit) = at_most(limit) else {
            return Ok(vec![]);
        };
        self.facts(rest, (group, topic, key, partition, offset, limit))
            .await
    }

    async fn parked_heads(
        &self,
        group: &str,
        after: Option<&ParkedId>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let (topic, key) = cursor(after);
        // No topic is the empty one, so that without an `after` all rows are greater.
        let rest = "WHERE consumer_group = ? AND (topic, record_key) > (?, ?) AND open = true \
                    GROUP BY topic, record_key LIMIT ? ALLOW FILTERING";
        let Some(limit) = at_most(limit) else {
            return Ok(vec![]);
        };
        self.facts(rest, (group, topic, key, limit)).await
    }

    async fn parked_among(
        &self,
        group: &str,
        keys: &HashSet<(String, String)>,
    ) -> Result<HashSet<(String, String)>, StoreError> {
        let mut of_topics: HashMap<&str, Vec<Cow<'_, str>>> = HashMap::new();
        for (topic, key) in keys {
            of_topics.entry(topic).or_default().push(column(key));
        }
        let rest = "WHERE consumer_group = ? AND topic = ? AND record_key IN ? AND open = true \
                    GROUP BY topic, record_key ALLOW FILTERING";
        let mut among = HashSet::new();
        for (topic, keys) in of_topics {
            let heads = self.facts(rest, (group, topic, keys)).await?;
            among.extend(heads.into_iter().map(|row| (row.topic, row.key)));
        }
        Ok(among)
    }

    async fn parked_row(&self, id: &ParkedId) -> Result<Option<ParkedRow>, StoreError> {
        Ok(self.facts(OF_ROW, of_row(id)).await?.pop())
    }

    async fn replace_parked(&self, row: &ParkedRow) -> Result<bool, StoreError> {
        let revision = row.revision;
        let row = ParkedRow {
            revision: revision + 1,
            ..row.clone()
        };
        self.replace(&row, revision, true).await
    }

    async fn ended_parked(
        &self,
        group: &str,
        key: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        self.of_key(group, key, false, limit).await
    }

    async fn purge_parked(&self, group: &str, before: Timestamp) -> Result<u64, StoreError> {
        let rest = "WHERE consumer_group = ? AND open = false AND replaced = false \
                    AND ended_at < ? ALLOW FILTERING";
        let old = self.facts(rest, (group, before.as_micros())).await?;
        let delete = format!("DELETE FROM {} {OF_ROW} IF revision = ?", self.table(TABLE));
        let mut purged = 0;
        for row in old {
            let id = row.id();
            let (group, topic, key, partition, offset) = of_row(&id);
            let revision = number(row.revision);
            let values = (group, topic, key, partition, offset, revision);
            purged += u64::from(self.change(&delete, values).await?);
        }
        Ok(purged)
    }
}

impl CassandraViewStore {
    async fn insert(&self, row: &ParkedRow) -> Result<bool, StoreError> {
        let insert = format!(
            "INSERT INTO {} (consumer_group, topic, record_key, partition, record_offset, \
             revision, open, replaced, fact) VALUES (?, ?, ?, ?, ?, ?, true, ?, ?) IF NOT EXISTS",
            self.table(TABLE)
        );
        let id = row.id();
        let (group, topic, key, partition, offset) = of_row(&id);
        let values = (
            group,
            topic,
            key,
            partition,
            offset,
            number(row.revision),
            row.replacement.is_some(),
            json(row)?,
        );
        self.change(&insert, values).await
    }

    /// Writes a row in place of that of `revision`, which is open or has ended.
    async fn replace(
        &self,
        row: &ParkedRow,
        revision: u32,
        open: bool,
    ) -> Result<bool, StoreError> {
        let update = format!(
            "UPDATE {} SET revision = ?, open = ?, ended_at = ?, replaced = ?, fact = ? {OF_ROW} \
             IF revision = ? AND open = ?",
            self.table(TABLE)
        );
        let id = row.id();
        let (group, topic, key, partition, offset) = of_row(&id);
        let values = (
            number(row.revision),
            row.ended.is_none(),
            row.ended.as_ref().map(|ended| ended.at.as_micros()),
            row.replacement.is_some(),
            json(row)?,
            group,
            topic,
            key,
            partition,
            offset,
            number(revision),
            open,
        );
        if self.change(&update, values).await? {
            return Ok(true);
        }
        // Where the answer was lost, the second try finds its own work.
        Ok(self.parked_row(&id).await?.as_ref() == Some(row))
    }

    /// Runs a lightweight transaction, and says whether it was carried out.
    async fn change(&self, cql: &str, values: impl SerializeRow) -> Result<bool, StoreError> {
        let session = self.session().await?;
        let changed = session.execute_unpaged(idempotent(cql), values);
        was_applied(within(REQUEST, changed).await?).map_err(|e| corrupt(&e))
    }

    async fn of_key(
        &self,
        group: &str,
        key: Option<&str>,
        open: bool,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let Some(limit) = at_most(limit) else {
            return Ok(vec![]);
        };
        match key {
            None => {
                let rest = "WHERE consumer_group = ? AND open = ? LIMIT ? ALLOW FILTERING";
                self.facts(rest, (group, open, limit)).await
            }
            // Topics come before keys, so that this looks at all of the group.
            Some(key) => {
                let rest = "WHERE consumer_group = ? AND record_key = ? AND open = ? LIMIT ? \
                            ALLOW FILTERING";
                self.facts(rest, (group, column(key), open, limit)).await
            }
        }
    }

    async fn facts(
        &self,
        rest: &str,
        values: impl SerializeRow,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let cql = format!("SELECT fact FROM {} {rest}", self.table(TABLE));
        let session = self.session().await?;
        let pages = within(REQUEST, session.execute_iter(idempotent(cql), values));
        read(pages.await?).await
    }
}

async fn read(pages: QueryPager) -> Result<Vec<ParkedRow>, StoreError> {
    let mut rows = pages.rows_stream::<(String,)>().map_err(|e| corrupt(&e))?;
    let mut read = vec![];
    while let Some((fact,)) = within(REQUEST, rows.try_next()).await? {
        read.push(serde_json::from_str(&fact).map_err(|e| corrupt(&e))?);
    }
    Ok(read)
}

fn json(row: &ParkedRow) -> Result<String, StoreError> {
    serde_json::to_string(row).map_err(|e| corrupt(&e))
}

fn corrupt(e: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("a parked fact: {e}"))
}

/// The values of the key.
fn of_row(id: &ParkedId) -> (&str, &str, Cow<'_, str>, i32, i64) {
    let key = column(&id.key);
    (&id.group, &id.topic, key, id.partition, id.offset)
}

/// The topic and key that rows behind `after` are greater than, or at.
fn cursor(after: Option<&ParkedId>) -> (&str, Cow<'_, str>) {
    after.map_or(("", Cow::Borrowed("")), |id| (&id.topic, column(&id.key)))
}

/// What LIMIT takes: no number for nothing.
fn at_most(limit: usize) -> Option<i32> {
    (limit > 0).then(|| i32::try_from(limit).unwrap_or(i32::MAX))
}

fn number(revision: u32) -> i32 {
    i32::try_from(revision).unwrap_or(i32::MAX)
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
