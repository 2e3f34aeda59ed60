//! The view store on Cassandra, each test in a keyspace of its own.

mod cells;
mod faults;
mod killed;
mod migrating;
mod speed;
mod tables;

use std::sync::Arc;

use async_trait::async_trait;
use domain::view;
use domain::view::order_view::SCHEMA;
use infra::event_store::ParkedRows;
use infra::view_store::{CassandraPlace, CassandraViewStore, ViewStore, migrate_keyspace};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;

use super::event_store::Parking;
use super::view_store::Views;
use crate::support::{cassandra_nodes, own_prefix};

const ORDER_VIEW: &str = include_str!("../../../schemas/cassandra/order_view.cql");
/// Tables that the clauses use beside the first of the view.
const OTHER_TABLES: [&str; 2] = ["order_view_g2", "order_view_g22"];

/// A keyspace that nobody else uses, dropped with it, and the store in it.
pub struct Cassandra {
    keyspace: Keyspace,
    views: CassandraViewStore,
}

impl Cassandra {
    /// None where there is no server.
    pub async fn start() -> Option<Self> {
        let keyspace = Keyspace::new()?;
        let place = &keyspace.place;
        migrate_keyspace(place, 1, &view::ALL).await.unwrap();
        let session = keyspace.session().await;
        session.use_keyspace(place.keyspace(), false).await.unwrap();
        for name in OTHER_TABLES {
            let table = ORDER_VIEW.replace(SCHEMA.name, name);
            session.query_unpaged(table, ()).await.unwrap();
        }
        let views = CassandraViewStore::new(place);
        Some(Self { keyspace, views })
    }
}

#[async_trait]
impl Views for Cassandra {
    fn views(&self) -> Arc<dyn ViewStore> {
        Arc::new(self.views.clone())
    }

    async fn restart(&mut self) {
        self.views = CassandraViewStore::new(&self.keyspace.place);
    }
}

impl Parking for Cassandra {
    fn parking(&self) -> Arc<dyn ParkedRows> {
        Arc::new(self.views.clone())
    }
}

/// A name on a server that nobody else uses.
struct Keyspace {
    nodes: String,
    place: CassandraPlace,
}

impl Keyspace {
    /// None where there is no server.
    fn new() -> Option<Self> {
        Some(Self::at(cassandra_nodes()?))
    }

    fn at(nodes: String) -> Self {
        let place = CassandraPlace::new(&nodes, &own_prefix()).unwrap();
        Self { nodes, place }
    }

    /// A session of somebody else.
    async fn session(&self) -> Session {
        session(&self.nodes).await
    }
}

async fn session(nodes: &str) -> Session {
    let nodes = nodes.split(',');
    SessionBuilder::new()
        .known_nodes(nodes)
        .build()
        .await
        .unwrap()
}

impl Drop for Keyspace {
    fn drop(&mut self) {
        let nodes = self.nodes.clone();
        let drop = format!("DROP KEYSPACE IF EXISTS {}", self.place.keyspace());
        // On a thread of its own, since this one may be running the test.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let session = session(&nodes).await;
                session.query_unpaged(drop, ()).await.unwrap();
            });
        });
        if dropped.join().is_err() && !std::thread::panicking() {
            panic!("the keyspace was not dropped");
        }
    }
}
