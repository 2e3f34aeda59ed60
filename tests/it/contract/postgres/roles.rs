//! Facts are final: by grant for whoever runs, by trigger for everybody.

use domain::Service;
use sqlx::Connection;

use super::super::event_store::given::*;
use super::Postgres;

const CHANGES: [&str; 5] = [
    "UPDATE events SET payload = '{}'",
    "UPDATE events SET payload = '{}' WHERE false",
    "DELETE FROM events",
    "TRUNCATE events",
    "TRUNCATE events CASCADE",
];

#[tokio::test]
async fn facts_cannot_be_changed_by_those_who_run_nor_by_those_who_own() {
    let Some(stores) = Postgres::start().await else {
        return;
    };
    let store = stores.payment();
    store.append(to(&stream(), 0, 3)).await.unwrap();
    let before = store.read_log(0, ALL).await.unwrap();
    let place = stores.databases.place(Service::Payment);
    let (run, owner) = (place.run(), place.owner());
    for (role, why) in [
        (Some(&*run), "permission denied for table events"),
        (Some(&*owner), "facts are final"),
        (None, "facts are final"),
    ] {
        let mut on = stores.databases.session(Service::Payment, role).await;
        for change in CHANGES {
            let refused = sqlx::raw_sql(change).execute(&mut on).await.unwrap_err();
            let refused = refused.as_database_error().unwrap();
            assert_eq!(
                refused.code().as_deref(),
                Some("42501"),
                "{change}: {refused}"
            );
            assert!(refused.message().starts_with(why), "{change}: {refused}");
        }
        on.close().await.unwrap();
    }
    assert_eq!(store.read_log(0, ALL).await.unwrap(), before);
}

#[tokio::test]
async fn those_who_run_may_neither_make_nor_remove_tables_nor_switch_triggers_off() {
    let Some(stores) = Postgres::start().await else {
        return;
    };
    let run = stores.databases.place(Service::Payment).run();
    let mut on = stores.databases.session(Service::Payment, Some(&run)).await;
    for change in [
        "CREATE TABLE mine ()",
        "DROP TABLE events",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "DELETE FROM migrations",
        "INSERT INTO migrations (version, name) VALUES (9, 'x')",
        "SELECT setval('events_position_seq', 1)",
    ] {
        let refused = sqlx::raw_sql(change).execute(&mut on).await.unwrap_err();
        let refused = refused.as_database_error().unwrap();
        assert_eq!(
            refused.code().as_deref(),
            Some("42501"),
            "{change}: {refused}"
        );
    }
}
