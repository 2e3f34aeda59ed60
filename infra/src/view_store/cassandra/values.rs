//! Values as the cluster keeps them.

use domain::values::Timestamp;
use domain::view::{Cells, Kind, Schema, Value};
use scylla::value::{CqlValue, Row};

use crate::view_store::{self, ViewError};

/// The bytes of a value decide between two of one timestamp, and are those of the embedded store.
pub fn to_cql(value: Value) -> CqlValue {
    match value {
        Value::Uuid(id) => CqlValue::Uuid(id),
        Value::Text(text) => CqlValue::Text(text),
        Value::Int(n) => CqlValue::BigInt(n),
        Value::Time(time) => CqlValue::BigInt(time.as_micros()),
        // Plain structs of strings and numbers, whose JSON cannot fail.
        Value::Items(items) => CqlValue::Text(serde_json::to_string(&items).unwrap_or_default()),
    }
}

/// A row of a partition, which has the rest of the key and all other columns of the schema.
pub fn row(schema: &Schema, mut row: Row) -> Result<view_store::Row, ViewError> {
    let rest_of_key = schema.key.get(1..).unwrap_or_default();
    let others = row
        .columns
        .split_off(rest_of_key.len().min(row.columns.len()));
    let rest = rest_of_key.iter().zip(row.columns);
    let rest = rest.map(|((name, kind), value)| {
        let value = value.and_then(|value| from_cql(*kind, value));
        value.ok_or_else(|| ViewError::Corrupt(format!("{name} of {}", schema.name)))
    });
    let row = Row { columns: others };
    Ok(view_store::Row {
        rest: rest.collect::<Result<_, _>>()?,
        cells: cells(schema, row)?,
    })
}

/// The cells of a row that has all columns of the schema beside the key, in its order.
pub fn cells(schema: &Schema, row: Row) -> Result<Cells, ViewError> {
    let columns = schema.columns.iter().zip(row.columns);
    let cells = columns.map(|(column, value)| {
        let read = |value| {
            from_cql(column.kind, value)
                .ok_or_else(|| ViewError::Corrupt(format!("{} of {}", column.name, schema.name)))
        };
        value.map(read).transpose()
    });
    cells.collect()
}

fn from_cql(kind: Kind, value: CqlValue) -> Option<Value> {
    Some(match (kind, value) {
        (Kind::Uuid, CqlValue::Uuid(id)) => Value::Uuid(id),
        (Kind::Text, CqlValue::Text(text)) => Value::Text(text),
        (Kind::Int, CqlValue::BigInt(n)) => Value::Int(n),
        (Kind::Time, CqlValue::BigInt(micros)) => Value::Time(Timestamp::from_micros(micros)),
        (Kind::Items, CqlValue::Text(json)) => Value::Items(serde_json::from_str(&json).ok()?),
        (Kind::Uuid | Kind::Text | Kind::Int | Kind::Time | Kind::Items, _) => return None,
    })
}
