//! Partitions: their rows come in the order of their keys, slice by slice.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::view::order_timeline::{self, Place};
use domain::view::{Cells, Schema, Value, orders_by_customer};
use domain::{Category, Sequence};
use infra::ids;
use infra::view_store::{MAX_ROWS, Row, RowPatch, Slice, StampedCell, Table, ViewStore};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::Views;
use super::given::*;

/// The first table of a view whose partitions have many rows.
#[derive(Clone)]
pub struct Rows {
    pub views: Arc<dyn ViewStore>,
    pub schema: &'static Schema,
    pub table: Table,
}

impl Rows {
    pub async fn of(views: &impl Views, schema: &'static Schema) -> Self {
        let (views, name) = (views.views(), schema.name.to_owned());
        let table = Table { name };
        views.create(schema, &table).await.unwrap();
        Self {
            views,
            schema,
            table,
        }
    }

    /// Writes a text into a column of each row.
    pub async fn write(&self, keys: impl IntoIterator<Item = Vec<Value>>, name: &str, value: &str) {
        let columns = self.schema.columns;
        let column = columns.iter().position(|column| column.name == name);
        let cell = StampedCell {
            column: column.unwrap(),
            value: text(value),
            stamp: of_fact(1),
        };
        let rows = keys.into_iter().map(|key| RowPatch {
            key,
            cells: vec![cell.clone()],
        });
        let (schema, rows) = (self.schema, rows.collect());
        self.views.apply(schema, &self.table, rows).await.unwrap();
    }

    async fn list(&self, slice: Slice<'_>) -> Vec<Row> {
        let listed = self.views.list(self.schema, &self.table, slice).await;
        listed.unwrap()
    }

    /// The rest of the keys of a slice.
    async fn keys(&self, slice: Slice<'_>) -> Vec<Vec<Value>> {
        let rows = self.list(slice).await.into_iter();
        rows.map(|row| row.rest).collect()
    }
}

fn first(partition: &Value, limit: usize) -> Slice<'_> {
    Slice {
        partition,
        after: None,
        backwards: false,
        limit,
    }
}

/// A customer that nobody else is.
pub fn customer() -> Value {
    Value::Text(format!("customer-{}", ids::unique()))
}

/// Ids of orders, the oldest first.
pub fn orders(many: usize) -> Vec<Value> {
    let mut ids: Vec<Uuid> = (0..many).map(|_| ids::order().0).collect();
    ids.sort();
    ids.into_iter().map(Value::Uuid).collect()
}

fn alone(value: &Value) -> Vec<Value> {
    vec![value.clone()]
}

pub async fn a_partition_that_nobody_wrote_has_no_rows(views: impl Views) {
    let rows = Rows::of(&views, &orders_by_customer::SCHEMA).await;
    let nobody = customer();
    assert_eq!(rows.list(first(&nobody, 10)).await, []);
    let after = [Value::Uuid(ids::unique())];
    let behind = Slice {
        after: Some(&after),
        ..first(&nobody, 10)
    };
    assert_eq!(rows.list(behind).await, []);
}

pub async fn the_orders_of_a_customer_come_newest_first_and_backwards_oldest_first(
    views: impl Views,
) {
    let rows = Rows::of(&views, &orders_by_customer::SCHEMA).await;
    let (customer, orders) = (customer(), orders(30));
    // In any order but that of their keys.
    let (odd, even): (Vec<_>, Vec<_>) = orders.iter().enumerate().partition(|(n, _)| n % 2 == 1);
    let mixed = odd.into_iter().chain(even).map(|(_, id)| id);
    let keys = mixed.map(|id| vec![customer.clone(), id.clone()]);
    rows.write(keys, "currency", "EUR").await;

    let oldest_first: Vec<_> = orders.iter().map(alone).collect();
    let newest_first: Vec<_> = orders.iter().rev().map(alone).collect();
    assert_eq!(rows.keys(first(&customer, 100)).await, newest_first);
    let backwards = Slice {
        backwards: true,
        ..first(&customer, 100)
    };
    assert_eq!(rows.keys(backwards).await, oldest_first);
}

