//! What outlives the process.

use domain::view::Value;
use domain::view::order_view::SCHEMA;
use infra::view_store::{Generations, Table};

use super::Views;
use super::generations::full;
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

pub async fn generations_are_there_after_a_restart(mut views: impl Views) {
    for version in 0..3 {
        let said = Generations { version, ..full() };
        let replaced = views.views().replace_generations(SCHEMA.name, &said).await;
        assert!(replaced.unwrap());
        views.restart().await;
        let read = views.views().generations(SCHEMA.name).await.unwrap();
        let version = version + 1;
        assert_eq!(read, Some(Generations { version, ..said }));
    }
}

pub async fn a_table_made_anew_keeps_its_rows_and_a_removed_one_stays_removed_over_restarts(
    mut views: impl Views,
) {
    let name = |n: usize| format!("order_view_g{n}");
    let table = |n| Table { name: name(n) };
    let key = key();
    for n in 30..36 {
        // A name of its own, and one that is used again and again.
        for n in [n, 40] {
            views.views().make(&SCHEMA, &table(n)).await.unwrap();
            let made = OrderViews::named(views.views(), &name(n)).await;
            assert_eq!(made.get(&key).await, None);
            made.write(&key, "currency", text("EUR"), of_fact(1)).await;
        }
        views.restart().await;
        for n in [n, 40] {
            let made = OrderViews::named(views.views(), &name(n)).await;
            assert_eq!(made.read(&key, "currency").await, Some(text("EUR")));
            drop(made);
            views.views().remove(&table(n)).await.unwrap();
        }
        views.restart().await;
        let gone = views.views().get(&SCHEMA, &table(n), &key).await;
        assert!(!matches!(gone, Ok(Some(_))), "{gone:?}");
    }
}

pub async fn a_table_made_after_one_without_rows_was_removed_is_there_after_a_restart(
    mut views: impl Views,
) {
    let name = "order_view_g2".to_owned();
    let table = Table { name };
    let key = key();
    views.views().remove(&table).await.unwrap();
    for empty in 0..4 {
        for _ in 0..empty {
            views.views().make(&SCHEMA, &table).await.unwrap();
            views.views().remove(&table).await.unwrap();
        }
        views.restart().await;
        views.views().make(&SCHEMA, &table).await.unwrap();
        let made = OrderViews::named(views.views(), &table.name).await;
        made.write(&key, "currency", text("EUR"), of_fact(1)).await;
        drop(made);
        views.restart().await;
        let there = OrderViews::named(views.views(), &table.name).await;
        assert_eq!(there.read(&key, "currency").await, Some(text("EUR")));
        drop(there);
        views.views().remove(&table).await.unwrap();
    }
}
