//! A cluster that is killed, stopped and started, on a server of the test's own.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::view::order_view::SCHEMA;
use domain::view::{self, Value};
use infra::view_store::{CassandraPlace, CassandraViewStore, Table, ViewStore, migrate_keyspace};
use tokio::task::JoinSet;

use crate::contract::view_store::given::*;
use crate::support::{cassandra_nodes, eventually};

/// What a call may take: its own bound of 5 s, and a busy machine.
const BOUND: Duration = Duration::from_secs(8);
/// Those who write while the server is killed.
const WRITERS: usize = 16;
/// Rows acknowledged before it is.
const ROWS: usize = 500;

/// A server that nobody else uses, ended with it.
struct Server {
    folder: PathBuf,
}

impl Server {
    fn up() -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cassandra");
        let server = Self { folder };
        server.run(&["up", "cassandra"]);
        server
    }

    fn nodes(&self) -> String {
        let exports = self.run(&["env"]);
        let line = exports
            .lines()
            .find_map(|line| line.split_once("CASSANDRA_NODES="));
        line.expect("its address").1.trim_matches('\'').to_owned()
    }

    fn run(&self, arguments: &[&str]) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/servers/servers");
        let ran = Command::new(script)
            .args(arguments)
            .env("SERVERS_DIR", &self.folder)
            .env_remove("WAYBILL_CASSANDRA_NODES")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{arguments:?}: {said}");
        String::from_utf8(ran.stdout).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_goes_on_by_itself_after_its_cluster_was_down_stopped_or_killed() {
    if cassandra_nodes().is_none() {
        return;
    }
    let server = Server::up();
    let place = CassandraPlace::new(&server.nodes(), "own_").unwrap();
    migrate_keyspace(&place, 1, &view::ALL).await.unwrap();

    server.run(&["kill", "cassandra"]);
    let views: Arc<dyn ViewStore> = Arc::new(CassandraViewStore::new(&place));
    views.ready().await.unwrap_err();
    server.run(&["start", "cassandra"]);
    works_again(&views).await;

    server.run(&["pause", "cassandra"]);
    let begun = Instant::now();
    let name = SCHEMA.name.to_owned();
    let read = views.get(&SCHEMA, &Table { name }, &key()).await;
    let took = begun.elapsed();
    server.run(&["resume", "cassandra"]);
    assert!(read.is_err() && took < BOUND, "{read:?} after {took:?}");
    works_again(&views).await;

    let acknowledged = written_until_it_is_killed(&views, &server).await;
    server.run(&["start", "cassandra"]);
    works_again(&views).await;
    let table = OrderViews::of(views).await;
    for key in &acknowledged {
        let read = table.read(key, "order_version").await;
        assert_eq!(read, Some(Value::Int(1)));
    }
    assert!(acknowledged.len() >= ROWS);
}

async fn works_again(views: &Arc<dyn ViewStore>) {
    eventually(|| views.ready(), Result::is_ok).await.unwrap();
}

/// The keys of the rows that were acknowledged.
async fn written_until_it_is_killed(
    views: &Arc<dyn ViewStore>,
    server: &Server,
) -> Vec<Vec<Value>> {
    let (acknowledge, mut acknowledged) = tokio::sync::mpsc::unbounded_channel();
    let mut writing = JoinSet::new();
    for _ in 0..WRITERS {
        let (views, acknowledge) = (views.clone(), acknowledge.clone());
        writing.spawn(async move {
            let name = SCHEMA.name.to_owned();
            let table = Table { name };
            loop {
                let key = key();
                let patch = row(&key, [cell("order_version", Value::Int(1), of_fact(1))]);
                match views.apply(&SCHEMA, &table, vec![patch]).await {
                    Ok(()) => acknowledge.send(key).unwrap(),
                    Err(_) => return,
                }
            }
        });
    }
    drop(acknowledge);
    let mut keys = vec![];
    while keys.len() < ROWS {
        keys.push(acknowledged.recv().await.expect("a writer"));
    }
    server.run(&["kill", "cassandra"]);
    while let Some(key) = acknowledged.recv().await {
        keys.push(key);
    }
    keys
}