pub async fn a_slice_begins_behind_its_row_and_has_as_many_rows_as_asked_for(views: impl Views) {
    let rows = Rows::of(&views, &orders_by_customer::SCHEMA).await;
    let (customer, orders) = (customer(), orders(20));
    let keys = orders.iter().map(|id| vec![customer.clone(), id.clone()]);
    rows.write(keys, "currency", "EUR").await;
    let newest_first: Vec<_> = orders.iter().rev().map(alone).collect();
    for begin in 0..=20usize {
        for limit in [0, 1, 7, 20, 21] {
            let after = begin.checked_sub(1).map(|n| newest_first[n].clone());
            let slice = Slice {
                after: after.as_deref(),
                ..first(&customer, limit)
            };
            let end = (begin + limit).min(20);
            let expected = &newest_first[begin..end];
            assert_eq!(rows.keys(slice).await, expected, "{limit} from {begin}");
        }
        let after = newest_first.get(begin).cloned();
        let backwards = Slice {
            after: after.as_deref(),
            backwards: true,
            ..first(&customer, 3)
        };
        let mut expected = newest_first[..begin].to_vec();
        expected.reverse();
        expected.truncate(3);
        assert_eq!(rows.keys(backwards).await, expected, "back from {begin}");
    }
    // The row that it begins behind need not be there.
    let Value::Uuid(between) = orders[10] else {
        panic!("an id");
    };
    let between = [Value::Uuid(Uuid::from_u128(between.as_u128() + 1))];
    let behind = Slice {
        after: Some(&between),
        ..first(&customer, 1)
    };
    assert_eq!(rows.keys(behind).await, [alone(&orders[10])]);
}

pub async fn a_partition_has_its_own_rows_only(views: impl Views) {
    let rows = Rows::of(&views, &orders_by_customer::SCHEMA).await;
    let Value::Text(name) = customer() else {
        panic!("a name");
    };
    let names =
        ["", "a", "\u{0}", "\u{0}a", "\u{ff}", "é"].map(|end| text(&format!("{name}{end}")));
    let orders = orders(names.len());
    for (customer, order) in names.iter().zip(&orders) {
        let key = vec![customer.clone(), order.clone()];
        rows.write([key], "currency", "EUR").await;
    }
    for (customer, order) in names.iter().zip(&orders) {
        assert_eq!(rows.keys(first(customer, 10)).await, [alone(order)]);
        let backwards = Slice {
            backwards: true,
            ..first(customer, 10)
        };
        assert_eq!(rows.keys(backwards).await, [alone(order)]);
    }
}

pub async fn a_listed_row_has_the_cells_that_are_read_of_it_alone(views: impl Views) {
    let rows = Rows::of(&views, &order_timeline::SCHEMA).await;
    let order = Value::Uuid(ids::order().0);
    let place = |sequence| Place {
        occurred_at: second(7),
        category: Category::Payment,
        sequence,
    };
    for (sequence, column) in [(1, "name"), (1, "payload"), (2, "version")] {
        let key = [vec![order.clone()], place(sequence).values().to_vec()].concat();
        rows.write([key], column, "{\"é\": 1 }").await;
    }
    let listed = rows.list(first(&order, 10)).await;
    assert_eq!(listed.len(), 2);
    for (row, sequence) in listed.into_iter().zip(1..) {
        assert_eq!(Place::read(&row.rest), Some(place(sequence)));
        let key = [vec![order.clone()], row.rest].concat();
        let alone: Option<Cells> = rows
            .views
            .get(rows.schema, &rows.table, &key)
            .await
            .unwrap();
        assert_eq!(alone, Some(row.cells));
    }
}

pub async fn no_slice_has_more_rows_than_the_port_allows(views: impl Views) {
    let rows = Rows::of(&views, &orders_by_customer::SCHEMA).await;
    let (customer, orders) = (customer(), orders(MAX_ROWS + 1));
    let keys = orders.iter().map(|id| vec![customer.clone(), id.clone()]);
    rows.write(keys, "currency", "EUR").await;
    let listed = rows.keys(first(&customer, usize::MAX)).await;
    assert_eq!(listed.len(), MAX_ROWS);
}

