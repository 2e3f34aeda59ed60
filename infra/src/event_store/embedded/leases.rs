//! Leases and checkpoints.

use std::time::Duration;

use async_trait::async_trait;
use fjall::{Keyspace, PersistMode};

use super::database::locked;
use super::{EmbeddedEventStore, from_json, keys, to_json};
use crate::clock;
use crate::event_store::{Checkpoint, Checkpoints, Lease, Leases, StoreError};

/// One process holds the folder, so whoever held a lease before it is gone: a restart waits for
/// nobody. The epochs go on.
pub(super) fn forget_holders(leases: &Keyspace) -> Result<(), StoreError> {
    for entry in leases.iter() {
        let (key, row) = entry.into_inner()?;
        let mut lease: Lease = from_json(&row)?;
        lease.until = domain::values::Timestamp::default();
        leases.insert(key, to_json(&lease)?)?;
    }
    Ok(())
}

#[async_trait]
impl Leases for EmbeddedEventStore {
    async fn acquire(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let _one_at_a_time = locked(&self.db.lease_lock);
        let now = clock::now();
        let before = self.lease(name)?;
        let ours = |lease: &Lease| lease.holder == holder && lease.until > now;
        let epoch = match &before {
            Some(lease) if ours(lease) => lease.epoch,
            Some(lease) if lease.until > now => return Ok(None),
            Some(lease) => lease.epoch + 1,
            None => 1,
        };
        let lease = Lease {
            holder: holder.to_owned(),
            epoch,
            until: now.plus_ms(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)),
        };
        self.put_lease(name, &lease)?;
        Ok(Some(lease))
    }

    async fn release(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        let _one_at_a_time = locked(&self.db.lease_lock);
        match self.lease(name)? {
            Some(mut lease) if lease.holder == holder => {
                lease.until = domain::values::Timestamp::default();
                self.put_lease(name, &lease)
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Checkpoints for EmbeddedEventStore {
    async fn checkpoint(&self, name: &str) -> Result<Option<Checkpoint>, StoreError> {
        let row = self
            .db
            .checkpoints
            .get(keys::shared(self.service, &[name]))?;
        row.map(|row| from_json(&row)).transpose()
    }

    async fn set_checkpoint(
        &self,
        name: &str,
        checkpoint: &Checkpoint,
        fence: Option<(&str, u64)>,
    ) -> Result<(), StoreError> {
        let _one_at_a_time = locked(&self.db.lease_lock);
        if let Some((lease, epoch)) = fence {
            match self.lease(lease)? {
                Some(lease) if lease.epoch == epoch => {}
                _ => return Err(StoreError::Fenced),
            }
        }
        self.put(&self.db.checkpoints, name, to_json(checkpoint)?)
    }
}

impl EmbeddedEventStore {
    fn lease(&self, name: &str) -> Result<Option<Lease>, StoreError> {
        let row = self.db.leases.get(keys::shared(self.service, &[name]))?;
        row.map(|row| from_json(&row)).transpose()
    }

    fn put_lease(&self, name: &str, lease: &Lease) -> Result<(), StoreError> {
        self.put(&self.db.leases, name, to_json(lease)?)
    }

    /// Into the journal and the system's buffers, without an fsync.
    fn put(&self, keyspace: &Keyspace, name: &str, row: Vec<u8>) -> Result<(), StoreError> {
        let mut batch = self
            .db
            .engine()
            .batch()
            .durability(Some(PersistMode::Buffer));
        batch.insert(keyspace, keys::shared(self.service, &[name]), row);
        Ok(batch.commit()?)
    }
}
