//! I7: the views show what the logs say, and nothing else.

use crate::evidence::{Cell, Row, Table};
use crate::views::{self, STAMPS_PER_SEQUENCE, View};
use crate::{Case, Checked};

/// Each view equals a fold of the log, every cell with its stamp, and has no other rows.
pub fn views(case: &Case<'_>) -> Checked {
    let mut checked = Checked::new(
        "I7",
        "the views equal a fold of the log, every cell, and have no extra rows",
    );
    for table in case.world.tables.iter().filter(|table| table.live) {
        match views::named(&table.view) {
            Some(view) => as_folded(view, table, case, &mut checked),
            None => checked.find(&table.view, "there is no such view"),
        }
    }
    for view in views::ALL {
        let mut tables = case.world.tables.iter();
        let live = tables.any(|table| table.live && table.view == view.name);
        if !live && !case.world.tables.is_empty() {
            let note = format!("{} was not looked at", view.name);
            checked.notes.push(note);
        }
    }
    checked
}

fn as_folded(view: &View, table: &Table, case: &Case<'_>, checked: &mut Checked) {
    let mut expected = views::expected(view, case);
    for row in &table.rows {
        let key = serde_json::Value::Array(row.key.clone()).to_string();
        let subject = format!("{} {key}", table.name);
        checked.looked_at("rows", 1);
        match expected.remove(&key) {
            Some(wanted) => same_cells(&subject, &wanted, row, checked),
            None => checked.find(subject, "no fact writes this row"),
        }
    }
    for key in expected.keys() {
        checked.find(format!("{} {key}", table.name), "the row is missing");
    }
}

fn same_cells(subject: &str, wanted: &Row, row: &Row, checked: &mut Checked) {
    for (column, cell) in &wanted.cells {
        checked.looked_at("cells", 1);
        let Some(Cell { value, stamp }) = row.cells.get(column) else {
            let what = format!("{column} is missing, and should be {}", cell.value);
            checked.find(subject, what);
            continue;
        };
        if *value != cell.value {
            checked.find(
                subject,
                format!("{column} is {value}, and should be {}", cell.value),
            );
        }
        let (Some(stamp), Some(expected)) = (*stamp, cell.stamp) else {
            continue;
        };
        checked.looked_at("stamps", 1);
        if stamp.div_euclid(STAMPS_PER_SEQUENCE) != expected / STAMPS_PER_SEQUENCE {
            let sequence = expected / STAMPS_PER_SEQUENCE;
            let what = format!("{column} has the stamp {stamp}, and the fact {sequence} wrote it");
            checked.find(subject, what);
        }
    }
    for column in row
        .cells
        .keys()
        .filter(|column| !wanted.cells.contains_key(*column))
    {
        let value = &row.cells[column].value;
        checked.find(
            subject,
            format!("{column} is {value}, and no fact writes it"),
        );
    }
}
