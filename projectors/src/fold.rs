//! What many facts write, as one write a row.

use std::collections::BTreeMap;

use domain::Sequence;
use domain::view::{Patch, Value};
use infra::view_store::{RowPatch, STAMPS_PER_SEQUENCE, StampedCell};

/// Patches of a batch, merged by row: of each cell the one with the highest stamp.
#[derive(Default)]
pub struct Fold {
    rows: BTreeMap<Vec<u8>, RowPatch>,
}

impl Fold {
    /// Takes what a fact writes.
    pub fn add(&mut self, patch: Option<Patch>) {
        let Some(patch) = patch else { return };
        let stamp = stamp_of(patch.sequence);
        let row = self
            .rows
            .entry(sort_key(&patch.key))
            .or_insert_with(|| RowPatch {
                key: patch.key,
                cells: vec![],
            });
        for cell in patch.cells {
            let stamped = StampedCell {
                column: cell.column,
                value: cell.value,
                stamp,
            };
            match row
                .cells
                .iter_mut()
                .find(|known| known.column == cell.column)
            {
                Some(known) if known.stamp <= stamp => *known = stamped,
                Some(_) => {}
                None => row.cells.push(stamped),
            }
        }
        if infra::planted!("last-sequence") {
            row.cells.iter_mut().for_each(|cell| cell.stamp = stamp);
        }
    }

    /// The rows, one a key.
    pub fn rows(self) -> Vec<RowPatch> {
        self.rows.into_values().collect()
    }
}

/// What the cells of a fact are stamped with.
pub fn stamp_of(sequence: Sequence) -> i64 {
    if infra::planted!("clock-timestamps") {
        return infra::clock::now().as_micros();
    }
    i64::try_from(sequence)
        .unwrap_or(i64::MAX)
        .saturating_mul(STAMPS_PER_SEQUENCE)
}

/// Tells rows apart within a batch.
pub fn sort_key(key: &[Value]) -> Vec<u8> {
    let mut bytes = vec![];
    for value in key {
        match value {
            Value::Uuid(id) => bytes.extend_from_slice(id.as_bytes()),
            Value::Text(text) => bytes.extend_from_slice(text.as_bytes()),
            Value::Int(n) => bytes.extend_from_slice(&n.to_be_bytes()),
            Value::Time(time) => bytes.extend_from_slice(&time.as_micros().to_be_bytes()),
            // No key has one.
            Value::Items(_) => {}
        }
        bytes.push(0);
    }
    bytes
}
