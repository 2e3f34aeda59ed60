//! Cells by the raw driver: each statement prepared once, a row's statements as one unlogged batch
//! of its partition, so many rows at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use domain::view::{Schema, Value};
use futures::{StreamExt, TryStreamExt, stream};
use infra::view_store::StampedCell;
use scylla::client::session::Session;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::value::CqlValue;

use crate::watched::Kept;

/// Rows at a time: as ours.
const CONCURRENCY: usize = 32;

/// A row, ready to be sent.
pub enum Write {
    One(PreparedStatement, Vec<CqlValue>),
    Many(Box<Batch>, Vec<Vec<CqlValue>>),
}

/// Rows, ready to be sent, and how many cells they are.
pub struct Writes {
    pub rows: Vec<Write>,
    pub cells: usize,
}

/// Makes the rows ready for the first tables of their views in `keyspace`.
pub async fn prepare(
    session: &Session,
    keyspace: &str,
    patches: &[Kept],
) -> anyhow::Result<Writes> {
    let mut known: HashMap<String, PreparedStatement> = HashMap::new();
    let mut writes = Writes {
        rows: Vec::with_capacity(patches.len()),
        cells: 0,
    };
    for (schema, patch) in patches {
        let table = format!("{keyspace}.{}", schema.name);
        let key: Vec<CqlValue> = patch.key.iter().map(to_cql).collect::<Result<_, _>>()?;
        let mut cells = patch.cells.clone();
        cells.sort_by_key(|cell| (cell.stamp, cell.column));
        writes.cells += cells.len();
        let mut statements = vec![];
        for group in cells.chunk_by(|a, b| a.stamp == b.stamp) {
            let cql = update(&table, schema, group);
            let statement = match known.get(&cql) {
                Some(statement) => statement.clone(),
                None => {
                    let mut statement = session.prepare(cql.as_str()).await?;
                    statement.set_is_idempotent(true);
                    known.entry(cql).or_insert(statement).clone()
                }
            };
            let stamp = group.first().map_or(0, |cell| cell.stamp);
            let mut values = vec![CqlValue::BigInt(stamp)];
            for cell in group {
                values.push(to_cql(&cell.value)?);
            }
            values.extend(key.iter().cloned());
            statements.push((statement, values));
        }
        writes.rows.push(match statements.len() {
            1 => {
                let (statement, values) = statements.remove(0);
                Write::One(statement, values)
            }
            _ => {
                let mut batch = Batch::new(BatchType::Unlogged);
                batch.set_is_idempotent(true);
                let mut bound = vec![];
                for (statement, values) in statements {
                    batch.append_statement(statement);
                    bound.push(values);
                }
                Write::Many(Box::new(batch), bound)
            }
        });
    }
    Ok(writes)
}

impl Writes {
    /// Writes all rows, and says how many cells a second.
    pub async fn send(&self, session: &Arc<Session>) -> anyhow::Result<f64> {
        let begun = Instant::now();
        stream::iter(&self.rows)
            .map(Ok)
            .try_for_each_concurrent(CONCURRENCY, |row| one(session, row))
            .await?;
        Ok(self.cells as f64 / begun.elapsed().as_secs_f64())
    }

    /// The same, in rows.
    pub async fn send_rows(&self, session: &Arc<Session>) -> anyhow::Result<f64> {
        let cells = self.send(session).await?;
        Ok(cells * self.rows.len() as f64 / self.cells.max(1) as f64)
    }

    /// Writes one of them, and no other at the time.
    pub async fn send_one(&self, session: &Session, n: usize) -> anyhow::Result<()> {
        one(session, &self.rows[n % self.rows.len()]).await
    }
}

async fn one(session: &Session, row: &Write) -> anyhow::Result<()> {
    match row {
        Write::One(statement, values) => {
            session.execute_unpaged(statement, values).await?;
        }
        Write::Many(batch, values) => {
            session.batch(batch, values).await?;
        }
    }
    Ok(())
}

fn update(table: &str, schema: &Schema, cells: &[StampedCell]) -> String {
    let columns = cells
        .iter()
        .filter_map(|cell| schema.columns.get(cell.column));
    let set: Vec<_> = columns
        .map(|column| format!("{} = ?", column.name))
        .collect();
    let key: Vec<_> = schema
        .key
        .iter()
        .map(|(name, _)| format!("{name} = ?"))
        .collect();
    format!(
        "UPDATE {table} USING TIMESTAMP ? SET {} WHERE {}",
        set.join(", "),
        key.join(" AND ")
    )
}

fn to_cql(value: &Value) -> anyhow::Result<CqlValue> {
    Ok(match value {
        Value::Uuid(id) => CqlValue::Uuid(*id),
        Value::Text(text) => CqlValue::Text(text.clone()),
        Value::Int(n) => CqlValue::BigInt(*n),
        Value::Time(time) => CqlValue::BigInt(time.as_micros()),
        Value::Items(items) => CqlValue::Text(serde_json::to_string(items)?),
    })
}
