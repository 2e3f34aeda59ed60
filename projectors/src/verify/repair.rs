//! Puts a row right in place.
//!
//! A cell that is wrong is written again with a stamp one above the one it carries, below that of the
//! next fact of its stream: between two sequences there is room for 1023 repairs. A cell that carries
//! the time of a clock lies above every stamp that facts will ever have, and what was deleted with
//! such a time stays hidden: a rebuild has to mend these.

use domain::View;
use infra::view_store::{RowPatch, STAMPS_PER_SEQUENCE, StampedCell, Table, cells_of};

use super::LookError;
use super::find::{CellFind, Find, Kind};
use crate::Views;
use crate::compare::{self, Expected, Told};

/// The repair numbers that are tried for a cell that is not there: what hides it may have any.
const TRIED: [i64; 12] = [
    0,
    1,
    2,
    4,
    8,
    16,
    32,
    64,
    128,
    256,
    512,
    STAMPS_PER_SEQUENCE - 1,
];

/// Puts a row right, and says which of its cells are still not; `None` for one that no fact writes.
///
/// # Errors
/// [`LookError`]
pub async fn repair(
    views: &Views,
    view: &'static dyn View,
    table: &Table,
    find: &Find,
) -> Result<Option<Vec<CellFind>>, LookError> {
    let (schema, store) = (view.schema(), &views.store);
    if find.kind == Kind::Unreadable {
        return Ok(None);
    }
    let mut left = vec![];
    // Once more at the end, only to look.
    for number in TRIED.into_iter().map(Some).chain([None]) {
        let stamped = store.stamped(schema, table, &find.key).await?;
        let Told::Row(row) = compare::of_logs(&views.logs, view, &find.key).await? else {
            return Ok(None);
        };
        let cells = cells_of(schema, stamped.iter().cloned());
        let wanted = row.cells(view);
        if cells == wanted {
            return Ok(Some(vec![]));
        }
        left = Find::of(view, &find.key, Kind::Different)
            .with_cells(view, &cells, &wanted)
            .cells;
        let Some(number) = number else { break };
        let patch = mended(view, &row, &stamped, number);
        if patch.cells.is_empty() {
            break;
        }
        store.apply(schema, table, vec![patch]).await?;
    }
    for cell in &mut left {
        if cell.kind != Kind::Extra {
            cell.kind = Kind::Frozen;
        }
    }
    Ok(Some(left))
}

/// The cells that are wrong and can be put right.
fn mended(view: &dyn View, row: &Expected, stamped: &[StampedCell], number: i64) -> RowPatch {
    let mut patch = row.patch();
    patch.cells.retain_mut(|cell| {
        let Some(column) = view.schema().columns.get(cell.column) else {
            return false;
        };
        let last = row.last_stamp(column);
        cell.stamp = match stamped.iter().find(|of| of.column == cell.column) {
            Some(there) if there.value == cell.value => return false,
            Some(there) => cell.stamp.max(there.stamp.saturating_add(1)),
            // The last sequence of its stream has the highest stamps that may hide it.
            None if number > 0 => last - (STAMPS_PER_SEQUENCE - 1) + number,
            None => cell.stamp,
        };
        cell.stamp <= last
    });
    patch
}
