//! Scans: every row of a table, page by page; and a row with its stamps.

use std::collections::BTreeMap;

use domain::view::order_timeline;
use domain::view::{ALL, Schema, Value, order_view, orders_by_customer};
use infra::view_store::{MAX_ROWS, ScanCursor, Scanned, StampedCell, Table};

use super::Views;
use super::given::*;
use super::listing::{Rows, customer, orders};

/// More than two pages.
const MANY: usize = 2 * MAX_ROWS + 200;

/// All pages from a place on.
async fn pages(rows: &Rows, from: Option<ScanCursor>) -> Vec<Scanned> {
    let (mut all, mut after) = (vec![], from);
    loop {
        let (page, next) = page(rows, after.as_ref()).await;
        all.extend(page);
        let Some(next) = next else { return all };
        after = Some(next);
    }
}

async fn page(rows: &Rows, after: Option<&ScanCursor>) -> (Vec<Scanned>, Option<ScanCursor>) {
    let scanned = rows.views.scan(rows.schema, &rows.table, after).await;
    let (page, next) = scanned.unwrap();
    assert!(page.len() <= MAX_ROWS, "{}", page.len());
    (page, next)
}

/// How often each key was met, by its text.
fn met(scanned: &[Scanned]) -> BTreeMap<String, usize> {
    let mut met = BTreeMap::new();
    for row in scanned {
        *met.entry(format!("{:?}", row.key)).or_default() += 1;
    }
    met
}

fn once_each(keys: &[Vec<Value>]) -> BTreeMap<String, usize> {
    keys.iter().map(|key| (format!("{key:?}"), 1)).collect()
}

/// Keys of a view: some thousand, with partitions of one row, of a few and of more than a page.
fn keys_of(schema: &'static Schema) -> Vec<Vec<Value>> {
    let large = orders(MANY);
    match schema.name {
        name if name == order_view::SCHEMA.name => large.into_iter().map(|id| vec![id]).collect(),
        name if name == orders_by_customer::SCHEMA.name => {
            let busy = customer();
            let of_busy = large.into_iter().map(|id| vec![busy.clone(), id]);
            let others = orders(90).into_iter();
            let others = others.map(|id| vec![customer(), id]);
            of_busy.chain(others).collect()
        }
        _ => {
            let order = orders(1).remove(0);
            let fact = |order: &Value, n: usize| {
                let stream = text(["order", "payment", "stock-\u{e9}"][n % 3]);
                let n = n as i64;
                vec![order.clone(), micros(n / 7 - 9), stream, Value::Int(n)]
            };
            let of_order = (0..MANY).map(|n| fact(&order, n));
            let others = orders(40).into_iter();
            let others = others.flat_map(|order| (0..3).map(move |n| fact(&order, n)));
            of_order.chain(others).collect()
        }
    }
}

/// A column that holds texts.
fn column_of(schema: &'static Schema) -> &'static str {
    match schema.name {
        name if name == order_timeline::SCHEMA.name => "name",
        _ => "order_status",
    }
}

pub async fn a_table_without_rows_has_nothing_to_scan(views: impl Views) {
    for view in ALL {
        let rows = Rows::of(&views, view.schema()).await;
        assert_eq!(page(&rows, None).await, (vec![], None));
    }
}

pub async fn a_scan_meets_each_row_once(views: impl Views) {
    for view in ALL {
        let schema = view.schema();
        let (rows, keys) = (Rows::of(&views, schema).await, keys_of(schema));
        rows.write(keys.clone(), column_of(schema), "A").await;
        let scanned = pages(&rows, None).await;
        assert_eq!(met(&scanned), once_each(&keys), "{}", schema.name);
        for row in [&scanned[0], &scanned[MAX_ROWS], scanned.last().unwrap()] {
            let read = rows.views.get(schema, &rows.table, &row.key).await;
            assert_eq!(read.unwrap(), row.cells);
            assert!(row.cells.as_ref().unwrap().contains(&Some(text("A"))));
        }
    }
}

pub async fn rows_that_come_during_a_scan_do_not_disturb_it(views: impl Views) {
    for view in ALL {
        let schema = view.schema();
        let (rows, keys) = (Rows::of(&views, schema).await, keys_of(schema));
        let (there, coming): (Vec<_>, Vec<_>) =
            keys.into_iter().enumerate().partition(|(n, _)| n % 2 == 0);
        let bare = |keys: Vec<(usize, Vec<Value>)>| keys.into_iter().map(|(_, key)| key);
        let (there, coming): (Vec<_>, Vec<_>) = (bare(there).collect(), bare(coming).collect());
        rows.write(there.clone(), column_of(schema), "A").await;

        let (first, mut next) = page(&rows, None).await;
        let mut scanned = first;
        let mut coming = coming.chunks(coming.len().div_ceil(3));
        while let Some(after) = next {
            if let Some(some) = coming.next() {
                rows.write(some.to_vec(), column_of(schema), "B").await;
                // Those that are there may change meanwhile.
                rows.write(there.clone(), column_of(schema), "B").await;
            }
            let (more, then) = page(&rows, Some(&after)).await;
            scanned.extend(more);
            next = then;
        }
        let met = met(&scanned);
        assert!(met.values().all(|times| *times == 1), "{}", schema.name);
        for key in &there {
            assert!(met.contains_key(&format!("{key:?}")), "{key:?}");
        }
    }
}

pub async fn a_scan_goes_on_where_another_process_has_left_it(mut views: impl Views) {
    let schema = &orders_by_customer::SCHEMA;
    let keys = keys_of(schema);
    let rows = Rows::of(&views, schema).await;
    rows.write(keys.clone(), "order_status", "A").await;
    let (mut scanned, next) = page(&rows, None).await;
    drop(rows);

    views.restart().await;
    let rows = Rows::of(&views, schema).await;
    scanned.extend(pages(&rows, next).await);
    assert_eq!(met(&scanned), once_each(&keys));
}

pub async fn stamps_are_told_with_their_values(views: impl Views) {
    let schema = &order_view::SCHEMA;
    let views = views.views();
    let rows = OrderViews::of(views.clone()).await;
    let name = schema.name.to_owned();
    let table = Table { name };
    let key = key();
    let stamped = async || views.stamped(schema, &table, &key).await.unwrap();
    assert_eq!(stamped().await, []);

    let first = [
        cell("customer_id", text("customer-7"), of_fact(1)),
        cell("order_status", text("CREATED"), of_fact(1)),
        cell("order_version", Value::Int(1), of_fact(1)),
    ];
    rows.apply(vec![row(&key, first.clone())]).await;
    assert_eq!(stamped().await, first);
    let repaired = cell("order_status", text("CANCELLED"), of_fact(4) + 3);
    let time = cell(
        "delivery_updated_at",
        micros(1_767_225_600_123_457),
        of_fact(2),
    );
    let late = cell("order_version", Value::Int(9), of_fact(1) - 1);
    let later = [time.clone(), repaired.clone(), late];
    rows.apply(vec![row(&key, later)]).await;
    let [customer, _, version] = first;
    let mut expected: Vec<StampedCell> = vec![customer, repaired, version, time];
    expected.sort_by_key(|cell| cell.column);
    assert_eq!(stamped().await, expected);
}
