use std::collections::{BTreeMap, BTreeSet};

use domain::View;
use domain::values::{OrderId, Timestamp};
use domain::view::order_view::OrderView;
use domain::view::{Kind as Type, Value};
use infra::view_store::{RowPatch, STAMPS_PER_SEQUENCE, StampedCell, Table, ViewStore};
use infra::{clock, ids};
use projectors::verify::{Find, Kind};

use super::{rebuilt, some_orders, verified};
use crate::support::Pipeline;

/// What was done to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Damage {
    /// A cell that holds something else, as a projection with a fault would have written it.
    Wrong,
    /// A cell that was written with the time of a clock.
    Frozen,
    /// A row that nobody has ordered.
    Invented,
}

pub async fn random_damage_is_found_and_mended_or_named(pipeline: Pipeline) {
    let views = pipeline.views();
    let orders = some_orders(&pipeline, 60).await;
    pipeline.caught_up().await;
    let (schema, seed) = (OrderView.schema(), fastrand::u64(..));
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let table = views.live(&OrderView).await.unwrap().table(schema);
    let mut done: BTreeMap<String, Damage> = BTreeMap::new();
    for id in &orders {
        let damage = match random.u8(0..6) {
            0 | 1 => Damage::Wrong,
            2 => Damage::Frozen,
            3 => Damage::Invented,
            _ => continue,
        };
        let id = match damage {
            Damage::Invented => ids::order(),
            Damage::Wrong | Damage::Frozen => id.parse().unwrap(),
        };
        if damages(views.store.as_ref(), &table, id, damage, &mut random).await {
            done.insert(id.to_string(), damage);
        }
    }
    let of = |wanted: Damage| -> BTreeSet<String> {
        let same = done.iter().filter(|(_, damage)| **damage == wanted);
        same.map(|(id, _)| id.clone()).collect()
    };

    let found = verified(views, &OrderView, false).await;
    assert_eq!(
        found_of(&found.outcome.finds, Kind::Different),
        of(Damage::Wrong)
    );
    assert_eq!(
        found_of(&found.outcome.finds, Kind::Frozen),
        of(Damage::Frozen)
    );
    assert_eq!(
        found_of(&found.outcome.finds, Kind::Extra),
        of(Damage::Invented)
    );
    assert_eq!(found.outcome.wrong(), done.len() as u64);
    assert_eq!(found.repaired, 0);

    let mended = verified(views, &OrderView, true).await;
    let repaired = mended.outcome.finds.iter().filter(|find| find.repaired);
    let repaired: BTreeSet<_> = repaired.filter_map(|find| find.order.clone()).collect();
    assert_eq!(repaired, of(Damage::Wrong), "{:#?}", mended.outcome.finds);

    let left = verified(views, &OrderView, false).await;
    assert_eq!(
        found_of(&left.outcome.finds, Kind::Different),
        BTreeSet::new()
    );
    assert_eq!(
        found_of(&left.outcome.finds, Kind::Frozen),
        of(Damage::Frozen)
    );
    assert_eq!(
        found_of(&left.outcome.finds, Kind::Extra),
        of(Damage::Invented)
    );

    // A repaired row goes on as any other.
    let report = rebuilt(views, &OrderView).await.unwrap();
    assert!(report.switched && report.rebuilt.is_right(), "{report:#?}");
    let wrong = of(Damage::Frozen).len() + of(Damage::Invented).len();
    assert_eq!(report.live.wrong(), wrong as u64, "{report:#?}");
    assert!(report.differences.len() >= wrong, "{report:#?}");
    let last = verified(views, &OrderView, false).await;
    assert!(last.outcome.is_right(), "{last:#?}");
    pipeline.finish().await;
}

fn found_of(finds: &[Find], kind: Kind) -> BTreeSet<String> {
    let same = finds.iter().filter(|find| find.kind == kind);
    same.map(|find| find.order.clone().unwrap()).collect()
}

/// Damages a row; false where it holds by chance what would be written.
async fn damages(
    store: &dyn ViewStore,
    table: &Table,
    id: OrderId,
    damage: Damage,
    random: &mut fastrand::Rng,
) -> bool {
    let schema = OrderView.schema();
    let key = vec![Value::Uuid(id.0)];
    let there = store.stamped(schema, table, &key).await.unwrap();
    let columns = schema.columns.len();
    let cell = match damage {
        Damage::Invented => StampedCell {
            column: random.usize(..columns),
            value: Value::Int(0),
            stamp: STAMPS_PER_SEQUENCE,
        },
        Damage::Wrong | Damage::Frozen => there[random.usize(..there.len())].clone(),
    };
    let column = &schema.columns[cell.column];
    // A row that says that it is behind is another case.
    if column.name.ends_with("_version") && damage != Damage::Invented {
        return false;
    }
    let stamp = match damage {
        Damage::Invented => cell.stamp,
        Damage::Wrong => cell.stamp + random.i64(1..500),
        Damage::Frozen => clock::now().as_micros(),
    };
    let value = match column.kind {
        Type::Uuid => Value::Uuid(ids::unique()),
        Type::Text => Value::Text(format!("damaged {}", random.u32(..))),
        Type::Int => Value::Int(random.i64(1_000_000..2_000_000)),
        Type::Time => Value::Time(Timestamp::from_micros(random.i64(0..1_000_000))),
        Type::Items => Value::Items(vec![]),
    };
    let cells = vec![StampedCell {
        column: cell.column,
        value,
        stamp,
    }];
    let rows = vec![RowPatch { key, cells }];
    store.apply(schema, table, rows).await.unwrap();
    true
}
