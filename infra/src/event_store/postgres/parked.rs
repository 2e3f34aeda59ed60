//! Parked facts: the open ones, and in the same table those that ended.

use std::collections::HashSet;

use async_trait::async_trait;
use domain::values::Timestamp;
use sqlx::Postgres;
use sqlx::postgres::PgArguments;

use super::values::{JsonText, Micros, rows};
use super::{PostgresEventStore, ask};
use crate::event_store::{ParkedId, ParkedRow, ParkedRows, StoreError};

/// The rows of a group, of one key where it is given: those that are open, or those that ended.
macro_rules! select_of_key {
    ($ended_at:literal) => {
        concat!(
            "SELECT fact FROM parked WHERE consumer_group = $1 AND ended_at ",
            $ended_at,
            " AND ($2 IS NULL OR record_key = $2) \
             ORDER BY topic, record_key, partition, record_offset LIMIT $3"
        )
    };
}

type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

#[async_trait]
impl ParkedRows for PostgresEventStore {
    async fn park(&self, row: ParkedRow) -> Result<(), StoreError> {
        let insert = "INSERT INTO parked (consumer_group, topic, record_key, partition, \
                      record_offset, revision, ended_at, replaced, fact) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
        let reopen = "UPDATE parked SET revision = $6, ended_at = $7, replaced = $8, fact = $9 \
                      WHERE consumer_group = $1 AND topic = $2 AND record_key = $3 \
                      AND partition = $4 AND record_offset = $5 \
                      AND ended_at IS NOT NULL AND revision = $6 - 1";
        loop {
            if self.write(insert, &row, row.revision).await? {
                return Ok(());
            }
            match self.parked_row(&row.id()).await? {
                Some(ended) if ended.ended.is_some() && !ended.gave_up(&row) => {
                    let revision = ended.revision + 1;
                    let again = ParkedRow {
                        revision,
                        ..row.clone()
                    };
                    if self.write(reopen, &again, revision).await? {
                        return Ok(());
                    }
                }
                Some(_) => return Ok(()),
                // It was purged in between.
                None => {}
            }
        }
    }

    async fn parked(
        &self,
        group: &str,
        key: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        self.of_key(select_of_key!("IS NULL"), group, key, limit)
            .await
    }

    async fn parked_after(
        &self,
        group: &str,
        after: Option<&ParkedId>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let (topic, key, partition, offset) = cursor(after);
        self.read(|| {
            sqlx::query_scalar(
                "SELECT fact FROM parked WHERE consumer_group = $1 AND ended_at IS NULL \
                 AND (topic, record_key, partition, record_offset) > ($2, $3, $4, $5) \
                 ORDER BY topic, record_key, partition, record_offset LIMIT $6",
            )
            .bind(group)
            .bind(topic)
            .bind(&key)
            .bind(partition)
            .bind(offset)
            .bind(rows(limit))
        })
        .await
    }

    async fn parked_heads(
        &self,
        group: &str,
        after: Option<&ParkedId>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let (topic, key, ..) = cursor(after);
        self.read(|| {
            sqlx::query_scalar(
                "SELECT fact FROM (\
                 SELECT DISTINCT ON (topic, record_key) topic, record_key, fact FROM parked \
                 WHERE consumer_group = $1 AND ended_at IS NULL \
                 AND ($4 OR (topic, record_key) > ($2, $3)) \
                 ORDER BY topic, record_key, partition, record_offset) heads \
                 ORDER BY topic, record_key LIMIT $5",
            )
            .bind(group)
            .bind(topic)
            .bind(&key)
            .bind(after.is_none())
            .bind(rows(limit))
        })
        .await
    }

    async fn parked_among(
        &self,
        group: &str,
        keys: &HashSet<(String, String)>,
    ) -> Result<HashSet<(String, String)>, StoreError> {
        let keys: Vec<&(String, String)> = keys.iter().collect();
        let topics: Vec<&str> = keys.iter().map(|(topic, _)| topic.as_str()).collect();
        let record_keys: Vec<String> = keys.iter().map(|(_, key)| text(key)).collect();
        // A look into the index for each: `= ANY` reads all rows there are, 43 ms at 10,000.
        let found: Vec<i64> = ask(|| {
            sqlx::query_scalar(
                "SELECT asked.n FROM unnest($2::text[], $3::text[]) \
                     WITH ORDINALITY AS asked (topic, record_key, n) \
                     WHERE (SELECT 1 FROM parked p WHERE p.consumer_group = $1 \
                     AND p.topic = asked.topic AND p.record_key = asked.record_key \
                     AND p.ended_at IS NULL LIMIT 1) IS NOT NULL",
            )
            .bind(group)
            .bind(&topics)
            .bind(&record_keys)
            .fetch_all(self.pool())
        })
        .await?;
        let nth = |n: i64| keys.get(usize::try_from(n - 1).ok()?);
        let found = found.into_iter().filter_map(nth);
        Ok(found.map(|key| (*key).clone()).collect())
    }

