//! The tables of a data folder, each a keyspace of the engine.
//!
//! A table that was removed is refused until it is made again, so that whoever still reads it is
//! told, and does not take it for one without rows. After a restart it is one that never was.
//!
//! The engine numbers keyspaces, and after a restart goes on behind the highest number that is left.
//! A keyspace that is given the number of one that was removed may be taken for removed itself at the
//! next restart, and its rows with it. So before each removal a keyspace is made that stays, and whose
//! number is higher: no number is given twice, wherever a crash cuts this off.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fjall::Keyspace;

use super::unavailable;
use crate::event_store::{Database, StoreError};
use crate::view_store::{Table, ViewError};

/// What keyspaces are called that hold the highest number, with how often one was removed.
const HIGHEST: &str = "removals_";

/// The tables, and who writes them.
pub struct Tables {
    db: Arc<Database>,
    known: Mutex<HashMap<String, Known>>,
    /// Rows are read, merged and written by one at a time, and no table is removed meanwhile.
    writing: Mutex<()>,
}

/// What is known of a table since the folder was opened.
#[derive(Clone)]
enum Known {
    There(Keyspace),
    Removed,
}

impl Tables {
    pub fn of(db: Arc<Database>) -> Self {
        Self {
            db,
            known: Mutex::default(),
            writing: Mutex::default(),
        }
    }

    pub fn db(&self) -> &Database {
        &self.db
    }

    /// Holds up all others who write or remove, until it is dropped.
    pub fn writing(&self) -> MutexGuard<'_, ()> {
        locked(&self.writing)
    }

    /// Makes a table, on the disk when this returns, where it is not there.
    pub fn make(&self, table: &Table) -> Result<(), ViewError> {
        let mut known = locked(&self.known);
        if matches!(known.get(&table.name), Some(Known::There(_))) {
            return Ok(());
        }
        let made = self.keyspace(&name(table))?;
        known.insert(table.name.clone(), Known::There(made));
        Ok(())
    }

    /// Removes a table. Those who are reading it read on; its files go with the last of them.
    pub fn remove(&self, table: &Table) -> Result<(), ViewError> {
        let _nobody_writes = self.writing();
        let mut known = locked(&self.known);
        let name = name(table);
        if self.db.engine().keyspace_exists(&name) {
            let before = self.highest();
            let count = before.iter().max().map_or(1, |count| count + 1);
            self.keyspace(&format!("{HIGHEST}{count}"))?;
            self.delete(&name)?;
            for count in before {
                self.delete(&format!("{HIGHEST}{count}"))?;
            }
        }
        known.insert(table.name.clone(), Known::Removed);
        Ok(())
    }

    /// A table to write to.
    pub fn to_write(&self, table: &Table) -> Result<Keyspace, ViewError> {
        let missing = || ViewError::Unavailable(format!("there is no table {}", table.name));
        self.to_read(table)?.ok_or_else(missing)
    }

    /// A table to read; none where it was never made.
    pub fn to_read(&self, table: &Table) -> Result<Option<Keyspace>, ViewError> {
        let mut known = locked(&self.known);
        match known.get(&table.name) {
            Some(Known::There(keyspace)) => return Ok(Some(keyspace.clone())),
            Some(Known::Removed) => {
                let removed = format!("the table {} was removed", table.name);
                return Err(ViewError::Unavailable(removed));
            }
            None => {}
        }
        let name = name(table);
        if !self.db.engine().keyspace_exists(&name) {
            return Ok(None);
        }
        let keyspace = self.keyspace(&name)?;
        known.insert(table.name.clone(), Known::There(keyspace.clone()));
        Ok(Some(keyspace))
    }

    /// The counts of those that hold the highest number, or did: more than one where a removal was
    /// cut off.
    fn highest(&self) -> Vec<u64> {
        let names = self.db.engine().list_keyspace_names().into_iter();
        let counts = names.filter_map(|name| name.strip_prefix(HIGHEST)?.parse().ok());
        counts.collect()
    }

    fn keyspace(&self, name: &str) -> Result<Keyspace, ViewError> {
        let keyspace = self.db.keyspace(name);
        keyspace.map_err(|e: StoreError| ViewError::Unavailable(e.to_string()))
    }

    fn delete(&self, name: &str) -> Result<(), ViewError> {
        let deleted = self.db.engine().delete_keyspace(self.keyspace(name)?);
        deleted.map_err(unavailable)
    }
}

fn name(table: &Table) -> String {
    format!("view_{}", table.name)
}

/// A panic elsewhere does not make a lock useless: what it guards is replaced in one step.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
