//! Cells by the number of their column, for the rows that readers see.

use uuid::Uuid;

use crate::values::{Item, Timestamp};

use super::{Cell, Cells, Value};

/// What a fact writes, as it is put together.
#[derive(Default)]
pub(super) struct Writes(pub Vec<Cell>);

impl Writes {
    pub fn set(&mut self, column: usize, value: Value) {
        self.0.push(Cell { column, value });
    }

    pub fn text(&mut self, column: usize, text: impl Into<String>) {
        self.set(column, Value::Text(text.into()));
    }

    /// Amounts, sequences and positions stay far below 2^63.
    pub fn number(&mut self, column: usize, n: u64) {
        self.set(column, Value::Int(i64::try_from(n).unwrap_or(i64::MAX)));
    }
}

/// The cells of a row, each as what its column holds; `None` where no fact has written it.
pub(super) struct Reader<'a>(pub &'a Cells);

impl Reader<'_> {
    fn at(&self, column: usize) -> Option<&Value> {
        self.0.get(column)?.as_ref()
    }

    pub fn text(&self, column: usize) -> Option<String> {
        let Value::Text(text) = self.at(column)? else {
            return None;
        };
        Some(text.clone())
    }

    pub fn int(&self, column: usize) -> Option<i64> {
        let Value::Int(n) = self.at(column)? else {
            return None;
        };
        Some(*n)
    }

    /// A number that is never below 0.
    pub fn number(&self, column: usize) -> Option<u64> {
        u64::try_from(self.int(column)?).ok()
    }

    pub fn time(&self, column: usize) -> Option<Timestamp> {
        let Value::Time(time) = self.at(column)? else {
            return None;
        };
        Some(*time)
    }

    pub fn uuid(&self, column: usize) -> Option<Uuid> {
        let Value::Uuid(id) = self.at(column)? else {
            return None;
        };
        Some(*id)
    }

    pub fn items(&self, column: usize) -> Option<Vec<Item>> {
        let Value::Items(items) = self.at(column)? else {
            return None;
        };
        Some(items.clone())
    }
}
