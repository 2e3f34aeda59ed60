//! How the generations of each view stand: one entry a view, as JSON, fsynced with every change.
//!
//! Its fsync takes with it all that was written before, since there is one journal: the offset at
//! which a group begins is on the disk before the generation that it feeds is said to be there.

use std::sync::{Arc, Mutex};

use fjall::{Keyspace, PersistMode};
use serde::{Deserialize, Serialize};

use super::tables::locked;
use super::unavailable;
use crate::event_store::Database;
use crate::view_store::{Generations, ViewError};

/// The keyspace. The names of tables begin with `view_`.
const KEYSPACE: &str = "generations";

/// The generations of all views.
pub struct Stored {
    db: Arc<Database>,
    /// Changed by one at a time.
    changing: Mutex<()>,
}

/// An entry.
#[derive(Serialize, Deserialize)]
struct Entry {
    version: u64,
    generations: Generations,
}

impl Stored {
    pub fn of(db: Arc<Database>) -> Self {
        Self {
            db,
            changing: Mutex::default(),
        }
    }

    pub fn read(&self, view: &str) -> Result<Option<Generations>, ViewError> {
        let Some(bytes) = self.keyspace()?.get(view).map_err(unavailable)? else {
            return Ok(None);
        };
        let entry: Entry = serde_json::from_slice(&bytes).map_err(|e| corrupt(view, &e))?;
        Ok(Some(Generations {
            version: entry.version,
            ..entry.generations
        }))
    }

    pub fn replace(&self, view: &str, generations: Generations) -> Result<bool, ViewError> {
        let _one_at_a_time = locked(&self.changing);
        let stored = self.read(view)?.map_or(0, |stored| stored.version);
        if stored != generations.version {
            return Ok(false);
        }
        let entry = Entry {
            version: stored + 1,
            generations,
        };
        let json = serde_json::to_vec(&entry).map_err(|e| corrupt(view, &e))?;
        let batch = self.db.engine().batch();
        let mut batch = batch.durability(Some(PersistMode::SyncAll));
        batch.insert(&self.keyspace()?, view, json);
        batch.commit().map_err(unavailable)?;
        Ok(true)
    }

    fn keyspace(&self) -> Result<Keyspace, ViewError> {
        let keyspace = self.db.keyspace(KEYSPACE);
        keyspace.map_err(|e| ViewError::Unavailable(e.to_string()))
    }
}

fn corrupt(view: &str, e: &serde_json::Error) -> ViewError {
    ViewError::Corrupt(format!("the generations of {view}: {e}"))
}
