//! What tables are there, and what they lack.

use std::collections::BTreeMap;

use domain::view::{Direction, Kind, Schema};
use scylla::client::session::Session;
use scylla::errors::DeserializationError;

use super::cql::{idempotent, type_of};
use super::unavailable::Unavailable;

/// A column as the cluster has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its type.
    pub of_type: String,
    /// Its number in the key and the order of rows by it; `None` beside the key.
    pub in_key: Option<(usize, Direction)>,
}

/// The columns of a table; none where there is no such table.
pub async fn columns(
    session: &Session,
    keyspace: &str,
    table: &str,
) -> Result<BTreeMap<String, Found>, Unavailable> {
    let cql = "SELECT column_name, type, kind, position, clustering_order \
               FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?";
    let found = session
        .query_unpaged(idempotent(cql), (keyspace, table))
        .await?;
    let unreadable = |e: &dyn std::fmt::Display| Unavailable::new(format!("system_schema: {e}"));
    let found = found.into_rows_result().map_err(|e| unreadable(&e))?;
    let rows = found
        .rows::<(String, String, String, i32, String)>()
        .map_err(|e| unreadable(&e))?;
    let columns = rows.map(|row| {
        let (name, of_type, kind, position, order) = row?;
        let in_key = in_key(&kind, position, &order);
        Ok((name, Found { of_type, in_key }))
    });
    columns
        .collect::<Result<_, DeserializationError>>()
        .map_err(|e| unreadable(&e))
}

/// The columns of the key are numbered in two groups, of which the first is of one column here.
fn in_key(kind: &str, position: i32, order: &str) -> Option<(usize, Direction)> {
    let position = usize::try_from(position).unwrap_or_default();
    match (kind, order) {
        ("partition_key", _) => Some((position, Direction::Ascending)),
        ("clustering", "desc") => Some((position + 1, Direction::Descending)),
        ("clustering", _) => Some((position + 1, Direction::Ascending)),
        _ => None,
    }
}

/// The columns of the schema that are not among `found`, with their types. Others may be there: a
/// newer program has added them.
///
/// # Errors
/// What is wrong, where the key, its order or the type of a column is another.
pub fn missing(
    schema: &'static Schema,
    found: &BTreeMap<String, Found>,
) -> Result<Vec<(&'static str, &'static str)>, String> {
    let mut missing = vec![];
    for (name, kind, in_key) in wanted(schema) {
        let of_type = type_of(kind);
        match found.get(name) {
            Some(found) if found.of_type != of_type => {
                let found = &found.of_type;
                return Err(format!("{name} is {found} and should be {of_type}"));
            }
            Some(found) if found.in_key != in_key => {
                return Err(format!(
                    "{name} has another place in the key, or another order"
                ));
            }
            Some(_) => {}
            None if in_key.is_some() => return Err(format!("its key has no {name}")),
            None => missing.push((name, of_type)),
        }
    }
    Ok(missing)
}

/// The columns that a table of the schema has: name, kind, and the place in the key.
fn wanted(
    schema: &'static Schema,
) -> impl Iterator<Item = (&'static str, Kind, Option<(usize, Direction)>)> {
    let key = schema.key.iter().enumerate().map(|(number, (name, kind))| {
        let direction = match number {
            0 => Direction::Ascending,
            _ => schema.direction,
        };
        (*name, *kind, Some((number, direction)))
    });
    key.chain(schema.columns.iter().map(|c| (c.name, c.kind, None)))
}

#[cfg(test)]
mod tests {
    use domain::view::order_view::SCHEMA;
    use domain::view::{order_timeline, orders_by_customer};

    use super::*;

    fn all(schema: &'static Schema) -> BTreeMap<String, Found> {
        let found = wanted(schema).map(|(name, kind, in_key)| {
            let of_type = type_of(kind).to_owned();
            (name.to_owned(), Found { of_type, in_key })
        });
        found.collect()
    }

    #[test]
    fn a_table_may_lack_columns_and_have_others() {
        let mut found = all(&SCHEMA);
        assert_eq!(missing(&SCHEMA, &found), Ok(vec![]));
        let later = Found {
            of_type: "text".to_owned(),
            in_key: None,
        };
        found.insert("of_a_later_revision".to_owned(), later);
        found.remove("payment_id");
        found.remove("items");
        let lacks = vec![("items", "text"), ("payment_id", "uuid")];
        assert_eq!(missing(&SCHEMA, &found), Ok(lacks));
    }

    #[test]
    fn a_table_with_another_type_or_key_is_another_table() {
        let mut found = all(&SCHEMA);
        let timestamp = Found {
            of_type: "timestamp".to_owned(),
            in_key: None,
        };
        found.insert("created_at".to_owned(), timestamp);
        let other = missing(&SCHEMA, &found).unwrap_err();
        assert_eq!(other, "created_at is timestamp and should be bigint");
        let mut found = all(&SCHEMA);
        found.remove("order_id");
        assert!(missing(&SCHEMA, &found).is_err());
    }

    #[test]
    fn a_table_with_another_order_of_rows_or_of_its_key_is_another_table() {
        let schema = &orders_by_customer::SCHEMA;
        assert_eq!(missing(schema, &all(schema)), Ok(vec![]));
        for other in [
            Some((1, Direction::Ascending)),
            Some((0, Direction::Ascending)),
            None,
        ] {
            let mut found = all(schema);
            found.get_mut("order_id").unwrap().in_key = other;
            assert!(missing(schema, &found).is_err(), "{other:?}");
        }
        let mut found = all(&order_timeline::SCHEMA);
        found.get_mut("stream").unwrap().in_key = Some((3, Direction::Ascending));
        assert!(missing(&order_timeline::SCHEMA, &found).is_err());
    }
}
