//! What a rebuild has found and done.

use domain::View;
use infra::view_store::Generation;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Progress;
use super::claim::Claim;
use crate::verify::{CellFind, Find, Kind, Outcome};

/// What a rebuild has found and done.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The view.
    pub view: String,
    /// The generation that was read when it began.
    pub live_generation: u32,
    /// The revision of that.
    pub live_revision: u32,
    /// The generation that was built.
    pub generation: u32,
    /// The revision of that.
    pub revision: u32,
    /// Orders whose rows were written.
    pub orders: u64,
    /// Facts that they were folded from.
    pub facts: u64,
    /// Rows that were written.
    pub written: u64,
    /// Facts a second, as long as it wrote.
    pub rate: f64,
    /// What was found in the live table.
    pub live: Outcome,
    /// What was found in the new one.
    pub rebuilt: Outcome,
    /// Where the two differ, cell by cell, as far as the finds were kept.
    pub differences: Vec<Difference>,
    /// Whether reads go to the new one.
    pub switched: bool,
}

/// Where the live table and the new one differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The order that the row is about.
    pub order: Option<String>,
    /// The row's key.
    pub row: String,
    /// The column; none where a whole row is too many or too few.
    pub column: Option<String>,
    /// What the live table holds.
    pub live: Json,
    /// What the new one holds.
    pub rebuilt: Json,
    /// Which of them the logs say.
    pub right: Right,
}

/// Which of two is right by the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// The live one.
    Live,
    /// The new one.
    Rebuilt,
    /// None.
    Neither,
}

impl Report {
    /// What both comparisons and the way there say together.
    pub(super) fn of(
        view: &dyn View,
        live: &Generation,
        claim: &Claim,
        progress: &Progress,
        before: Outcome,
        after: Outcome,
    ) -> Self {
        Self {
            view: view.schema().name.to_owned(),
            live_generation: live.number,
            live_revision: live.revision,
            generation: claim.generation.number,
            revision: claim.generation.revision,
            written: claim.rows(),
            rate: progress.rate,
            orders: progress.orders,
            facts: progress.facts,
            differences: differences(&before.finds, &after.finds),
            live: before,
            rebuilt: after,
            switched: false,
        }
    }

    /// True where the live table was as the logs have it, and so is the new one.
    pub fn is_right(&self) -> bool {
        self.live.is_right() && self.rebuilt.is_right()
    }
}

fn differences(live: &[Find], rebuilt: &[Find]) -> Vec<Difference> {
    let mut differences = vec![];
    for find in live {
        let other = rebuilt.iter().find(|of| of.row == find.row);
        differences.extend(of_one(find, other, false));
    }
    for find in rebuilt {
        if !live.iter().any(|of| of.row == find.row) {
            differences.extend(of_one(find, None, true));
        }
    }
    differences
}

/// The differences of a row that one table has wrong; where the other has it wrong too, by `other`.
fn of_one(find: &Find, other: Option<&Find>, swapped: bool) -> Vec<Difference> {
    let right = match (other, swapped) {
        (Some(_), _) => Right::Neither,
        (None, false) => Right::Rebuilt,
        (None, true) => Right::Live,
    };
    let of = |column: Option<String>, wrong: Json, right_one: Json| {
        let (live, rebuilt) = match swapped {
            false => (wrong, right_one),
            true => (right_one, wrong),
        };
        Difference {
            order: find.order.clone(),
            row: find.row.clone(),
            column,
            live,
            rebuilt,
            right,
        }
    };
    match find.kind {
        Kind::Missing => vec![of(None, Json::Null, "a row".into())],
        Kind::Extra => vec![of(None, "a row".into(), Json::Null)],
        Kind::Unreadable => vec![of(None, "what cannot be read".into(), "a row".into())],
        Kind::Different | Kind::Behind | Kind::Frozen => {
            let cells = find.cells.iter();
            let cells = cells.map(|cell: &CellFind| {
                let there = other.and_then(|of| {
                    let mut same = of.cells.iter().filter(|of| of.column == cell.column);
                    same.next().map(|of| of.view.clone())
                });
                let there = there.unwrap_or_else(|| cell.log.clone());
                of(Some(cell.column.clone()), cell.view.clone(), there)
            });
            cells.collect()
        }
    }
}
