//! Rows: what is written is what is read.

use std::sync::Arc;

use domain::values::{Item, MAX_AMOUNT};
use domain::view::Value;
use infra::ids;

use super::Views;
use super::given::*;
use crate::support::eventually;

pub async fn a_row_that_nobody_wrote_is_none(views: impl Views) {
    let table = OrderViews::of(views.views()).await;
    assert_eq!(table.get(&key()).await, None);
    table
        .write(&key(), "currency", text("EUR"), of_fact(1))
        .await;
    assert_eq!(table.get(&key()).await, None);
}

pub async fn a_row_has_the_cells_that_were_written_and_no_others(views: impl Views) {
    let table = OrderViews::of(views.views()).await;
    let key = key();
    table
        .write(&key, "payment_status", text("REQUESTED"), of_fact(1))
        .await;
    let written = read_as([("payment_status", text("REQUESTED"))]);
    assert_eq!(table.get(&key).await, written);

    let cells = [
        cell("customer_id", text("customer-7"), of_fact(1)),
        cell("delivery_version", Value::Int(3), of_fact(3)),
    ];
    table.apply(vec![row(&key, cells)]).await;
    let written = read_as([
        ("payment_status", text("REQUESTED")),
        ("delivery_version", Value::Int(3)),
        ("customer_id", text("customer-7")),
    ]);
    assert_eq!(table.get(&key).await, written);
}

pub async fn a_row_without_cells_is_none(views: impl Views) {
    let table = OrderViews::of(views.views()).await;
    let (bare, key) = (key(), key());
    table.apply(vec![]).await;
    let written = row(&key, [cell("currency", text("EUR"), of_fact(1))]);
    table
        .apply(vec![row(&bare, []), written, row(&key, [])])
        .await;
    assert_eq!(table.get(&bare).await, None);
    assert_eq!(table.get(&key).await, read_as([("currency", text("EUR"))]));
}

pub async fn every_kind_of_value_is_read_as_it_was_written(views: impl Views) {
    let table = OrderViews::of(views.views()).await;
    let item = |sku: &str, quantity: u64, unit_price: u64| Item {
        sku: sku.parse().unwrap(),
        quantity: quantity.try_into().unwrap(),
        unit_price: unit_price.try_into().unwrap(),
    };
    let hundred = (0..100).map(|n| item(&format!("{n}{}", "x".repeat(60)), 1_000_000, n + 1));
    for (name, value) in [
        ("customer_id", text("")),
        ("customer_id", text("é \" ' \\ \n \u{10FFFF} \0")),
        ("customer_id", text(&"long ".repeat(10_000))),
        ("total_amount", Value::Int(0)),
        ("total_amount", Value::Int(MAX_AMOUNT as i64)),
        ("total_amount", Value::Int(i64::MAX)),
        ("total_amount", Value::Int(-1)),
        ("total_amount", Value::Int(i64::MIN)),
        ("payment_id", Value::Uuid(ids::unique())),
        ("payment_id", Value::Uuid(uuid::Uuid::nil())),
        ("payment_id", Value::Uuid(uuid::Uuid::max())),
        ("created_at", micros(0)),
        ("created_at", micros(1_767_225_600_123_000)),
        ("created_at", micros(-1_000)),
        ("items", Value::Items(vec![])),
        (
            "items",
            Value::Items(vec![item("b", 2, MAX_AMOUNT), item("a", 1, 1)]),
        ),
        ("items", Value::Items(hundred.collect())),
    ] {
        let key = key();
        table.write(&key, name, value.clone(), of_fact(1)).await;
        assert_eq!(table.get(&key).await, read_as([(name, value)]));
    }
}

pub async fn a_time_is_kept_to_the_microsecond(views: impl Views) {
    let table = OrderViews::of(views.views()).await;
    let (key, time) = (key(), micros(1_767_225_600_123_457));
    table
        .write(&key, "created_at", time.clone(), of_fact(1))
        .await;
    assert_eq!(table.read(&key, "created_at").await, Some(time));
}

pub async fn many_rows_are_written_at_once(views: impl Views) {
    let table = OrderViews::of(views.views()).await;
    let keys: Vec<_> = (0..700).map(|_| key()).collect();
    let value = |n: usize| Value::Int(n as i64);
    let rows = keys.iter().enumerate().map(|(n, key)| {
        let status = cell("order_status", text("CREATED"), of_fact(1));
        row(key, [status, cell("total_amount", value(n), of_fact(1))])
    });
    table.apply(rows.collect()).await;
    for (n, key) in keys.iter().enumerate() {
        let written = [
            ("order_status", text("CREATED")),
            ("total_amount", value(n)),
        ];
        assert_eq!(table.get(key).await, read_as(written), "row {n}");
    }
}

pub async fn what_was_applied_is_seen_at_once(views: impl Views) {
    let (one, other) = (views.views(), views.views());
    let (one, other) = (OrderViews::of(one).await, OrderViews::of(other).await);
    let key = key();
    for n in 1..200 {
        let (writer, reader) = if n % 2 == 0 {
            (&one, &other)
        } else {
            (&other, &one)
        };
        writer
            .write(&key, "order_version", Value::Int(n), of_fact(n))
            .await;
        assert_eq!(
            reader.read(&key, "order_version").await,
            Some(Value::Int(n))
        );
    }
}

pub async fn tables_of_two_names_are_two(views: impl Views) {
    let names = ["order_view", "order_view_g2", "order_view_g22"];
    let mut tables = vec![];
    for name in names {
        tables.push(OrderViews::named(views.views(), name).await);
    }
    let key = key();
    for (n, name) in names.into_iter().enumerate() {
        for table in &tables[n..] {
            assert_eq!(table.get(&key).await, None);
        }
        tables[n]
            .write(&key, "currency", text(name), of_fact(9 - n as i64))
            .await;
    }
    for (table, name) in tables.iter().zip(names) {
        assert_eq!(table.read(&key, "currency").await, Some(text(name)));
    }
}

pub async fn making_a_table_again_keeps_its_rows(views: impl Views) {
    let key = key();
    let first = OrderViews::of(views.views()).await;
    first.write(&key, "currency", text("EUR"), of_fact(1)).await;
    let again = OrderViews::of(views.views()).await;
    assert_eq!(again.get(&key).await, read_as([("currency", text("EUR"))]));
}

pub async fn changes_wake_whoever_waits_for_a_row(views: impl Views) {
    let views = views.views();
    let table = OrderViews::of(Arc::clone(&views)).await;
    let mut changes = views.changes();
    for n in 1..4 {
        changes.mark_unchanged();
        table
            .write(&key(), "order_version", Value::Int(n), of_fact(n))
            .await;
        eventually(
            || async { changes.has_changed().unwrap() },
            |changed| *changed,
        )
        .await;
    }
}
