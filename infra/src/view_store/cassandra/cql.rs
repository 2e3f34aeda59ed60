//! Statements, made from a view's schema.

use domain::view::{Kind, Schema};
use scylla::statement::Statement;

use crate::view_store::StampedCell;

/// The type of a column. None of them is a collection that is not frozen: overwriting one leaves
/// a tombstone.
pub fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Uuid => "uuid",
        Kind::Text | Kind::Items => "text",
        // A `timestamp` would keep milliseconds, and facts have microseconds.
        Kind::Int | Kind::Time => "bigint",
    }
}

/// Sets the columns of `cells`. Takes the stamp, the cells' values and the key.
pub fn update(schema: &Schema, table: &str, cells: &[StampedCell]) -> String {
    let columns = cells.iter().filter_map(|c| schema.columns.get(c.column));
    let set: Vec<_> = columns.map(|column| assign(column.name)).collect();
    format!(
        "UPDATE {table} USING TIMESTAMP ? SET {} WHERE {}",
        set.join(", "),
        of_key(schema)
    )
}

/// All columns beside the key, in the schema's order. Takes the key.
pub fn select(schema: &Schema, table: &str) -> String {
    let names: Vec<_> = schema.columns.iter().map(|column| column.name).collect();
    format!(
        "SELECT {} FROM {table} WHERE {}",
        names.join(", "),
        of_key(schema)
    )
}

/// A statement that may be sent again where nobody knows whether it was carried out.
pub fn idempotent(cql: impl Into<String>) -> Statement {
    let mut statement = Statement::new(cql);
    statement.set_is_idempotent(true);
    statement
}

fn of_key(schema: &Schema) -> String {
    let key: Vec<_> = schema.key.iter().map(|(name, _)| assign(name)).collect();
    key.join(" AND ")
}

fn assign(column: &str) -> String {
    format!("{column} = ?")
}

#[cfg(test)]
mod tests {
    use domain::view::Value;
    use domain::view::order_view::SCHEMA;

    use super::*;

    #[test]
    fn an_update_sets_the_columns_of_its_cells_with_their_stamp() {
        let cell = |column| StampedCell {
            column,
            value: Value::Int(1),
            stamp: 1024,
        };
        assert_eq!(
            update(&SCHEMA, "k.order_view", &[cell(4), cell(8)]),
            "UPDATE k.order_view USING TIMESTAMP ? \
             SET order_status = ?, order_version = ? WHERE order_id = ?"
        );
    }

    /// In both directions: names, types and the key.
    #[test]
    fn the_file_of_the_order_view_is_its_schema() {
        let file = include_str!("../../../../schemas/cassandra/order_view.cql");
        let lines = file.lines().map(str::trim);
        let lines: Vec<_> = lines
            .filter(|line| !line.is_empty() && !line.starts_with("--"))
            .collect();
        let key = |(name, kind): &(&str, Kind)| format!("{name} {} PRIMARY KEY,", type_of(*kind));
        let mut expected = vec![format!("CREATE TABLE IF NOT EXISTS {} (", SCHEMA.name)];
        expected.extend(SCHEMA.key.iter().map(key));
        for column in SCHEMA.columns {
            expected.push(format!("{} {},", column.name, type_of(column.kind)));
        }
        if let Some(last) = expected.last_mut() {
            last.pop();
        }
        expected.push(");".to_owned());
        assert_eq!(lines, expected);
    }
}
