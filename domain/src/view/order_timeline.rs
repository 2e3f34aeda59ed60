//! Everything that happened to an order, one row a fact, in the order in which it happened.

use crate::values::{OrderId, Timestamp};
use crate::{Category, FactId, Position, Recorded, Sequence, StreamId, View, Written};

use super::cells::{Reader, Writes};
use super::{Cells, Column, Direction, Kind, Patch, Schema, Value, Versions};

/// The timeline of an order: what, when, caused by which fact, in which service.
///
/// A row holds a fact as its log has it, letter for letter and in the version in which it was
/// written, so that a row never differs from the log because the program has changed. Facts of
/// stock are not among them: they are about a SKU, and the reservation says what became of it.
pub struct OrderTimeline;

/// The numbers of the columns in [`SCHEMA`].
mod column {
    pub const NAME: usize = 0;
    pub const VERSION: usize = 1;
    pub const PAYLOAD: usize = 2;
    pub const CAUSATION: usize = 3;
    pub const CORRELATION: usize = 4;
    pub const SERVICE: usize = 5;
    pub const POSITION: usize = 6;
}

/// The table.
pub static SCHEMA: Schema = Schema {
    name: "order_timeline",
    revision: 1,
    key: &[
        ("order_id", Kind::Uuid),
        ("occurred_at", Kind::Time),
        ("stream", Kind::Text),
        ("sequence", Kind::Int),
    ],
    direction: Direction::Ascending,
    columns: &[
        Column::of_own_fact("name", Kind::Text),
        Column::of_own_fact("version", Kind::Text),
        Column::of_own_fact("payload", Kind::Text),
        Column::of_own_fact("causation", Kind::Text),
        Column::of_own_fact("correlation", Kind::Text),
        Column::of_own_fact("service", Kind::Text),
        Column::of_own_fact("position", Kind::Int),
    ],
};

impl View for OrderTimeline {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn project(&self, recorded: &Recorded) -> Option<Patch> {
        let order = recorded.order_id()?;
        let written = recorded.written.as_ref()?;
        let category = recorded.fact.category();
        let place = Place {
            occurred_at: recorded.time,
            category,
            sequence: recorded.id.sequence,
        };
        let mut cells = Writes::default();
        cells.text(column::NAME, recorded.fact.name());
        cells.text(column::VERSION, written.version.as_str());
        cells.text(column::PAYLOAD, written.payload.as_str());
        cells.text(column::CAUSATION, recorded.causation.as_str());
        cells.text(column::CORRELATION, recorded.correlation.as_str());
        cells.text(column::SERVICE, category.service().name());
        cells.number(column::POSITION, recorded.position);
        let mut key = vec![Value::Uuid(order.0)];
        key.extend(place.values());
        Some(Patch {
            key,
            sequence: recorded.id.sequence,
            cells: cells.0,
        })
    }

    fn versions(&self, _: &Cells) -> Option<Versions> {
        None
    }
}

/// Where a fact stands in the timeline of its order: the rest of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The kind of its stream.
    pub category: Category,
    /// Its number there.
    pub sequence: Sequence,
}

impl Place {
    /// The values of the key behind the order.
    pub fn values(&self) -> [Value; 3] {
        // Sequences stay far below 2^63.
        let sequence = i64::try_from(self.sequence).unwrap_or(i64::MAX);
        [
            Value::Time(self.occurred_at),
            Value::Text(self.category.name().to_owned()),
            Value::Int(sequence),
        ]
    }

    /// Reads the values of a key behind the order; `None` where it is none.
    pub fn read(values: &[Value]) -> Option<Self> {
        let [
            Value::Time(occurred_at),
            Value::Text(stream),
            Value::Int(sequence),
        ] = values
        else {
            return None;
        };
        Some(Self {
            occurred_at: *occurred_at,
            category: Category::named(stream)?,
            sequence: u64::try_from(*sequence).ok()?,
        })
    }
}

/// A row as its readers see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When it happened, in which stream, as which of its facts.
    pub place: Place,
    /// The fact's id.
    pub id: FactId,
    /// Its name.
    pub name: String,
    /// What it says, as it was recorded.
    pub written: Written,
    /// The id of the fact or command behind it.
    pub causation: String,
    /// What its chain of causes is about.
    pub correlation: String,
    /// Its number within the log of its service.
    pub position: Position,
}

impl Entry {
    /// Reads a row of `order`, by the rest of its key; `None` where it is none.
    pub fn read(order: OrderId, rest_of_key: &[Value], cells: &Cells) -> Option<Self> {
        let place = Place::read(rest_of_key)?;
        let row = Reader(cells);
        Some(Self {
            id: StreamId::of(place.category, order).fact(place.sequence),
            place,
            name: row.text(column::NAME)?,
            written: Written {
                version: row.text(column::VERSION)?,
                payload: row.text(column::PAYLOAD)?,
            },
            causation: row.text(column::CAUSATION)?,
            correlation: row.text(column::CORRELATION)?,
            position: row.number(column::POSITION)?,
        })
    }
}

#[cfg(test)]
mod tests;
