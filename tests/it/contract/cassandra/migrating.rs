//! Making the keyspace.

use domain::view::order_view::SCHEMA;
use domain::view::{self, orders_by_customer};
use infra::view_store::{CassandraViewStore, MigrateError, Table, ViewStore, migrate_keyspace};

use super::Keyspace;

fn table() -> Table {
    let name = SCHEMA.name.to_owned();
    Table { name }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keyspace_is_made_once_and_a_store_says_what_is_missing_until_it_is() {
    let Some(keyspace) = Keyspace::new() else {
        return;
    };
    let views = CassandraViewStore::new(&keyspace.place);
    for missing in [views.ready().await, views.create(&SCHEMA, &table()).await] {
        let said = missing.unwrap_err().to_string();
        assert!(said.contains("waybill migrate"), "{said}");
    }
    let first = migrate_keyspace(&keyspace.place, 1).await.unwrap();
    assert!(first.created);
    let tables = view::ALL.iter().map(|view| view.schema().name);
    let tables: Vec<_> = tables.chain(["parked"]).collect();
    assert_eq!(first.tables, tables);
    let second = migrate_keyspace(&keyspace.place, 1).await.unwrap();
    assert!(
        !second.created && second.tables.is_empty() && second.columns.is_empty(),
        "{second:?}"
    );
    views.ready().await.unwrap();
    views.create(&SCHEMA, &table()).await.unwrap();

    let session = keyspace.session().await;
    let drop = format!(
        "ALTER TABLE {}.order_view DROP items",
        keyspace.place.keyspace()
    );
    session.query_unpaged(drop, ()).await.unwrap();
    let lacking = views.create(&SCHEMA, &table()).await;
    let said = lacking.unwrap_err().to_string();
    assert!(
        said.contains("no column items") && said.contains("waybill migrate"),
        "{said}"
    );
    let third = migrate_keyspace(&keyspace.place, 1).await.unwrap();
    assert_eq!(third.columns, ["order_view.items"]);
    views.create(&SCHEMA, &table()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_at_once_all_succeed() {
    for _ in 0..3 {
        let Some(keyspace) = Keyspace::new() else {
            return;
        };
        let place = &keyspace.place;
        let many = [(); 6].map(|()| migrate_keyspace(place, 1));
        for migrated in futures::future::join_all(many).await {
            migrated.unwrap();
        }
        let views = CassandraViewStore::new(place);
        views.create(&SCHEMA, &table()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_cluster_cannot_keep_is_refused_and_nothing_is_made() {
    let Some(keyspace) = Keyspace::new() else {
        return;
    };
    let elsewhere = keyspace.place.clone().with_datacenter("dc9").unwrap();
    let refused = migrate_keyspace(&elsewhere, 1).await;
    assert!(
        matches!(refused, Err(MigrateError::Datacenter { .. })),
        "{refused:?}"
    );
    let refused = migrate_keyspace(&keyspace.place, 100).await;
    assert!(
        matches!(refused, Err(MigrateError::TooFewNodes { .. })),
        "{refused:?}"
    );
    let made = migrate_keyspace(&keyspace.place, 1).await.unwrap();
    assert!(made.created);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_whose_rows_are_in_another_order_is_not_ours() {
    let Some(keyspace) = Keyspace::new() else {
        return;
    };
    migrate_keyspace(&keyspace.place, 1).await.unwrap();
    let (schema, name) = (&orders_by_customer::SCHEMA, "orders_by_customer");
    let session = keyspace.session().await;
    let place = keyspace.place.keyspace();
    session
        .query_unpaged(format!("DROP TABLE {place}.{name}"), ())
        .await
        .unwrap();
    let file = include_str!("../../../../schemas/cassandra/orders_by_customer.cql");
    let turned = file
        .replace(&format!("EXISTS {name}"), &format!("EXISTS {place}.{name}"))
        .replace("order_id DESC", "order_id ASC");
    session.query_unpaged(turned, ()).await.unwrap();

    let refused = migrate_keyspace(&keyspace.place, 1).await;
    let other = matches!(&refused, Err(MigrateError::OtherTable { table, .. }) if table == name);
    assert!(other, "{refused:?}");
    let views = CassandraViewStore::new(&keyspace.place);
    let table = Table {
        name: name.to_owned(),
    };
    let refused = views.create(schema, &table).await.unwrap_err().to_string();
    assert!(refused.contains("another order"), "{refused}");
}
