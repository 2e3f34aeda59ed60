//! What outlives the process.

use domain::view::Value;

use super::Views;
use super::given::*;

pub async fn rows_and_their_stamps_are_there_after_a_restart(mut views: impl Views) {
    let keys: Vec<_> = (0..50).map(|_| key()).collect();
    let table = OrderViews::of(views.views()).await;
    for key in &keys {
        table
            .write(key, "order_status", text("B"), of_fact(2))
            .await;
        table
            .write(key, "order_version", Value::Int(2), of_fact(2))
            .await;
    }
    drop(table);

    views.restart().await;
    let table = OrderViews::of(views.views()).await;
    for key in &keys {
        table
            .write(key, "order_status", text("Z"), of_fact(1))
            .await;
        let written = [
            ("order_status", text("B")),
            ("order_version", Value::Int(2)),
        ];
        assert_eq!(table.get(key).await, read_as(written));
    }
}
