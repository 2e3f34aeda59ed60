//! Stamps: whatever the order of the writes, the row is the same.

use std::collections::BTreeMap;

use domain::view::order_view::SCHEMA;
use domain::view::{Kind, Value};
use infra::ids;
use infra::view_store::StampedCell;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Views;
use super::given::*;

pub async fn a_cell_gives_way_to_a_higher_stamp_only(views: impl Views) {
    let table = OrderViews::of(views.views()).await;
    let key = key();
    for (stamp, value, stays) in [
        (of_fact(2), "two", "two"),
        (of_fact(1), "one", "two"),
        (of_fact(2) - 1, "zz", "two"),
        (of_fact(2) + 1, "repaired", "repaired"),
        (of_fact(2), "two", "repaired"),
        (of_fact(3), "a", "a"),
        (of_fact(3) - 1, "zz", "a"),
        (of_fact(1_000_000_000), "far", "far"),
        (of_fact(999_999_999), "zz", "far"),
    ] {
        table.write(&key, "order_status", text(value), stamp).await;
        let read = table.read(&key, "order_status").await;
        assert_eq!(read, Some(text(stays)), "after {value} with {stamp}");
    }
}

pub async fn of_two_cells_with_one_stamp_the_larger_value_stays(views: impl Views) {
    let table = OrderViews::of(views.views()).await;
    let uuid = |n| Value::Uuid(Uuid::from_u128(n));
    for (name, smaller, larger) in [
        ("order_status", text("CREATED"), text("created")),
        ("order_status", text("AB"), text("B")),
        ("order_status", text("A"), text("AA")),
        ("order_status", text("z"), text("é")),
        ("total_amount", Value::Int(2), Value::Int(10)),
        ("total_amount", Value::Int(255), Value::Int(256)),
        ("created_at", micros(255_000), micros(256_000)),
        ("payment_id", uuid(2), uuid(10)),
        ("payment_id", uuid(255), uuid(256)),
    ] {
        let both = [&smaller, &larger];
        for order in [[0, 1, 0], [1, 0, 1], [1, 1, 0]] {
            let key = key();
            for n in order {
                table.write(&key, name, both[n].clone(), of_fact(1)).await;
            }
            let read = table.read(&key, name).await;
            assert_eq!(
                read.as_ref(),
                Some(&larger),
                "{smaller:?} and it, as {order:?}"
            );
        }
    }
}

pub async fn cells_of_a_row_have_stamps_of_their_own(views: impl Views) {
    let table = OrderViews::of(views.views()).await;
    let key = key();
    let two = |status: &str, status_at, amount, amount_at| {
        let status = cell("order_status", text(status), of_fact(status_at));
        row(
            &key,
            [
                status,
                cell("total_amount", Value::Int(amount), of_fact(amount_at)),
            ],
        )
    };
    table.apply(vec![two("A", 5, 100, 1)]).await;
    table.apply(vec![two("Z", 4, 50, 2)]).await;
    let written = [
        ("order_status", text("A")),
        ("total_amount", Value::Int(50)),
    ];
    assert_eq!(table.get(&key).await, read_as(written));
}

pub async fn a_row_that_is_given_twice_at_once_is_merged(views: impl Views) {
    let table = OrderViews::of(views.views()).await;
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let (key, beside) = (key(), key());
        let rows = [
            row(&key, [cell("order_status", text("Z"), of_fact(1))]),
            row(&key, [cell("order_status", text("A"), of_fact(3))]),
            row(&key, [cell("order_version", Value::Int(2), of_fact(2))]),
            row(&beside, [cell("currency", text("EUR"), of_fact(1))]),
        ];
        table.apply(order.map(|n| rows[n].clone()).to_vec()).await;
        let written = [
            ("order_status", text("A")),
            ("order_version", Value::Int(2)),
        ];
        assert_eq!(table.get(&key).await, read_as(written), "as {order:?}");
        assert_eq!(
            table.get(&beside).await,
            read_as([("currency", text("EUR"))])
        );
    }
}

