//! The bytes of a row: its cells, each as column, stamp, kind, length and value.

use domain::values::Timestamp;
use domain::view::Value;
use uuid::Uuid;

use crate::view_store::{StampedCell, ViewError};

/// Cells by column.
pub type Row = Vec<StampedCell>;

/// Replaces cells by those with higher stamps; of two with one stamp the larger value stays.
pub fn merge(mut row: Row, cells: Vec<StampedCell>) -> Row {
    for cell in cells {
        match row.binary_search_by_key(&cell.column, |stored| stored.column) {
            Ok(at) => {
                let stored = &row[at];
                let wins = cell.stamp > stored.stamp
                    || (cell.stamp == stored.stamp && bytes(&cell.value) > bytes(&stored.value));
                if wins {
                    row[at] = cell;
                }
            }
            Err(at) => row.insert(at, cell),
        }
    }
    row
}

pub fn encode(row: &Row) -> Vec<u8> {
    let mut out = Vec::with_capacity(row.len() * 32);
    for cell in row {
        let bytes = bytes(&cell.value);
        out.push(u8::try_from(cell.column).unwrap_or(u8::MAX));
        out.extend_from_slice(&cell.stamp.to_be_bytes());
        out.push(tag(&cell.value));
        out.extend_from_slice(&len(&bytes).to_be_bytes());
        out.extend_from_slice(&bytes);
    }
    out
}

pub fn decode(bytes: &[u8]) -> Result<Row, ViewError> {
    let mut row = Row::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (cell, after) =
            read_cell(rest).ok_or_else(|| ViewError::Corrupt("a row of a view".into()))?;
        row.push(cell);
        rest = after;
    }
    Ok(row)
}

fn read_cell(bytes: &[u8]) -> Option<(StampedCell, &[u8])> {
    let (head, rest) = bytes.split_at_checked(14)?;
    let len = u32::from_be_bytes(head[10..14].try_into().ok()?) as usize;
    let (value, rest) = rest.split_at_checked(len)?;
    let cell = StampedCell {
        column: usize::from(head[0]),
        stamp: i64::from_be_bytes(head[1..9].try_into().ok()?),
        value: read_value(head[9], value)?,
    };
    Some((cell, rest))
}

const fn tag(value: &Value) -> u8 {
    match value {
        Value::Uuid(_) => 1,
        Value::Text(_) => 2,
        Value::Int(_) => 3,
        Value::Time(_) => 4,
        Value::Items(_) => 5,
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Uuid(id) => id.as_bytes().to_vec(),
        Value::Text(text) => text.as_bytes().to_vec(),
        Value::Int(n) => n.to_be_bytes().to_vec(),
        Value::Time(time) => time.as_micros().to_be_bytes().to_vec(),
        // Plain structs of strings and numbers, whose JSON cannot fail.
        Value::Items(items) => serde_json::to_vec(items).unwrap_or_default(),
    }
}

fn read_value(tag: u8, bytes: &[u8]) -> Option<Value> {
    let int = || Some(i64::from_be_bytes(bytes.try_into().ok()?));
    Some(match tag {
        1 => Value::Uuid(Uuid::from_slice(bytes).ok()?),
        2 => Value::Text(String::from_utf8(bytes.to_vec()).ok()?),
        3 => Value::Int(int()?),
        4 => Value::Time(Timestamp::from_micros(int()?)),
        5 => Value::Items(serde_json::from_slice(bytes).ok()?),
        _ => return None,
    })
}

/// Values are far smaller than 4 GiB: they come from facts.
fn len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
