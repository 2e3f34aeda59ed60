//! The folder: opened by one process at a time, recognised by its format.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::values::Timestamp;
use domain::{Position, Service};
use fjall::{Keyspace, KeyspaceCreateOptions, PersistMode};
use tokio::sync::watch;

use super::writer::Writer;
use super::{due, keys};
use crate::event_store::StoreError;

/// The format of the folder; a program opens its own and refuses a newer one.
const FORMAT: &str = "waybill-data 1";
const FORMAT_FILE: &str = "FORMAT";
/// Held by the process that has the folder open.
const LOCK_FILE: &str = "LOCK";
/// Where the engine keeps its files.
const STORE: &str = "store";

/// Memtables are flushed when they have this size: small, since an idle process is to hold less
/// than 150 MB with all of its keyspaces.
const MEMTABLE_BYTES: u64 = 4 * 1024 * 1024;
/// Journals are kept until what they hold is flushed, at most this much (the engine's smallest):
/// it bounds what a restart replays.
const JOURNAL_BYTES: u64 = 64 * 1024 * 1024;
/// Blocks read before, for all keyspaces together.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;

/// An open data folder: the engine, and what is kept in memory about it.
pub struct Database {
    engine: fjall::Database,
    _lock: fs::File,
    services: [PerService; 4],
    pub(super) replies: Keyspace,
    pub(super) due: Keyspace,
    pub(super) parked: Keyspace,
    pub(super) parked_ended: Keyspace,
    pub(super) parked_lock: Mutex<()>,
    pub(super) checkpoints: Keyspace,
    pub(super) leases: Keyspace,
    pub(super) lease_lock: Mutex<()>,
    writer: Writer,
}

/// What belongs to one service.
pub(super) struct PerService {
    pub log: Keyspace,
    pub streams: Keyspace,
    /// The last position that was given out.
    pub last: Mutex<Position>,
    /// Open due rows that are not parked, by time and id.
    pub agenda: Mutex<BTreeSet<(Timestamp, String)>>,
    pub changes: watch::Sender<u64>,
}

/// Why a data folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Another process has it.
    #[error("the data directory {0} is in use by another process")]
    InUse(PathBuf),
    /// Written by a newer program.
    #[error(
        "the data directory {path} has the format '{found}', which this version cannot read \
         (it knows '{FORMAT}'): use the newer waybill that wrote it; nothing was changed"
    )]
    Newer {
        /// Which folder.
        path: PathBuf,
        /// What its format file says.
        found: String,
    },
    /// Something else lives there.
    #[error("{0} is neither empty nor a data directory of waybill; nothing was changed")]
    Foreign(PathBuf),
    /// It cannot be read or written.
    #[error("the data directory {path} cannot be used")]
    Io {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The engine cannot read it.
    #[error("the data directory {path} cannot be opened: {message}")]
    Engine {
        /// Which folder.
        path: PathBuf,
        /// What the engine said.
        message: String,
    },
}

impl Database {
    /// Opens the folder, and makes it where it does not exist.
    ///
    /// # Errors
    /// [`DatabaseError`]; the folder is then as it was.
    pub fn open(path: &Path) -> Result<Arc<Self>, DatabaseError> {
        check_format(path)?;
        let lock = lock(path)?;
        crate::crash_point!("start.locked");
        remove_half_made(path)?;
        let engine_error = |e: fjall::Error| match e {
            fjall::Error::Locked => DatabaseError::InUse(path.to_owned()),
            fjall::Error::Io(source) => DatabaseError::Io {
                path: path.to_owned(),
                source,
            },
            e => DatabaseError::Engine {
                path: path.to_owned(),
                message: e.to_string(),
            },
        };
        let engine = fjall::Database::builder(path.join(STORE))
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .open()
            .map_err(engine_error)?;
        crate::crash_point!("start.before-format");
        write_format(path)?;
        crate::crash_point!("start.after-format");
        let db = Self::build(engine, lock).map_err(|e| DatabaseError::Engine {
            path: path.to_owned(),
            message: e.to_string(),
        })?;
        Ok(db)
    }

