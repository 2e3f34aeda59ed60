//! Damage that only who writes CQL can do: deletions, and what is no row of the view.

use domain::View;
use domain::values::OrderId;
use domain::view::Value;
use domain::view::order_view::OrderView;
use infra::clock;
use projectors::verify::{Kind, SETTLE, Verification, Verified, Which};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use waybill::adapters::Adapters;

use super::{rebuilt, some_orders, verified};
use crate::support::Place;

async fn session(place: &Place) -> (Session, String) {
    let servers = place.servers();
    let nodes = servers.cassandra.nodes.split(',');
    let session = SessionBuilder::new().known_nodes(nodes).build().await;
    let table = format!("{}.order_view", servers.views().unwrap().keyspace());
    (session.unwrap(), table)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_is_missing_and_mended_or_frozen() {
    let Some(place) = Place::migrated(&["payment_delay_ms=0", "courier=none"]).await else {
        return;
    };
    let (client, roles) = place.start_all().await;
    let orders = some_orders(&client, 8).await;
    let adapters = Adapters::open(&place.config()).unwrap();
    let views = adapters.kept_views();
    let [cell, row, clocked_cell, clocked_row, rubbish, ..] = &orders[..] else {
        panic!("too few orders")
    };
    for id in &orders {
        let seen = |order: &serde_json::Value| order["versions"]["order"].as_u64() >= Some(1);
        client.order_until(id, seen).await;
    }
    let first = verified(views, &OrderView, false).await;
    assert!(first.outcome.is_right(), "{first:#?}");
    let (session, table) = session(&place).await;
    let now = clock::now().as_micros();
    for cql in [
        // With the stamp of the fact itself, as a projection with a fault might.
        format!("DELETE customer_id FROM {table} USING TIMESTAMP 1030 WHERE order_id = {cell}"),
        format!("DELETE FROM {table} USING TIMESTAMP 1500 WHERE order_id = {row}"),
        format!(
            "DELETE currency FROM {table} USING TIMESTAMP {now} WHERE order_id = {clocked_cell}"
        ),
        format!("DELETE FROM {table} USING TIMESTAMP {now} WHERE order_id = {clocked_row}"),
        format!(
            "UPDATE {table} USING TIMESTAMP 1030 SET items = 'no JSON' WHERE order_id = {rubbish}"
        ),
    ] {
        session.query_unpaged(cql, ()).await.unwrap();
    }

    let found = verified(views, &OrderView, false).await;
    let kind_of = |verified: &Verified, id: &str| {
        let mut finds = verified.outcome.finds.iter();
        finds
            .find(|find| find.order.as_deref() == Some(id))
            .map(|find| find.kind)
    };
    assert_eq!(kind_of(&found, cell), Some(Kind::Different));
    assert_eq!(kind_of(&found, clocked_cell), Some(Kind::Different));
    assert_eq!(kind_of(&found, clocked_row), Some(Kind::Missing));
    assert_eq!(kind_of(&found, rubbish), Some(Kind::Unreadable));
    assert!(kind_of(&found, row).is_some(), "{found:#?}");
    assert_eq!(found.outcome.wrong(), 5, "{found:#?}");

    let mended = verified(views, &OrderView, true).await;
    assert_eq!(mended.repaired, 2, "{mended:#?}");
    let left = verified(views, &OrderView, false).await;
    for (id, mended) in [
        (cell, true),
        (row, true),
        (clocked_cell, false),
        (clocked_row, false),
    ] {
        assert_eq!(kind_of(&left, id).is_none(), mended, "{left:#?}");
    }
    // One order by itself is told alike.
    let order: OrderId = clocked_row.parse().unwrap();
    let (told, _) = watch::channel(Verified::default());
    let one = Verification {
        views: views.clone(),
        view: &OrderView,
        which: Which::Order(order),
        repair: true,
        rate: None,
        again: false,
        settle: SETTLE,
    };
    let one = one.run(&told, &CancellationToken::new()).await.unwrap();
    assert_eq!(kind_of(&one, clocked_row), Some(Kind::Frozen), "{one:#?}");

    let report = rebuilt(views, &OrderView).await.unwrap();
    assert!(report.switched && report.rebuilt.is_right(), "{report:#?}");
    assert_eq!(report.live.wrong(), 3, "{report:#?}");
    let last = verified(views, &OrderView, false).await;
    assert!(last.outcome.is_right(), "{last:#?}");
    let table = views
        .live(&OrderView)
        .await
        .unwrap()
        .table(OrderView.schema());
    let key = [Value::Uuid(order.0)];
    let schema = OrderView.schema();
    assert!(
        views
            .store
            .get(schema, &table, &key)
            .await
            .unwrap()
            .is_some()
    );
    for role in roles {
        role.terminate().await;
    }
}
