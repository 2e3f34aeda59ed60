//! Statements, made from a view's schema.

use domain::view::{Direction, Kind, Schema};
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

/// Makes a table of a view. `schemas/cassandra` has the first of each as a file, with its comments.
pub fn create(schema: &Schema, table: &str) -> String {
    let mut lines: Vec<String> = schema
        .key
        .iter()
        .chain(&columns(schema))
        .map(|(name, kind)| format!("    {name} {},", type_of(*kind)))
        .collect();
    let rest: Vec<_> = rest_of_key(schema).collect();
    let end = match (schema.key.first(), rest.is_empty()) {
        (Some((partition, _)), false) => {
            lines.push(format!(
                "    PRIMARY KEY (({partition}), {})",
                rest.join(", ")
            ));
            format!(
                ") WITH CLUSTERING ORDER BY ({});",
                ordered(schema, schema.direction)
            )
        }
        (Some((partition, _)), true) => {
            lines.push(format!("    PRIMARY KEY ({partition})"));
            ");".to_owned()
        }
        (None, _) => ");".to_owned(),
    };
    let begin = format!("CREATE TABLE IF NOT EXISTS {table} (");
    [vec![begin], lines, vec![end]].concat().join("\n")
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
    let names: Vec<_> = columns(schema).iter().map(|(name, _)| *name).collect();
    format!(
        "SELECT {} FROM {table} WHERE {}",
        names.join(", "),
        of_key(schema)
    )
}

/// All columns beside the key, each with its timestamp, in the schema's order. Takes the key.
pub fn stamped(schema: &Schema, table: &str) -> String {
    let columns = schema.columns.iter();
    let both = columns.map(|column| format!("{name}, WRITETIME({name})", name = column.name));
    format!(
        "SELECT {} FROM {table} WHERE {}",
        both.collect::<Vec<_>>().join(", "),
        of_key(schema)
    )
}

/// The key and all other columns of all rows.
pub fn scan(schema: &Schema, table: &str) -> String {
    let key = schema.key.iter().map(|(name, _)| *name);
    let columns = schema.columns.iter().map(|column| column.name);
    let names: Vec<_> = key.chain(columns).collect();
    format!("SELECT {} FROM {table}", names.join(", "))
}

/// The rest of the key and all other columns of rows of a partition, as they come in `direction`.
/// Takes the partition, the rest of the key of the row behind which to begin where there is one, and
/// how many.
pub fn list(schema: &Schema, table: &str, direction: Direction, behind: bool) -> String {
    let rest: Vec<_> = rest_of_key(schema).collect();
    let names = rest.iter().copied();
    let names: Vec<_> = names
        .chain(columns(schema).iter().map(|(name, _)| *name))
        .collect();
    let partition = schema.key.first().map_or("", |(name, _)| name);
    let mut cql = format!(
        "SELECT {} FROM {table} WHERE {}",
        names.join(", "),
        assign(partition)
    );
    if behind {
        let than = match direction {
            Direction::Ascending => ">",
            Direction::Descending => "<",
        };
        let values = vec!["?"; rest.len()].join(", ");
        cql.push_str(&format!(" AND ({}) {than} ({values})", rest.join(", ")));
    }
    cql.push_str(&format!(" ORDER BY {} LIMIT ?", ordered(schema, direction)));
    cql
}

/// A statement that may be sent again where nobody knows whether it was carried out.
pub fn idempotent(cql: impl Into<String>) -> Statement {
    let mut statement = Statement::new(cql);
    statement.set_is_idempotent(true);
    statement
}

fn columns(schema: &Schema) -> Vec<(&'static str, Kind)> {
    let columns = schema.columns.iter();
    columns.map(|column| (column.name, column.kind)).collect()
}

fn rest_of_key(schema: &Schema) -> impl Iterator<Item = &'static str> {
    schema.key.iter().skip(1).map(|(name, _)| *name)
}

fn ordered(schema: &Schema, direction: Direction) -> String {
    let word = word_of(direction);
    let columns: Vec<_> = rest_of_key(schema)
        .map(|name| format!("{name} {word}"))
        .collect();
    columns.join(", ")
}

/// What the cluster calls a direction.
fn word_of(direction: Direction) -> &'static str {
    match direction {
        Direction::Ascending => "ASC",
        Direction::Descending => "DESC",
    }
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
    use std::path::Path;

    use domain::view::order_view::SCHEMA;
    use domain::view::{ALL, Value, order_timeline};

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

    #[test]
    fn a_slice_of_a_partition_is_read_as_its_direction_goes() {
        let schema = &order_timeline::SCHEMA;
        let names = "occurred_at, stream, sequence, name, version, payload, causation, \
                     correlation, service, position";
        assert_eq!(
            list(schema, "k.t", Direction::Ascending, false),
            format!(
                "SELECT {names} FROM k.t WHERE order_id = ? \
                 ORDER BY occurred_at ASC, stream ASC, sequence ASC LIMIT ?"
            )
        );
        assert_eq!(
            list(schema, "k.t", Direction::Descending, true),
            format!(
                "SELECT {names} FROM k.t WHERE order_id = ? \
                 AND (occurred_at, stream, sequence) < (?, ?, ?) \
                 ORDER BY occurred_at DESC, stream DESC, sequence DESC LIMIT ?"
            )
        );
    }

    /// Names, types, the key and its order, in both directions.
    #[test]
    fn every_view_has_a_file_that_says_what_its_schema_says() {
        for view in ALL {
            let schema = view.schema();
            let file = format!("../schemas/cassandra/{}.cql", schema.name);
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let file = std::fs::read_to_string(&file)
                .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            let lines = file.lines();
            let lines: Vec<_> = lines
                .filter(|line| !line.is_empty() && !line.trim_start().starts_with("--"))
                .collect();
            let created = create(schema, schema.name);
            assert_eq!(lines, created.lines().collect::<Vec<_>>());
        }
    }
}