    fn build(engine: fjall::Database, lock: fs::File) -> Result<Arc<Self>, StoreError> {
        let keyspace = |name: &str| {
            engine.keyspace(name, || {
                KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES)
            })
        };
        let due = keyspace("due")?;
        let services = Service::ALL.map(|service| {
            let log = keyspace(&format!("{service}_log"))?;
            let last = match log.last_key_value() {
                Some(entry) => keys::read_position(&entry.key()?)?,
                None => 0,
            };
            Ok::<_, StoreError>(PerService {
                log,
                streams: keyspace(&format!("{service}_streams"))?,
                last: Mutex::new(last),
                agenda: Mutex::new(due::load_agenda(&due, service)?),
                changes: watch::Sender::new(0),
            })
        });
        let [order, inventory, payment, delivery] = services;
        let leases = keyspace("leases")?;
        super::leases::forget_holders(&leases)?;
        let writer = Writer::new();
        let db = Arc::new(Self {
            services: [order?, inventory?, payment?, delivery?],
            replies: keyspace("replies")?,
            due,
            parked: keyspace("parked")?,
            parked_ended: keyspace("parked_ended")?,
            parked_lock: Mutex::default(),
            checkpoints: keyspace("checkpoints")?,
            leases,
            lease_lock: Mutex::default(),
            engine,
            _lock: lock,
            writer,
        });
        Writer::start(&db)?;
        Ok(db)
    }

    /// The engine, for adapters of other ports that keep their data in the same folder.
    pub(crate) fn engine(&self) -> &fjall::Database {
        &self.engine
    }

    /// A keyspace of another port.
    pub(crate) fn keyspace(&self, name: &str) -> Result<Keyspace, StoreError> {
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        Ok(self.engine.keyspace(name, options)?)
    }

    pub(super) fn of(&self, service: Service) -> &PerService {
        let [order, inventory, payment, delivery] = &self.services;
        match service {
            Service::Order => order,
            Service::Inventory => inventory,
            Service::Payment => payment,
            Service::Delivery => delivery,
        }
    }

    pub(super) fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Writes everything to the disk.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn sync(&self) -> Result<(), StoreError> {
        crate::crash_point!("drain.before-sync");
        self.engine.persist(PersistMode::SyncAll)?;
        crate::crash_point!("drain.after-sync");
        Ok(())
    }
}

/// A panic elsewhere does not make a lock useless: what it guards is replaced in one step.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check_format(path: &Path) -> Result<(), DatabaseError> {
    let io = |source| DatabaseError::Io {
        path: path.to_owned(),
        source,
    };
    fs::create_dir_all(path).map_err(io)?;
    match fs::read_to_string(path.join(FORMAT_FILE)) {
        Ok(format) if format.trim_end() == FORMAT => Ok(()),
        Ok(format) => Err(DatabaseError::Newer {
            path: path.to_owned(),
            found: format.trim_end().chars().take(64).collect(),
        }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let entries = fs::read_dir(path).map_err(io)?;
            let names: Result<Vec<_>, _> = entries.map(|entry| Ok(entry?.file_name())).collect();
            let names = names.map_err(io)?;
            let ours = [LOCK_FILE, STORE];
            let known = names.iter().all(|name| ours.iter().any(|own| name == *own));
            // Our store comes after our lock: one without a lock is somebody else's.
            let half_made = names.iter().any(|name| name == LOCK_FILE);
            if known && (half_made || names.is_empty()) {
                Ok(())
            } else {
                Err(DatabaseError::Foreign(path.to_owned()))
            }
        }
        Err(e) => Err(io(e)),
    }
}

/// Takes the folder for this process, until the file is closed.
fn lock(path: &Path) -> Result<fs::File, DatabaseError> {
    let io = |source| DatabaseError::Io {
        path: path.to_owned(),
        source,
    };
    let mut options = fs::OpenOptions::new();
    let file = options.create(true).truncate(false).write(true);
    let file = file.open(path.join(LOCK_FILE)).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(DatabaseError::InUse(path.to_owned())),
        Err(fs::TryLockError::Error(source)) => Err(io(source)),
    }
}

/// A store without a format is one whose first start was cut off: nothing was ever appended to
/// it, and the engine cannot open it.
fn remove_half_made(path: &Path) -> Result<(), DatabaseError> {
    let store = path.join(STORE);
    if path.join(FORMAT_FILE).exists() || !store.exists() {
        return Ok(());
    }
    fs::remove_dir_all(store).map_err(|source| DatabaseError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Written once the lock is ours, and in one step: a half-written file is never seen.
fn write_format(path: &Path) -> Result<(), DatabaseError> {
    let write = || {
        let target = path.join(FORMAT_FILE);
        if target.exists() {
            return Ok(());
        }
        let draft = path.join(STORE).join("FORMAT.new");
        let mut file = fs::File::create(&draft)?;
        writeln!(file, "{FORMAT}")?;
        file.sync_all()?;
        crate::crash_point!("start.half-formatted");
        fs::rename(draft, target)?;
        fs::File::open(path)?.sync_all()
    };
    write().map_err(|source| DatabaseError::Io {
        path: path.to_owned(),
        source,
    })
}
