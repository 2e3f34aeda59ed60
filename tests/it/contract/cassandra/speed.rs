//! What the store costs beside the driver. Prints, and asserts no figure.

use std::time::Instant;

use domain::view::Value;
use futures::{StreamExt, stream};
use infra::ids;
use scylla::statement::batch::{Batch, BatchType};

use super::Cassandra;
use crate::contract::view_store::Views;
use crate::contract::view_store::given::*;

const ROWS: usize = 4_000;
/// As many as the store writes at a time.
const AT_A_TIME: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_written_as_the_driver_alone_would_write_them() {
    let Some(started) = Cassandra::start().await else {
        return;
    };
    let table = OrderViews::of(started.views()).await;
    for turn in 1..=2 {
        let rows: Vec<_> = (0..ROWS).map(|_| four_updates()).collect();
        let begun = Instant::now();
        table.apply(rows).await;
        let store = begun.elapsed();
        let driver = by_the_driver(&started).await;
        println!("turn {turn}: {ROWS} rows of 4 updates: store {store:?}, driver {driver:?}");
    }
}

fn four_updates() -> infra::view_store::RowPatch {
    let columns = ["order", "reservation", "payment", "delivery"];
    let versions = columns.iter().zip(1..).map(|(name, n)| {
        let version = format!("{name}_version");
        cell(&version, Value::Int(n), of_fact(n))
    });
    row(&key(), versions)
}

async fn by_the_driver(started: &Cassandra) -> std::time::Duration {
    let session = started.keyspace.session().await;
    let keyspace = started.keyspace.place.keyspace();
    let mut batch = Batch::new(BatchType::Unlogged);
    for name in ["order", "reservation", "payment", "delivery"] {
        let update = format!(
            "UPDATE {keyspace}.order_view USING TIMESTAMP ? SET {name}_version = ? WHERE order_id = ?"
        );
        batch.append_statement(session.prepare(update).await.unwrap());
    }
    let begun = Instant::now();
    stream::iter(0..ROWS)
        .for_each_concurrent(AT_A_TIME, |_| async {
            let id = ids::order().0;
            let values: Vec<_> = (1..=4i64).map(|n| (of_fact(n), n, id)).collect();
            session.batch(&batch, values).await.unwrap();
        })
        .await;
    begun.elapsed()
}
