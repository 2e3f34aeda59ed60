//! What is true of every view.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{ALL, Cells, Fold, Kind, Value, Writer};
use crate::testing::{facts, recorded};
use crate::{Category, Recorded, View};

fn kind(value: &Value) -> Kind {
    match value {
        Value::Uuid(_) => Kind::Uuid,
        Value::Text(_) => Kind::Text,
        Value::Int(_) => Kind::Int,
        Value::Time(_) => Kind::Time,
        Value::Items(_) => Kind::Items,
    }
}

/// The key and the columns of every view, as they were in its first revision.
const FIRST: [(&str, &str, &str); 3] = [
    (
        "order_view",
        "order_id",
        "customer_id currency total_amount items order_status cancel_reason created_at \
         order_updated_at order_version inventory_status inventory_reason inventory_updated_at \
         reservation_version payment_id payment_status payment_reason payment_updated_at \
         payment_version delivery_id delivery_status driver_name estimated_delivery_time \
         delivery_updated_at delivery_version",
    ),
    (
        "orders_by_customer",
        "customer_id order_id",
        "currency total_amount created_at order_status order_version inventory_status \
         reservation_version payment_status payment_version delivery_status delivery_version",
    ),
    (
        "order_timeline",
        "order_id occurred_at stream sequence",
        "name version payload causation correlation service position",
    ),
];

#[test]
fn the_columns_of_the_first_revision_never_move() {
    for (view, (name, key, columns)) in ALL.iter().zip(FIRST) {
        let schema = view.schema();
        assert_eq!(schema.name, name);
        let names: Vec<&str> = schema.columns.iter().map(|column| column.name).collect();
        let first: Vec<&str> = columns.split_ascii_whitespace().collect();
        assert_eq!(names[..first.len()], first);
        let names: Vec<&str> = schema.key.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, key.split_ascii_whitespace().collect::<Vec<_>>());
    }
}

/// One of each fact, each the third of its stream.
fn every() -> impl Iterator<Item = Recorded> {
    facts::every().into_iter().map(|fact| recorded(3, fact))
}

#[test]
fn every_cell_is_of_the_kind_and_by_the_writer_that_the_schema_says() {
    for view in ALL {
        let schema = view.schema();
        let mut used = BTreeSet::new();
        for recorded in every() {
            let Some(patch) = view.project(&recorded) else {
                continue;
            };
            let mut columns = BTreeSet::new();
            for cell in &patch.cells {
                let column = &schema.columns[cell.column];
                match column.writer {
                    Writer::Stream(of) => assert_eq!(of, recorded.fact.category()),
                    Writer::OwnFact => names_the_fact(&patch.key, &recorded),
                }
                assert_eq!(column.kind, kind(&cell.value), "{}", column.name);
                assert!(columns.insert(cell.column), "{} twice", column.name);
            }
            used.extend(columns);
        }
        let all: BTreeSet<usize> = (0..schema.columns.len()).collect();
        assert_eq!(used, all, "each column of {} is written", schema.name);
    }
}

/// The stream and the sequence of the fact are in the key, so that no other fact writes its row.
fn names_the_fact(key: &[Value], recorded: &Recorded) {
    let stream = recorded.id.stream.category.name().to_owned();
    assert!(key.contains(&Value::Text(stream)), "{key:?}");
    let sequence = i64::try_from(recorded.id.sequence).unwrap();
    assert!(key.contains(&Value::Int(sequence)), "{key:?}");
}

#[test]
fn a_patch_carries_the_sequence_of_its_fact_and_the_key_that_the_schema_says() {
    for view in ALL {
        let wanted: Vec<Kind> = view.schema().key.iter().map(|(_, kind)| *kind).collect();
        for patch in every().filter_map(|recorded| view.project(&recorded)) {
            let kinds: Vec<Kind> = patch.key.iter().map(kind).collect();
            assert_eq!(kinds, wanted, "{}", view.schema().name);
            assert_eq!(patch.sequence, 3);
        }
    }
}

#[test]
fn facts_of_orders_concern_every_view_and_facts_of_stock_none() {
    for view in ALL {
        for recorded in every() {
            let concerned = view.project(&recorded).is_some();
            assert_eq!(concerned, recorded.fact.category() != Category::Stock);
        }
    }
}

#[test]
fn no_two_views_and_no_two_columns_have_one_name() {
    let names: BTreeSet<&str> = ALL.iter().map(|view| view.schema().name).collect();
    assert_eq!(names.len(), ALL.len());
    for view in ALL {
        let schema = view.schema();
        let key = schema.key.iter().map(|(name, _)| *name);
        let columns = schema.columns.iter().map(|column| column.name);
        let names: BTreeSet<&str> = key.chain(columns).collect();
        let all = schema.key.len() + schema.columns.len();
        assert_eq!(names.len(), all, "{}", schema.name);
    }
}

/// The rows of a view after these facts, by their keys.
fn rows<'a>(
    view: &dyn View,
    facts: impl IntoIterator<Item = &'a Recorded>,
) -> BTreeMap<String, Cells> {
    let mut rows: BTreeMap<String, Fold> = BTreeMap::new();
    for patch in facts.into_iter().filter_map(|fact| view.project(fact)) {
        rows.entry(format!("{:?}", patch.key))
            .or_default()
            .add(patch);
    }
    let cells = |(key, fold): (String, Fold)| (key, fold.cells(view.schema()));
    rows.into_iter().map(cells).collect()
}

/// Every fact there is, as though each stream had them all, numbered in their order.
fn log() -> Vec<Recorded> {
    let mut lengths: BTreeMap<Category, u64> = BTreeMap::new();
    let facts = facts::every().into_iter().map(|fact| {
        let length = lengths.entry(fact.category()).or_default();
        *length += 1;
        recorded(*length, fact)
    });
    facts.collect()
}

proptest! {
    #[test]
    fn facts_in_any_order_with_repeats_end_in_the_same_rows(
        shuffled in Just([log(), log()].concat()).prop_shuffle(),
    ) {
        for view in ALL {
            prop_assert_eq!(rows(view, &shuffled), rows(view, &log()));
        }
    }
}
