//! Values as the cluster keeps them.

use domain::values::Timestamp;
use domain::view::{Cells, Kind, Schema, Value};
use scylla::value::{CqlValue, Row};

use crate::view_store::{self, Scanned, StampedCell, ViewError};

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
pub fn row(schema: &Schema, row: Row) -> Result<view_store::Row, ViewError> {
    let rest_of_key = schema.key.get(1..).unwrap_or_default();
    let (rest, cells) = key_and_cells(schema, rest_of_key, row)?;
    Ok(view_store::Row {
        rest,
        cells: cells?,
    })
}

/// A row that has all of the key and all other columns of the schema.
pub fn scanned(schema: &Schema, row: Row) -> Result<Scanned, ViewError> {
    let (key, cells) = key_and_cells(schema, schema.key, row)?;
    Ok(Scanned {
        key,
        cells: cells.ok(),
    })
}

fn key_and_cells(
    schema: &Schema,
    key: &[(&str, Kind)],
    mut row: Row,
) -> Result<(Vec<Value>, Result<Cells, ViewError>), ViewError> {
    let others = row.columns.split_off(key.len().min(row.columns.len()));
    let key = key.iter().zip(row.columns).map(|((name, kind), value)| {
        let value = value.and_then(|value| from_cql(*kind, value));
        value.ok_or_else(|| ViewError::Corrupt(format!("{name} of {}", schema.name)))
    });
    let key = key.collect::<Result<_, _>>()?;
    Ok((key, cells(schema, Row { columns: others })))
}

/// The cells of a row that has all columns of the schema beside the key, in its order, each before
/// its timestamp.
pub fn stamped(schema: &Schema, row: Row) -> Result<Vec<StampedCell>, ViewError> {
    let mut stamps = vec![];
    let mut values = row.columns.into_iter();
    let mut columns = vec![];
    while let (Some(value), Some(stamp)) = (values.next(), values.next()) {
        columns.push(value);
        stamps.push(stamp.and_then(|stamp| stamp.as_bigint()));
    }
    let cells = cells(schema, Row { columns })?.into_iter().zip(stamps);
    let there = cells.enumerate().filter_map(|(column, (value, stamp))| {
        Some(StampedCell {
            column,
            value: value?,
            stamp: stamp?,
        })
    });
    Ok(there.collect())
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
