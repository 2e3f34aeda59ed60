//! Cells as the cluster keeps them.

use domain::view::Value;
use domain::view::order_view::SCHEMA;
use scylla::value::Row;

use super::Cassandra;
use crate::contract::view_store::Views;
use crate::contract::view_store::given::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cell_has_the_stamp_of_its_fact_and_what_was_not_written_has_none() {
    let Some(started) = Cassandra::start().await else {
        return;
    };
    let table = OrderViews::of(started.views()).await;
    let key = key();
    let cells = [
        cell("order_status", text("CREATED"), of_fact(1)),
        cell("order_version", Value::Int(2), of_fact(2)),
        cell("payment_status", text("REQUESTED"), of_fact(7) + 3),
    ];
    table.apply(vec![row(&key, cells)]).await;

    let session = started.keyspace.session().await;
    let names = SCHEMA.columns.iter();
    let names: Vec<_> = names
        .map(|c| format!("WRITETIME({0}), TTL({0})", c.name))
        .collect();
    let (keyspace, names) = (started.keyspace.place.keyspace(), names.join(", "));
    let select = format!("SELECT {names} FROM {keyspace}.order_view");
    let rows = session.query_unpaged(select, ()).await.unwrap();
    let found: Row = rows.into_rows_result().unwrap().single_row().unwrap();
    for (n, column) in SCHEMA.columns.iter().enumerate() {
        let stamp = match column.name {
            "order_status" => Some(1024),
            "order_version" => Some(2048),
            "payment_status" => Some(7 * 1024 + 3),
            _ => None,
        };
        let written = found.columns[2 * n]
            .as_ref()
            .and_then(|cell| cell.as_bigint());
        assert_eq!(written, stamp, "{}", column.name);
        assert_eq!(found.columns[2 * n + 1], None, "{} has a life", column.name);
    }
}

/// A null would be a tombstone with a stamp of its own, which hides a lower one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_cell_is_not_hidden_by_later_writes_of_other_cells() {
    let Some(started) = Cassandra::start().await else {
        return;
    };
    let table = OrderViews::of(started.views()).await;
    let key = key();
    table
        .write(&key, "order_status", text("COMPLETED"), of_fact(9))
        .await;
    for column in ["customer_id", "currency", "cancel_reason"] {
        table.write(&key, column, text("late"), 1).await;
        assert_eq!(table.read(&key, column).await, Some(text("late")));
    }
}

/// One UPDATE cannot set a column twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_cells_with_one_stamp_in_one_row_the_larger_value_stays() {
    let Some(started) = Cassandra::start().await else {
        return;
    };
    let table = OrderViews::of(started.views()).await;
    for order in [["A", "B"], ["B", "A"]] {
        let key = key();
        let twice = order.map(|value| cell("order_status", text(value), of_fact(1)));
        let beside = cell("order_version", Value::Int(1), of_fact(1));
        table
            .apply(vec![row(&key, twice.into_iter().chain([beside]))])
            .await;
        assert_eq!(table.read(&key, "order_status").await, Some(text("B")));
        assert_eq!(table.read(&key, "order_version").await, Some(Value::Int(1)));
    }
}
