//! The order view of a world: whatever order its facts come in, it says where the order stands.

use domain::view::order_view::{OrderRow, OrderView};
use domain::view::{Cells, Fold};
use domain::{Recorded, View, order};

use crate::setting::order_id;
use crate::side::{STREAMS, Side};

/// Folds the facts of an order as they are and in another order, each with `again` of its
/// repeats, and compares the row with the streams.
pub fn agrees(side: &Side, shuffle: impl Fn(usize) -> usize) -> Result<(), String> {
    let facts: Vec<&Recorded> = side.entries().map(|entry| &entry.recorded).collect();
    let row = fold(&facts);
    let mut shuffled: Vec<(usize, &Recorded)> = facts
        .iter()
        .chain(&facts)
        .enumerate()
        .map(|(number, fact)| (shuffle(number), *fact))
        .collect();
    shuffled.sort_by_key(|(key, _)| *key);
    let shuffled: Vec<&Recorded> = shuffled.into_iter().map(|(_, fact)| fact).collect();
    if fold(&shuffled) != row {
        return Err("the view depends on the order of facts".into());
    }
    let Some(row) = OrderRow::read(order_id(side.number), &row) else {
        return match side.order {
            order::State::None => Ok(()),
            _ => Err("the view has no row".into()),
        };
    };
    if row.status().is_over() != side.order.is_over() {
        return Err(format!("the view says {}", row.status()));
    }
    for stream in STREAMS {
        if row.versions.of(stream) != Some(side.log(stream).len() as u64) {
            return Err(format!("the view is behind: {:?}", row.versions));
        }
    }
    Ok(())
}

fn fold(facts: &[&Recorded]) -> Cells {
    let mut fold = Fold::default();
    for patch in facts.iter().filter_map(|fact| OrderView.project(fact)) {
        fold.add(patch);
    }
    fold.cells(OrderView.schema())
}
