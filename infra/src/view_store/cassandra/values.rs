//! Values as the cluster keeps them.

use domain::values::Timestamp;
use domain::view::{Cells, Kind, Schema, Value};
use scylla::value::{CqlValue, Row};

use crate::view_store::ViewError;

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

/// The cells of a row that has all columns of the schema, in its order.
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
