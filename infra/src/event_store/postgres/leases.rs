//! Leases and checkpoints.

use std::time::Duration;

use async_trait::async_trait;

use super::log::get;
use super::values::{JsonText, Micros, int, number};
use super::{PostgresEventStore, ask};
use crate::event_store::{Checkpoint, Checkpoints, Lease, Leases, StoreError};

#[async_trait]
impl Leases for PostgresEventStore {
    async fn acquire(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        // The row that is there is locked before it is looked at: of many who ask, one gets it.
        let found = ask(|| {
            sqlx::query(
                "INSERT INTO leases AS l (name, holder, epoch, held_until) \
                     VALUES ($1, $2, 1, clock_timestamp() + make_interval(secs => $3)) \
                     ON CONFLICT (name) DO UPDATE SET \
                         holder = excluded.holder, held_until = excluded.held_until, \
                         epoch = l.epoch + CASE WHEN l.holder = excluded.holder \
                             AND l.held_until > clock_timestamp() THEN 0 ELSE 1 END \
                     WHERE l.holder = excluded.holder OR l.held_until <= clock_timestamp() \
                     RETURNING holder, epoch, held_until",
            )
            .bind(name)
            .bind(holder)
            .bind(ttl.as_secs_f64())
            .fetch_optional(self.pool())
        })
        .await?;
        let Some(row) = found else { return Ok(None) };
        Ok(Some(Lease {
            holder: get(&row, 0)?,
            epoch: number(get(&row, 1)?)?,
            until: get::<Micros>(&row, 2)?.into(),
        }))
    }

    async fn release(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        let give_back =
            "UPDATE leases SET held_until = '-infinity' WHERE name = $1 AND holder = $2";
        ask(|| {
            sqlx::query(give_back)
                .bind(name)
                .bind(holder)
                .execute(self.pool())
        })
        .await?;
        Ok(())
    }
}

#[async_trait]
impl Checkpoints for PostgresEventStore {
    async fn checkpoint(&self, name: &str) -> Result<Option<Checkpoint>, StoreError> {
        let found = ask(|| {
            sqlx::query("SELECT position, offsets, halted FROM checkpoints WHERE name = $1")
                .bind(name)
                .fetch_optional(self.pool())
        })
        .await?;
        let Some(row) = found else { return Ok(None) };
        Ok(Some(Checkpoint {
            position: number(get(&row, 0)?)?,
            offsets: get::<JsonText>(&row, 1)?.to_row()?,
            halted: get(&row, 2)?,
        }))
    }

    async fn set_checkpoint(
        &self,
        name: &str,
        checkpoint: &Checkpoint,
        fence: Option<(&str, u64)>,
    ) -> Result<(), StoreError> {
        let (lease, epoch) = fence.unzip();
        let offsets = JsonText::from_row(&checkpoint.offsets)?;
        // The lease cannot change hands between the look and the commit: its row is locked.
        let set = ask(|| {
            sqlx::query(
                "WITH held AS MATERIALIZED ( \
                         SELECT FROM leases WHERE name = $4 AND epoch = $5 FOR SHARE) \
                     INSERT INTO checkpoints (name, position, offsets, halted) \
                     SELECT $1, $2, $3, $6 WHERE $4 IS NULL OR (SELECT count(*) FROM held) = 1 \
                     ON CONFLICT (name) DO UPDATE \
                     SET position = excluded.position, offsets = excluded.offsets, \
                         halted = excluded.halted",
            )
            .bind(name)
            .bind(int(checkpoint.position))
            .bind(JsonText::of(&offsets.0))
            .bind(lease)
            .bind(epoch.map(int))
            .bind(checkpoint.halted.as_deref())
            .execute(self.pool())
        })
        .await?;
        match set.rows_affected() {
            0 => Err(StoreError::Fenced),
            _ => Ok(()),
        }
    }
}