    async fn parked_row(&self, id: &ParkedId) -> Result<Option<ParkedRow>, StoreError> {
        let key = text(&id.key);
        let found = self.read(|| {
            sqlx::query_scalar(
                "SELECT fact FROM parked WHERE consumer_group = $1 AND topic = $2 \
                 AND record_key = $3 AND partition = $4 AND record_offset = $5",
            )
            .bind(&id.group)
            .bind(&id.topic)
            .bind(&key)
            .bind(id.partition)
            .bind(id.offset)
        });
        Ok(found.await?.pop())
    }

    async fn replace_parked(&self, row: &ParkedRow) -> Result<bool, StoreError> {
        let revision = row.revision + 1;
        let row = ParkedRow {
            revision,
            ..row.clone()
        };
        let replace = "UPDATE parked SET revision = $6, ended_at = $7, replaced = $8, fact = $9 \
                       WHERE consumer_group = $1 AND topic = $2 AND record_key = $3 \
                       AND partition = $4 AND record_offset = $5 \
                       AND ended_at IS NULL AND revision = $6 - 1";
        if self.write(replace, &row, revision).await? {
            return Ok(true);
        }
        // Where the connection was lost after the commit, the second try finds its own work.
        Ok(self.parked_row(&row.id()).await?.as_ref() == Some(&row))
    }

    async fn ended_parked(
        &self,
        group: &str,
        key: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        self.of_key(select_of_key!("IS NOT NULL"), group, key, limit)
            .await
    }

    async fn purge_parked(&self, group: &str, before: Timestamp) -> Result<u64, StoreError> {
        let purged = ask(|| {
            sqlx::query(
                "DELETE FROM parked \
                 WHERE consumer_group = $1 AND ended_at < $2 AND NOT replaced",
            )
            .bind(group)
            .bind(Micros::from(before))
            .execute(self.pool())
        });
        Ok(purged.await?.rows_affected())
    }
}

impl PostgresEventStore {
    async fn of_key(
        &self,
        select: &'static str,
        group: &str,
        key: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let key = key.map(text);
        self.read(|| {
            sqlx::query_scalar(select)
                .bind(group)
                .bind(&key)
                .bind(rows(limit))
        })
        .await
    }

    /// Writes a row by `statement`, and says whether there was one to write.
    async fn write(
        &self,
        statement: &str,
        row: &ParkedRow,
        revision: u32,
    ) -> Result<bool, StoreError> {
        let (key, fact) = (text(&row.key), JsonText::from_row(row)?);
        let ended_at = row.ended.as_ref().map(|ended| Micros::from(ended.at));
        let written = ask(|| {
            let query: Query<'_> = sqlx::query(statement);
            query
                .bind(&row.group)
                .bind(&row.topic)
                .bind(&key)
                .bind(row.partition)
                .bind(row.offset)
                .bind(i32::try_from(revision).unwrap_or(i32::MAX))
                .bind(ended_at)
                .bind(row.replacement.is_some())
                .bind(JsonText::of(&fact.0))
                .execute(self.pool())
        });
        Ok(written.await?.rows_affected() > 0)
    }

    async fn read<'q>(
        &self,
        query: impl Fn() -> sqlx::query::QueryScalar<'q, Postgres, JsonText<'static>, PgArguments>,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let found = ask(|| query().fetch_all(self.pool())).await?;
        found.iter().map(JsonText::to_row).collect()
    }
}

/// What rows behind `after` are greater than; no topic is less than the empty one.
fn cursor(after: Option<&ParkedId>) -> (&str, String, i32, i64) {
    match after {
        Some(id) => (&id.topic, text(&id.key), id.partition, id.offset),
        None => ("", String::new(), i32::MIN, i64::MIN),
    }
}

/// A record's key may be anything, and Postgres keeps no NUL in a text: its picture stands for it.
/// The row itself, as JSON, has the key as it is.
fn text(key: &str) -> String {
    key.replace('\0', "\u{2400}")
}