pub async fn writes_at_once_lose_no_cell(views: impl Views) {
    let table = OrderViews::of(views.views()).await;
    let keys = [key(), key()];
    let last = 20;
    let mut writing = JoinSet::new();
    for column in 0..SCHEMA.columns.len() {
        let (table, keys) = (table.clone(), keys.clone());
        writing.spawn(async move {
            for n in 1..=last {
                let cell = StampedCell {
                    column,
                    value: value(column, n),
                    stamp: of_fact(n),
                };
                table
                    .apply(keys.iter().map(|key| row(key, [cell.clone()])).collect())
                    .await;
            }
        });
    }
    writing.join_all().await;
    let expected = (0..SCHEMA.columns.len())
        .map(|column| Some(value(column, last)))
        .collect();
    for key in keys {
        assert_eq!(table.get(&key).await.as_ref(), Some(&expected));
    }
}

/// A value of the column's kind, the larger the number the larger.
fn value(column: usize, n: i64) -> Value {
    match SCHEMA.columns[column].kind {
        Kind::Uuid => Value::Uuid(Uuid::from_u128(n as u128)),
        Kind::Text => text(&format!("{n:04}")),
        Kind::Int => Value::Int(n),
        Kind::Time => micros(n * 1_000),
        Kind::Items => Value::Items(vec![domain::values::Item {
            sku: format!("{n:04}").parse().unwrap(),
            quantity: 1.try_into().unwrap(),
            unit_price: 1.try_into().unwrap(),
        }]),
    }
}

/// Writes of a few cells each, to a few rows, and how many of them go together.
type Writes = Vec<(Vec<(usize, usize, i64, i64)>, usize)>;

fn writes() -> impl Strategy<Value = Writes> {
    // Few columns, stamps and values, so that they meet often; one column of each kind whose
    // values have an order.
    let columns = ["customer_id", "total_amount", "created_at", "payment_id"].map(column);
    let column = prop::sample::select(columns.to_vec());
    let cell = (0..3usize, column, 1..5i64, 1..4i64);
    vec((vec(cell, 0..4), 1..4usize), 1..12)
}

pub async fn writes_in_any_order_and_repeated_end_in_one_row(views: impl Views) {
    let table = OrderViews::of(views.views()).await;
    let runtime = Handle::current();
    let checked = tokio::task::spawn_blocking(move || {
        let mut runner = TestRunner::new(Config {
            cases: 256,
            failure_persistence: None,
            ..Config::default()
        });
        runner.run(&writes(), |writes| {
            runtime.block_on(compare(&table, writes))
        })
    });
    if let Err(e) = checked.await.unwrap() {
        panic!("{e}");
    }
}

async fn compare(table: &OrderViews, writes: Writes) -> Result<(), TestCaseError> {
    let keys: [Uuid; 3] = std::array::from_fn(|_| ids::unique());
    let key = |n: usize| vec![Value::Uuid(keys[n])];
    let mut expected: BTreeMap<(usize, usize), (i64, i64)> = BTreeMap::new();
    let mut together = vec![];
    for (cells, size) in writes {
        for (row_n, column, stamp, n) in cells {
            let wins = expected.entry((row_n, column)).or_insert((stamp, n));
            *wins = (*wins).max((stamp, n));
            let cell = StampedCell {
                column,
                value: value(column, n),
                stamp: of_fact(stamp),
            };
            together.push(row(&key(row_n), [cell]));
        }
        if together.len() >= size {
            table.apply(std::mem::take(&mut together)).await;
        }
    }
    table.apply(together).await;
    for n in 0..keys.len() {
        let cells = (0..SCHEMA.columns.len()).map(|column| {
            let (_, n) = expected.get(&(n, column))?;
            Some(value(column, *n))
        });
        let cells: Vec<_> = cells.collect();
        let written = cells.iter().any(Option::is_some).then_some(cells);
        prop_assert_eq!(table.get(&key(n)).await, written);
    }
    Ok(())
}
