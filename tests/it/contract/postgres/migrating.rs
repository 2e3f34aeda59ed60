//! Making databases, and bringing them to this version.

use domain::Service;
use futures::future::join_all;
use infra::event_store::{
    InvalidPlace, Log, MigrateError, PostgresEventStore, PostgresPlace, StoreError, migrate,
};

use super::super::event_store::given::*;
use super::Databases;

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let Some(databases) = Databases::new() else {
        return;
    };
    let place = databases.place(Service::Order);
    let first = migrate(&databases.url, &place).await.unwrap();
    assert!(
        first.created && first.applied == ["0001_events"],
        "{first:?}"
    );
    let store = PostgresEventStore::new(&place);
    store.append(to(&stock("a"), 0, 3)).await.unwrap();
    for _ in 0..2 {
        let again = migrate(&databases.url, &place).await.unwrap();
        assert!(!again.created && again.applied.is_empty(), "{again:?}");
    }
    store.append(to(&stock("a"), 3, 1)).await.unwrap();
    assert_eq!(store.read_log(0, ALL).await.unwrap().len(), 4);
}

#[tokio::test]
async fn of_many_that_migrate_at_once_one_does_it() {
    let Some(databases) = Databases::new() else {
        return;
    };
    let place = databases.place(Service::Order);
    let done = join_all((0..4).map(|_| migrate(&databases.url, &place))).await;
    let done: Vec<_> = done.into_iter().map(Result::unwrap).collect();
    let applied: Vec<_> = done.iter().flat_map(|one| &one.applied).collect();
    assert_eq!(applied, [&"0001_events"], "{done:?}");
    assert_eq!(done.iter().filter(|one| one.created).count(), 1);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let Some(databases) = Databases::new() else {
        return;
    };
    let place = databases.place(Service::Order);
    databases.migrate(Service::Order).await;
    let mut on = databases.session(Service::Order, None).await;
    sqlx::raw_sql("INSERT INTO migrations (version, name) VALUES (99, '0099_later')")
        .execute(&mut on)
        .await
        .unwrap();
    let refused = migrate(&databases.url, &place).await.unwrap_err();
    let expected = MigrateError::Newer {
        database: place.database(),
        found: 99,
    };
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn a_database_that_is_not_there_or_not_migrated_is_told_by_readiness() {
    let Some(databases) = Databases::new() else {
        return;
    };
    let store = PostgresEventStore::new(&databases.place(Service::Order));
    let missing = store.ready().await.unwrap_err();
    assert!(matches!(missing, StoreError::Unavailable(_)), "{missing}");
    assert!(missing.to_string().contains("does not exist"), "{missing}");
    let refused = store.append(to(&stock("a"), 0, 1)).await.unwrap_err();
    assert!(refused.to_string().contains("does not exist"), "{refused}");

    databases.migrate(Service::Order).await;
    store.ready().await.unwrap();
    store.append(to(&stock("a"), 0, 1)).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_and_no_password_with_it() {
    let url = "postgres://somebody:hunter2@127.0.0.1:1/postgres";
    let place = PostgresPlace::new(url, "", Service::Order).unwrap();
    let failed = migrate(url, &place).await.unwrap_err();
    let store = PostgresEventStore::new(&place);
    let unavailable = store.read_log(0, 1).await.unwrap_err();
    assert!(unavailable.is_transient());
    let refused = store.append(to(&stock("a"), 0, 1)).await.unwrap_err();
    for told in [
        format!("{failed} {failed:?}"),
        format!("{unavailable:?} {refused:?} {place:?} {store:?}"),
    ] {
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn prefixes_and_urls_are_checked() {
    let place = |url, prefix| PostgresPlace::new(url, prefix, Service::Order);
    let url = "postgres://u:p@h:5432/postgres";
    for prefix in ["", "a", "team_1_", "abcdefghijklmnop"] {
        let place = place(url, prefix).unwrap();
        assert_eq!(place.database(), format!("{prefix}order_db"));
        assert_eq!(place.owner(), format!("{prefix}order_owner"));
        assert_eq!(place.run(), format!("{prefix}order_run"));
    }
    for prefix in ["1a", "_", "A", "a-b", "a\"", "abcdefghijklmnopq", "é"] {
        assert_eq!(
            place(url, prefix).unwrap_err(),
            InvalidPlace::Prefix,
            "{prefix}"
        );
    }
    for url in ["", "order_db", "http://h/x", "postgres://h:port/x"] {
        assert_eq!(place(url, "").unwrap_err(), InvalidPlace::Url, "{url}");
    }
}
