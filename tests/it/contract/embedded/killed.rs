//! A process that is killed leaves its files as they are.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::Service;
use infra::event_store::{Append, EventStore};
use tokio::task::JoinSet;

use super::Embedded;
use crate::contract::event_store::Stores;
use crate::contract::event_store::given::*;
use crate::support::eventually;

/// A folder that is open; a restart opens a copy of its files, made while it is still open.
pub struct Killed {
    alive: Embedded,
    killed: Vec<Embedded>,
}

impl Killed {
    pub async fn start() -> Self {
        Self {
            alive: Embedded::start().await,
            killed: vec![],
        }
    }
}

#[async_trait]
impl Stores for Killed {
    fn of(&self, service: Service) -> Arc<dyn EventStore> {
        self.alive.of(service)
    }

    async fn restart(&mut self) {
        let folder = tempfile::tempdir().unwrap();
        copy(self.alive.folder.path(), folder.path());
        let next = Embedded::on(folder).await;
        self.killed.push(std::mem::replace(&mut self.alive, next));
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_amid_appends_leaves_each_whole_or_not_at_all() {
    let mut stores = Killed::start().await;
    let killed = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(Mutex::new(vec![]));
    let mut crowd = JoinSet::new();
    for _ in 0..16 {
        let store = stores.of(Service::Payment);
        let (killed, acknowledged) = (killed.clone(), acknowledged.clone());
        crowd.spawn(async move {
            let (one, other) = (stream(), stream());
            for version in 0.. {
                let row = task(second(1));
                let request = Append {
                    opens: vec![row.clone()],
                    reply: Some(reply("POST /", &row.id(), second(1))),
                    ..both(to(&one, version, 1), to(&other, 2 * version, 2))
                };
                store.append(request).await.unwrap();
                acknowledged.lock().unwrap().push(row);
                if killed.load(Ordering::Relaxed) {
                    break;
                }
            }
            (one, other)
        });
    }
    let count = || async { acknowledged.lock().unwrap().len() };
    eventually(count, |count| *count > 500).await;
    let before = acknowledged.lock().unwrap().clone();
    stores.restart().await;
    killed.store(true, Ordering::Relaxed);
    let streams = crowd.join_all().await;

    let store = stores.of(Service::Payment);
    for row in &before {
        assert_eq!(store.due_of(row.order).await.unwrap(), only(row));
        let kept = store.stored_reply("POST /", &row.id()).await.unwrap();
        assert!(kept.is_some());
    }
    let mut whole = 0;
    for (one, other) in streams {
        let (of_one, of_other) = (
            facts_of(&*store, &one).await,
            facts_of(&*store, &other).await,
        );
        assert_eq!(2 * of_one.len(), of_other.len());
        whole += of_one.len();
    }
    assert!(
        whole >= before.len(),
        "{whole} of {} are left",
        before.len()
    );
    assert_eq!(log_of(&*store).await.len(), 3 * whole);
    assert_eq!(store.troubled(0).await.unwrap().1, whole as u64);
}
