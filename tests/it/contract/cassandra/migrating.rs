//! Making the keyspace.

use domain::view::order_view::SCHEMA;
use domain::view::{self, orders_by_customer};
use infra::view_store::{
    CassandraViewStore, Generation, Generations, MigrateError, State, Table, ViewStore,
    migrate_keyspace,
};

use super::Keyspace;
use crate::contract::view_store::given::second;

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
    let first = migrate_keyspace(&keyspace.place, 1, &view::ALL)
        .await
        .unwrap();
    assert!(first.created);
    let tables = view::ALL.iter().map(|view| view.schema().name);
    let tables: Vec<_> = tables.chain(["parked", "view_generations"]).collect();
    assert_eq!(first.tables, tables);
    let second = migrate_keyspace(&keyspace.place, 1, &view::ALL)
        .await
        .unwrap();
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
    let third = migrate_keyspace(&keyspace.place, 1, &view::ALL)
        .await
        .unwrap();
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
        let many = [(); 6].map(|()| migrate_keyspace(place, 1, &view::ALL));
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
    let refused = migrate_keyspace(&elsewhere, 1, &view::ALL).await;
    assert!(
        matches!(refused, Err(MigrateError::Datacenter { .. })),
        "{refused:?}"
    );
    let refused = migrate_keyspace(&keyspace.place, 100, &view::ALL).await;
    assert!(
        matches!(refused, Err(MigrateError::TooFewNodes { .. })),
        "{refused:?}"
    );
    let made = migrate_keyspace(&keyspace.place, 1, &view::ALL)
        .await
        .unwrap();
    assert!(made.created);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_whose_rows_are_in_another_order_is_not_ours() {
    let Some(keyspace) = Keyspace::new() else {
        return;
    };
    migrate_keyspace(&keyspace.place, 1, &view::ALL)
        .await
        .unwrap();
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

    let refused = migrate_keyspace(&keyspace.place, 1, &view::ALL).await;
    let other = matches!(&refused, Err(MigrateError::OtherTable { table, .. }) if table == name);
    assert!(other, "{refused:?}");
    let views = CassandraViewStore::new(&keyspace.place);
    let table = Table {
        name: name.to_owned(),
    };
    let refused = views.create(schema, &table).await.unwrap_err().to_string();
    assert!(refused.contains("another order"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_column_is_added_to_the_tables_of_all_generations() {
    let Some(keyspace) = Keyspace::new() else {
        return;
    };
    let place = &keyspace.place;
    migrate_keyspace(place, 1, &view::ALL).await.unwrap();
    let views = CassandraViewStore::new(place);
    let states = [
        State::Dropped,
        State::Live,
        State::Building,
        State::Building,
    ];
    let all = (1..).zip(states).map(|(number, state)| Generation {
        number,
        revision: SCHEMA.revision,
        state,
        since: second(1),
    });
    let generations = Generations {
        all: all.collect(),
        ..Generations::first(&SCHEMA, second(1))
    };
    let said = views.replace_generations(SCHEMA.name, &generations).await;
    assert!(said.unwrap());
    let session = keyspace.session().await;
    let tables = generations.all.iter().map(|g| g.table(&SCHEMA));
    let tables: Vec<_> = tables.collect();
    // The last is about to be made by who builds it.
    views.remove(&tables[0]).await.unwrap();
    for table in &tables[1..3] {
        views.make(&SCHEMA, table).await.unwrap();
        let drop = format!("ALTER TABLE {}.{} DROP items", place.keyspace(), table.name);
        session.query_unpaged(drop, ()).await.unwrap();
        views.create(&SCHEMA, table).await.unwrap_err();
    }

    let done = migrate_keyspace(place, 1, &view::ALL).await.unwrap();
    assert_eq!(done.columns, ["order_view_g2.items", "order_view_g3.items"]);
    assert_eq!(done.tables, [""; 0]);
    for table in &tables[1..3] {
        views.create(&SCHEMA, table).await.unwrap();
    }
    for absent in [&tables[0], &tables[3]] {
        views.create(&SCHEMA, absent).await.unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keyspace_of_an_earlier_version_is_not_ready_until_it_is_migrated() {
    let Some(keyspace) = Keyspace::new() else {
        return;
    };
    migrate_keyspace(&keyspace.place, 1, &view::ALL)
        .await
        .unwrap();
    let session = keyspace.session().await;
    let drop = format!("DROP TABLE {}.view_generations", keyspace.place.keyspace());
    session.query_unpaged(drop, ()).await.unwrap();
    let views = CassandraViewStore::new(&keyspace.place);
    let said = views
        .generations(SCHEMA.name)
        .await
        .unwrap_err()
        .to_string();
    assert!(said.contains("waybill migrate"), "{said}");
    views.ready().await.unwrap_err();
    let done = migrate_keyspace(&keyspace.place, 1, &view::ALL)
        .await
        .unwrap();
    assert_eq!(done.tables, ["view_generations"]);
    views.ready().await.unwrap();
    assert_eq!(views.generations(SCHEMA.name).await.unwrap(), None);
}
