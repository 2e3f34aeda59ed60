//! The embedded adapters, each test on a folder of its own.

mod killed;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{Recorded, Service};
use infra::bus::{Bus, FeedBus};
use infra::event_store::{Append, Database, DatabaseError, EmbeddedEventStore, EventStore};
use infra::view_store::{EmbeddedViewStore, ViewStore};
use infra::{codec, ids};
use tempfile::TempDir;

use super::bus::Buses;
use super::event_store::Stores;
use super::view_store::Views;
use crate::support::eventually;

pub use killed::Killed;

/// A folder that is open; a restart closes it and opens it again.
pub struct Embedded {
    process: Option<Process>,
    folder: TempDir,
}

/// What a process has one of.
struct Process {
    db: Arc<Database>,
    views: EmbeddedViewStore,
}

impl Embedded {
    pub async fn start() -> Self {
        Self::on(tempfile::tempdir().unwrap()).await
    }

    async fn on(folder: TempDir) -> Self {
        Self {
            process: Some(Process::start(folder.path()).await),
            folder,
        }
    }

    fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    async fn restart(&mut self) {
        self.process = None;
        self.process = Some(Process::start(self.folder.path()).await);
    }
}

impl Process {
    /// Opens a folder once the threads of whoever had it before have let go of it.
    async fn start(path: &Path) -> Self {
        let let_go = |Opened(seen): &Opened| !matches!(seen, Err(DatabaseError::InUse(_)));
        let opened = eventually(|| async { Opened(Database::open(path)) }, let_go).await;
        let db = opened.0.unwrap_or_else(|e| panic!("{e}"));
        Self {
            views: EmbeddedViewStore::new(db.clone()),
            db,
        }
    }
}

struct Opened(Result<Arc<Database>, DatabaseError>);

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(_) => f.write_str("open"),
            Err(e) => e.fmt(f),
        }
    }
}

#[async_trait]
impl Stores for Embedded {
    fn of(&self, service: Service) -> Arc<dyn EventStore> {
        let db = self.process().db.clone();
        Arc::new(EmbeddedEventStore::new(db, service))
    }

    async fn restart(&mut self) {
        self.restart().await;
    }
}

#[async_trait]
impl Buses for Embedded {
    fn bus(&self) -> Arc<dyn Bus> {
        let stores = Service::ALL.map(|service| self.of(service));
        Arc::new(FeedBus::new(stores.to_vec()))
    }

    async fn publish(&self, facts: &[Recorded]) {
        for service in Service::ALL {
            let mut request = Append::default();
            for fact in facts {
                let stream = &fact.id.stream;
                if stream.category.service() != service {
                    continue;
                }
                if request.expect.iter().all(|(known, _)| known != stream) {
                    let before = fact.id.sequence - 1;
                    request.expect.push((stream.clone(), before));
                }
                request.facts.push(codec::encode(fact, ids::unique()));
            }
            self.of(service).append(request).await.unwrap();
        }
    }

    async fn restart(&mut self) {
        self.restart().await;
    }
}

#[async_trait]
impl Views for Embedded {
    fn views(&self) -> Arc<dyn ViewStore> {
        Arc::new(self.process().views.clone())
    }

    async fn restart(&mut self) {
        self.restart().await;
    }
}