/// Times, streams and sequences of a few facts: few values, so that they meet.
fn places() -> impl Strategy<Value = Vec<Place>> {
    let category = prop::sample::select(Category::ALL.to_vec());
    let time = prop_oneof![-2..3i64, any::<i64>()];
    let sequence: BoxedStrategy<Sequence> =
        prop_oneof![1..4u64, 250..260u64, 1..i64::MAX as u64].boxed();
    let place = (time, category, sequence).prop_map(|(time, category, sequence)| Place {
        occurred_at: domain::values::Timestamp::from_micros(time),
        category,
        sequence,
    });
    prop::collection::vec(place, 0..12)
}

pub async fn a_timeline_comes_by_time_then_stream_then_sequence(views: impl Views) {
    let rows = Rows::of(&views, &order_timeline::SCHEMA).await;
    let runtime = Handle::current();
    let checked = tokio::task::spawn_blocking(move || {
        let mut runner = TestRunner::new(Config {
            cases: 64,
            failure_persistence: None,
            ..Config::default()
        });
        runner.run(&places(), |places| runtime.block_on(sorted(&rows, places)))
    });
    if let Err(e) = checked.await.unwrap() {
        panic!("{e}");
    }
}

/// Both ways, in slices of three.
async fn sorted(rows: &Rows, places: Vec<Place>) -> Result<(), TestCaseError> {
    let order = Value::Uuid(ids::order().0);
    let key = |place: &Place| [vec![order.clone()], place.values().to_vec()].concat();
    rows.write(places.iter().map(key), "name", "x").await;
    let by_key = |place: &Place| (place.occurred_at, place.category.name(), place.sequence);
    let expected: BTreeMap<_, _> = places.iter().map(|one| (by_key(one), *one)).collect();
    let mut expected: Vec<Place> = expected.into_values().collect();
    for backwards in [false, true] {
        let (mut listed, mut after): (Vec<Place>, Option<Vec<Value>>) = (vec![], None);
        loop {
            let slice = Slice {
                after: after.as_deref(),
                backwards,
                ..first(&order, 3)
            };
            let keys = rows.keys(slice).await;
            listed.extend(keys.iter().map(|rest| Place::read(rest).unwrap()));
            prop_assert!(listed.len() <= expected.len(), "a row is there twice");
            if keys.len() < 3 {
                break;
            }
            after = keys.last().cloned();
        }
        prop_assert_eq!(&listed, &expected);
        expected.reverse();
    }
    Ok(())
}

pub async fn rows_that_come_while_others_are_read_are_where_they_belong(views: impl Views) {
    let rows = Rows::of(&views, &orders_by_customer::SCHEMA).await;
    let (customer, orders) = (customer(), orders(40));
    let key = |id: &Value| vec![customer.clone(), id.clone()];
    // Every second order is there; the others come while the list is read.
    let there = orders.iter().step_by(2);
    rows.write(there.clone().map(key), "currency", "EUR").await;
    let mut late = orders.iter().skip(1).step_by(2).rev();
    let (mut listed, mut after): (Vec<Value>, Option<Vec<Value>>) = (vec![], None);
    loop {
        let slice = Slice {
            after: after.as_deref(),
            ..first(&customer, 4)
        };
        let mut keys = rows.keys(slice).await;
        after = keys.last().cloned();
        let all = keys.len() < 4;
        listed.extend(keys.drain(..).flatten());
        assert!(listed.len() <= orders.len(), "a row is there twice");
        if all {
            break;
        }
        rows.write(late.by_ref().take(3).map(key), "currency", "EUR")
            .await;
    }
    for order in there {
        let times = listed.iter().filter(|listed| *listed == order).count();
        assert_eq!(times, 1, "{order:?}");
    }
    let mut sorted = listed.clone();
    sorted.sort_by_key(|id| std::cmp::Reverse(format!("{id:?}")));
    sorted.dedup();
    assert_eq!(listed, sorted, "newest first, each once");
}
