//! A cluster that is not there.

use std::time::{Duration, Instant};

use domain::view::order_view::SCHEMA;
use infra::view_store::{CassandraPlace, CassandraViewStore, Table, ViewError, ViewStore};

use crate::contract::view_store::given::key;

/// What a call may take: its own bound of 5 s, and a busy machine.
const BOUND: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_without_a_cluster_fail_within_their_bound() {
    // One that is down, and one that takes connections and says nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap().to_string();
    for nodes in ["127.0.0.1:1", &silent] {
        let place = CassandraPlace::new(nodes, "t_").unwrap();
        let views = CassandraViewStore::new(&place);
        let name = SCHEMA.name.to_owned();
        let begun = Instant::now();
        let read = views.get(&SCHEMA, &Table { name }, &key()).await;
        assert!(matches!(read, Err(ViewError::Unavailable(_))), "{read:?}");
        assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    }
}
