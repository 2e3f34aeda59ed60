//! Tables that come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::view::Value;
use domain::view::order_view::SCHEMA;
use infra::view_store::{Table, ViewStore};
use tokio::task::JoinSet;

use super::Views;
use super::given::*;

/// A table beside the first.
fn second() -> Table {
    let name = "order_view_g7".to_owned();
    Table { name }
}

/// Makes the second table.
async fn made(views: &Arc<dyn ViewStore>) -> OrderViews {
    views.make(&SCHEMA, &second()).await.unwrap();
    OrderViews::named(views.clone(), &second().name).await
}

pub async fn a_table_that_is_made_again_after_its_removal_is_empty(views: impl Views) {
    let views = views.views();
    let key = key();
    for turn in 0..3 {
        let table = made(&views).await;
        assert_eq!(table.get(&key).await, None, "turn {turn}");
        // Below the stamp of the turn before, of which nothing may be left.
        table
            .write(&key, "currency", text("EUR"), of_fact(9 - turn))
            .await;
        assert_eq!(table.read(&key, "currency").await, Some(text("EUR")));
        let scanned = views.scan(&SCHEMA, &second(), None).await.unwrap().0;
        assert_eq!(scanned.len(), 1);
        views.remove(&second()).await.unwrap();
    }
}

pub async fn a_table_is_made_and_removed_twice_as_once(views: impl Views) {
    let views = views.views();
    views.remove(&second()).await.unwrap();
    let key = key();
    let table = made(&views).await;
    table.write(&key, "currency", text("EUR"), of_fact(1)).await;
    let table = made(&views).await;
    assert_eq!(table.read(&key, "currency").await, Some(text("EUR")));
    views.remove(&second()).await.unwrap();
    views.remove(&second()).await.unwrap();
    assert_eq!(made(&views).await.get(&key).await, None);
}

pub async fn removing_a_table_leaves_others_alone(views: impl Views) {
    let views = views.views();
    let first = OrderViews::of(views.clone()).await;
    let key = key();
    let second_table = made(&views).await;
    for table in [&first, &second_table] {
        table.write(&key, "currency", text("EUR"), of_fact(1)).await;
    }
    views.remove(&second()).await.unwrap();
    assert_eq!(first.read(&key, "currency").await, Some(text("EUR")));
    first
        .write(&key, "order_version", Value::Int(2), of_fact(2))
        .await;
    assert_eq!(first.read(&key, "order_version").await, Some(Value::Int(2)));
}

pub async fn who_uses_a_table_while_it_is_removed_is_told_or_sees_nothing(views: impl Views) {
    let views = views.views();
    let table = made(&views).await;
    let keys: Vec<_> = (0..300).map(|_| key()).collect();
    let status = |key: &Vec<Value>| row(key, [cell("order_status", text("A"), of_fact(1))]);
    table.apply(keys.iter().map(status).collect()).await;
    let removed = Arc::new(AtomicBool::new(false));
    let mut users = JoinSet::new();
    for n in 0..6 {
        let (views, keys, removed) = (views.clone(), keys.clone(), removed.clone());
        users.spawn(async move {
            loop {
                let last = removed.load(Ordering::Acquire);
                let key = &keys[n];
                let seen = match n % 3 {
                    0 => views
                        .get(&SCHEMA, &second(), key)
                        .await
                        .map(|row| row.is_some()),
                    1 => {
                        let scanned = views.scan(&SCHEMA, &second(), None).await;
                        scanned.map(|(rows, _)| !rows.is_empty())
                    }
                    _ => {
                        let written = views.apply(&SCHEMA, &second(), vec![status(key)]).await;
                        written.map(|()| true)
                    }
                };
                if last {
                    return seen;
                }
            }
        });
    }
    views.remove(&second()).await.unwrap();
    removed.store(true, Ordering::Release);
    for seen in users.join_all().await {
        assert!(!matches!(seen, Ok(true)), "{seen:?}");
    }
    assert_eq!(made(&views).await.get(&keys[0]).await, None);
}
