//! Tables that another process makes and removes.

use std::sync::Arc;

use domain::view::Value;
use domain::view::order_view::SCHEMA;
use infra::view_store::{CassandraViewStore, ViewStore};

use super::Cassandra;
use crate::contract::view_store::given::*;
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_goes_on_with_a_table_that_another_process_has_made_anew() {
    let Some(started) = Cassandra::start().await else {
        return;
    };
    let another: Arc<dyn ViewStore> = Arc::new(CassandraViewStore::new(&started.keyspace.place));
    let ours: Arc<dyn ViewStore> = Arc::new(started.views.clone());
    let table = infra::view_store::Table {
        name: "order_view_g9".to_owned(),
    };
    let key = key();
    let write = async || {
        let first = [cell("currency", text("EUR"), of_fact(1))];
        // As an update of its own and as a batch.
        let both = [
            cell("order_status", text("A"), of_fact(2)),
            cell("order_version", Value::Int(1), of_fact(1)),
        ];
        ours.apply(&SCHEMA, &table, vec![row(&key, first)]).await?;
        ours.apply(&SCHEMA, &table, vec![row(&key, both)]).await
    };
    for _ in 0..3 {
        another.make(&SCHEMA, &table).await.unwrap();
        assert_eq!(ours.get(&SCHEMA, &table, &key).await.unwrap(), None);
        assert_eq!(ours.stamped(&SCHEMA, &table, &key).await.unwrap(), []);
        write().await.unwrap();
        let cells = ours.get(&SCHEMA, &table, &key).await.unwrap();
        let read = [
            ("currency", text("EUR")),
            ("order_status", text("A")),
            ("order_version", Value::Int(1)),
        ];
        assert_eq!(cells, read_as(read));
        let scanned = ours.scan(&SCHEMA, &table, None).await.unwrap().0;
        assert_eq!(scanned.len(), 1);
        another.remove(&table).await.unwrap();
        // Nothing is taken for written that is not, as soon as the node knows.
        let said = eventually(write, Result::is_err).await.unwrap_err();
        assert!(said.to_string().contains("unavailable"), "{said}");
        ours.get(&SCHEMA, &table, &key).await.unwrap_err();
    }
}
