//! The relay of the textbooks: take a hundred rows of the outbox, send one after the other, mark
//! them as sent, commit. The producer does not linger, which is more than the textbooks say.

use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Row};

use super::produce::One;
use crate::kafka;

/// Rows of one transaction.
const LIMIT: i64 = 100;

const TABLE: &str = "CREATE TABLE outbox (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key     text NOT NULL,
    payload text NOT NULL,
    sent_at timestamptz);
    CREATE INDEX outbox_unsent ON outbox (id) WHERE sent_at IS NULL";

/// The table and the relay.
pub struct Outbox {
    on: PgConnection,
    to: One,
    sent: u64,
}

impl Outbox {
    /// With so many rows that wait, each of this payload.
    pub async fn filled(
        options: &PgConnectOptions,
        to: One,
        rows: i64,
        payload: &str,
    ) -> anyhow::Result<Self> {
        let mut on = options.connect().await?;
        sqlx::raw_sql(TABLE).execute(&mut on).await?;
        sqlx::query("INSERT INTO outbox (key, payload) SELECT gen_random_uuid(), $2 FROM generate_series(1, $1)")
            .bind(rows)
            .bind(payload)
            .execute(&mut on)
            .await?;
        sqlx::raw_sql("VACUUM ANALYZE outbox")
            .execute(&mut on)
            .await?;
        Ok(Self { on, to, sent: 0 })
    }

    /// Relays for `round`, and says how many rows a second.
    pub async fn run(&mut self, round: Duration) -> anyhow::Result<f64> {
        let (begun, before) = (Instant::now(), self.sent);
        while begun.elapsed() < round {
            let mut transaction = self.on.begin().await?;
            let rows = sqlx::query(
                "SELECT id, key, payload FROM outbox WHERE sent_at IS NULL ORDER BY id \
                 LIMIT $1 FOR UPDATE SKIP LOCKED",
            )
            .bind(LIMIT)
            .fetch_all(&mut *transaction)
            .await?;
            anyhow::ensure!(
                !rows.is_empty(),
                "the outbox has run dry: there is nothing to measure"
            );
            let mut ids = Vec::with_capacity(rows.len());
            for row in &rows {
                let (key, payload): (&str, &str) = (row.try_get(1)?, row.try_get(2)?);
                self.to.send(key.as_bytes(), payload.as_bytes()).await?;
                ids.push(row.try_get::<i64, _>(0)?);
            }
            sqlx::query("UPDATE outbox SET sent_at = now() WHERE id = ANY ($1)")
                .bind(&ids)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            self.sent += ids.len() as u64;
        }
        Ok((self.sent - before) as f64 / begun.elapsed().as_secs_f64())
    }

    /// That what was sent is marked, and is on the topic.
    pub async fn check(mut self, brokers: &str, topic: &str) -> anyhow::Result<()> {
        let marked: i64 = sqlx::query_scalar("SELECT count(sent_at) FROM outbox")
            .fetch_one(&mut self.on)
            .await?;
        let there = tokio::task::block_in_place(|| kafka::count(brokers, topic))?;
        let sent = self.sent;
        anyhow::ensure!(
            marked as u64 == sent && there == sent,
            "{marked} rows are marked and {there} records are there of {sent}"
        );
        self.on.close().await?;
        Ok(())
    }
}
