use std::collections::BTreeMap;

use crate::Sequence;

use super::{Cells, Patch, Schema, Value};

/// A row in memory, folded from what facts write, in any order and with repeats: of each cell the
/// one of the highest sequence stays, as in every store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fold {
    cells: BTreeMap<usize, (Sequence, Value)>,
}

impl Fold {
    /// Takes what a fact writes into this row.
    pub fn add(&mut self, patch: Patch) {
        for cell in patch.cells {
            let known = self.cells.get(&cell.column);
            if known.is_none_or(|(sequence, _)| *sequence < patch.sequence) {
                let written = (patch.sequence, cell.value);
                self.cells.insert(cell.column, written);
            }
        }
    }

    /// The row as a store gives it.
    pub fn cells(mut self, schema: &Schema) -> Cells {
        let columns = 0..schema.columns.len();
        let cells = columns.map(|column| self.cells.remove(&column).map(|(_, value)| value));
        cells.collect()
    }
}
