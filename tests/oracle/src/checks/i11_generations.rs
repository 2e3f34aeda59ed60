//! I11: a view that is built anew is the view that was there.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::evidence::{Row, Table};
use crate::views::STAMPS_PER_SEQUENCE;
use crate::{Case, Checked};

/// Two rebuilds and the live table agree, every cell.
pub fn generations(case: &Case<'_>) -> Checked {
    let mut checked = Checked::new("I11", "rebuilt tables and the live one agree");
    let tables = &case.world.tables;
    for live in tables.iter().filter(|table| table.live) {
        let others = tables.iter().filter(|table| table.view == live.view);
        for other in others.filter(|table| table.name != live.name) {
            checked.looked_at("tables beside the live one", 1);
            agree(live, other, &mut checked);
        }
    }
    checked
}

fn agree(live: &Table, other: &Table, checked: &mut Checked) {
    let by_key = |table: &Table| -> BTreeMap<String, Row> {
        let rows = table.rows.iter();
        let key = |row: &Row| Value::Array(row.key.clone()).to_string();
        rows.map(|row| (key(row), row.clone())).collect()
    };
    let mut others = by_key(other);
    for (key, row) in by_key(live) {
        checked.looked_at("rows", 1);
        let subject = format!("{} {key}", other.name);
        let Some(rebuilt) = others.remove(&key) else {
            checked.find(
                subject,
                format!("the row is missing, and {} has it", live.name),
            );
            continue;
        };
        let columns = row.cells.keys().chain(rebuilt.cells.keys());
        let columns: std::collections::BTreeSet<_> = columns.collect();
        for column in columns {
            checked.looked_at("cells", 1);
            let (here, there) = (row.cells.get(column), rebuilt.cells.get(column));
            let value = |cell: Option<&crate::evidence::Cell>| cell.map(|cell| cell.value.clone());
            if value(here) != value(there) {
                let [here, there] = [here, there].map(|cell| value(cell).unwrap_or_default());
                checked.find(
                    &*subject,
                    format!("{column} is {there}, and {here} in {}", live.name),
                );
            }
            // Repairs aside, both were written by one fact.
            let stamp = |cell: Option<&crate::evidence::Cell>| cell?.stamp;
            let sequence = |stamp: i64| stamp.div_euclid(STAMPS_PER_SEQUENCE);
            if let (Some(here), Some(there)) = (stamp(here), stamp(there))
                && sequence(here) != sequence(there)
            {
                checked.find(
                    &*subject,
                    format!(
                        "{column} has the stamp {there}, and {here} in {}",
                        live.name
                    ),
                );
            }
        }
    }
    for key in others.keys() {
        let subject = format!("{} {key}", other.name);
        checked.find(subject, format!("{} does not have the row", live.name));
    }
}
