//! What tables are there, and what they lack.

use std::collections::BTreeMap;

use domain::view::Schema;
use scylla::client::session::Session;

use super::cql::{idempotent, type_of};
use super::unavailable::Unavailable;

/// The columns of a table and their types; none where there is no such table.
pub async fn columns(
    session: &Session,
    keyspace: &str,
    table: &str,
) -> Result<BTreeMap<String, String>, Unavailable> {
    let cql = "SELECT column_name, type FROM system_schema.columns \
               WHERE keyspace_name = ? AND table_name = ?";
    let found = session
        .query_unpaged(idempotent(cql), (keyspace, table))
        .await?;
    let unreadable = |e: &dyn std::fmt::Display| Unavailable::new(format!("system_schema: {e}"));
    let found = found.into_rows_result().map_err(|e| unreadable(&e))?;
    let rows = found
        .rows::<(String, String)>()
        .map_err(|e| unreadable(&e))?;
    rows.collect::<Result<_, _>>().map_err(|e| unreadable(&e))
}

/// The columns of the schema that are not among `found`, with their types. Others may be there: a
/// newer program has added them.
///
/// # Errors
/// What is wrong, where the key or the type of a column is another.
pub fn missing(
    schema: &'static Schema,
    found: &BTreeMap<String, String>,
) -> Result<Vec<(&'static str, &'static str)>, String> {
    let columns = schema.columns.iter().map(|c| (c.name, c.kind, false));
    let key = schema.key.iter().map(|(name, kind)| (*name, *kind, true));
    let mut missing = vec![];
    for (name, kind, is_key) in key.chain(columns) {
        let expected = type_of(kind);
        match found.get(name) {
            Some(found) if found == expected => {}
            Some(found) => return Err(format!("{name} is {found} and should be {expected}")),
            None if is_key => return Err(format!("its key has no {name}")),
            None => missing.push((name, expected)),
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use domain::view::order_view::SCHEMA;

    use super::*;

    fn all() -> BTreeMap<String, String> {
        let columns = SCHEMA.columns.iter().map(|c| (c.name, c.kind));
        let columns = columns.chain(SCHEMA.key.iter().copied());
        columns
            .map(|(name, kind)| (name.to_owned(), type_of(kind).to_owned()))
            .collect()
    }

    #[test]
    fn a_table_may_lack_columns_and_have_others() {
        let mut found = all();
        assert_eq!(missing(&SCHEMA, &found), Ok(vec![]));
        found.insert("of_a_later_revision".to_owned(), "text".to_owned());
        found.remove("payment_id");
        found.remove("items");
        let lacks = vec![("items", "text"), ("payment_id", "uuid")];
        assert_eq!(missing(&SCHEMA, &found), Ok(lacks));
    }

    #[test]
    fn a_table_with_another_type_or_key_is_another_table() {
        let mut found = all();
        found.insert("created_at".to_owned(), "timestamp".to_owned());
        let other = missing(&SCHEMA, &found).unwrap_err();
        assert_eq!(other, "created_at is timestamp and should be bigint");
        let mut found = all();
        found.remove("order_id");
        assert!(missing(&SCHEMA, &found).is_err());
    }
}
