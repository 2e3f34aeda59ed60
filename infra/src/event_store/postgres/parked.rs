//! Parked facts.

use std::collections::HashSet;

use async_trait::async_trait;

use super::PostgresEventStore;
use super::values::{JsonText, rows};
use crate::event_store::{ParkedRow, ParkedRows, StoreError};

#[async_trait]
impl ParkedRows for PostgresEventStore {
    async fn park(&self, row: ParkedRow) -> Result<(), StoreError> {
        let (key, fact) = (text(&row.key), JsonText::from_row(&row)?);
        self.ask(|| {
            sqlx::query(
                "INSERT INTO parked \
                 (consumer_group, topic, record_key, partition, record_offset, fact) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            )
            .bind(&row.group)
            .bind(&row.topic)
            .bind(&key)
            .bind(row.partition)
            .bind(row.offset)
            .bind(JsonText::of(&fact.0))
            .execute(self.pool())
        })
        .await?;
        Ok(())
    }

    async fn parked(
        &self,
        group: &str,
        key: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let key = key.map(text);
        let found: Vec<JsonText<'static>> = self
            .ask(|| {
                sqlx::query_scalar(
                    "SELECT fact FROM parked \
                     WHERE consumer_group = $1 AND ($2 IS NULL OR record_key = $2) \
                     ORDER BY topic, record_key, partition, record_offset LIMIT $3",
                )
                .bind(group)
                .bind(&key)
                .bind(rows(limit))
                .fetch_all(self.pool())
            })
            .await?;
        found.iter().map(JsonText::to_row).collect()
    }

    async fn parked_keys(&self, group: &str) -> Result<HashSet<(String, String)>, StoreError> {
        let found: Vec<(String, String)> = self
            .ask(|| {
                sqlx::query_as(
                    "SELECT DISTINCT topic, record_key FROM parked WHERE consumer_group = $1",
                )
                .bind(group)
                .fetch_all(self.pool())
            })
            .await?;
        Ok(found.into_iter().collect())
    }

    async fn unpark(&self, row: &ParkedRow) -> Result<(), StoreError> {
        let key = text(&row.key);
        self.ask(|| {
            sqlx::query(
                "DELETE FROM parked WHERE consumer_group = $1 AND topic = $2 \
                 AND record_key = $3 AND partition = $4 AND record_offset = $5",
            )
            .bind(&row.group)
            .bind(&row.topic)
            .bind(&key)
            .bind(row.partition)
            .bind(row.offset)
            .execute(self.pool())
        })
        .await?;
        Ok(())
    }
}

/// A record's key may be anything, and Postgres keeps no NUL in a text: its picture stands for it.
/// The row itself, as JSON, has the key as it is.
fn text(key: &str) -> String {
    key.replace('\0', "\u{2400}")
}
