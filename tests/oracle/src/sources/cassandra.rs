use std::collections::BTreeMap;

use anyhow::{Result, bail};
use futures::TryStreamExt;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Statement;
use scylla::value::{CqlValue, Row as CqlRow};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Servers;
use super::postgres::{parked_of, service_of};
use crate::World;
use crate::evidence::{Cell, Origin, Row, Table};
use crate::views::{self, View};

/// How many rows are read at once.
const PAGE: i32 = 500;

pub async fn read(servers: &Servers, world: &mut World) -> Result<()> {
    let nodes = servers.cassandra.split(',');
    let session = SessionBuilder::new().known_nodes(nodes).build().await?;
    let keyspace = format!("{}delivery_query", servers.prefix);
    let names = tables(&session, &keyspace).await?;
    parked(&session, &keyspace, servers, world).await?;
    let mut generations = generations(&session, &keyspace, &names).await?;
    for view in &views::ALL {
        let first = Generation {
            number: 1,
            state: "live".to_owned(),
        };
        let all = generations.remove(view.name).unwrap_or_else(|| vec![first]);
        for generation in all.into_iter().filter(Generation::is_whole) {
            let name = generation.table(view);
            let rows = rows(&session, &keyspace, view, &name).await?;
            world.tables.push(Table {
                view: view.name.to_owned(),
                name,
                live: generation.state == "live",
                rows,
            });
        }
    }
    Ok(())
}

async fn tables(session: &Session, keyspace: &str) -> Result<Vec<String>> {
    let select =
        format!("SELECT table_name FROM system_schema.tables WHERE keyspace_name = '{keyspace}'");
    let rows = select_all(session, &select).await?;
    let names = rows
        .into_iter()
        .filter_map(|row| match row.into_iter().next() {
            Some(Some(CqlValue::Text(name))) => Some(name),
            _ => None,
        });
    Ok(names.collect())
}

/// The generations of each view, where that was ever written down: a view that was never rebuilt has
/// its first table alone.
async fn generations(
    session: &Session,
    keyspace: &str,
    names: &[String],
) -> Result<BTreeMap<String, Vec<Generation>>> {
    #[derive(Deserialize)]
    struct Written {
        all: Vec<Generation>,
    }
    let mut found = BTreeMap::new();
    if !names.iter().any(|name| name == "view_generations") {
        return Ok(found);
    }
    let select = format!("SELECT view_name, generations FROM {keyspace}.view_generations");
    for row in select_all(session, &select).await? {
        let [Some(CqlValue::Text(view)), Some(CqlValue::Text(written))] = row.as_slice() else {
            bail!("the generations of a view are stored as {row:?}");
        };
        let Written { all } = serde_json::from_str(written)?;
        found.insert(view.clone(), all);
    }
    Ok(found)
}

/// A table of a view.
#[derive(Clone, Deserialize)]
struct Generation {
    number: u32,
    /// In kebab case.
    state: String,
}

impl Generation {
    fn table(&self, view: &View) -> String {
        match self.number {
            1 => view.name.to_owned(),
            number => format!("{}_g{number}", view.name),
        }
    }

    /// Whether its rows are to be what the logs say.
    fn is_whole(&self) -> bool {
        ["live", "kept"].contains(&&*self.state)
    }
}

async fn rows(session: &Session, keyspace: &str, view: &View, table: &str) -> Result<Vec<Row>> {
    let key = view.key.iter().map(|column| (*column).to_owned());
    let cells = view.columns.iter();
    let cells = cells.flat_map(|column| [(*column).to_owned(), format!("WRITETIME({column})")]);
    let columns: Vec<_> = key.chain(cells).collect();
    let select = format!("SELECT {} FROM {keyspace}.{table}", columns.join(", "));
    let mut all = vec![];
    for row in select_all(session, &select).await? {
        let mut values = row.into_iter();
        let key = values.by_ref().take(view.key.len());
        let key = key
            .map(|value| json_of("key", value))
            .collect::<Result<_>>()?;
        let mut cells = BTreeMap::new();
        for column in view.columns {
            let (value, stamp) = (values.next().flatten(), values.next().flatten());
            let Some(value) = value else {
                continue;
            };
            let stamp = match stamp {
                Some(CqlValue::BigInt(stamp)) => Some(stamp),
                _ => None,
            };
            let value = json_of(column, Some(value))?;
            cells.insert((*column).to_owned(), Cell { value, stamp });
        }
        all.push(Row { key, cells });
    }
    Ok(all)
}

fn json_of(column: &str, value: Option<CqlValue>) -> Result<Value> {
    Ok(match value {
        Some(CqlValue::Text(text)) if column == "items" => serde_json::from_str(&text)?,
        Some(CqlValue::Text(text)) => json!(text),
        Some(CqlValue::BigInt(number)) => json!(number),
        Some(CqlValue::Uuid(id)) => json!(id.to_string()),
        None => Value::Null,
        Some(other) => bail!("{column} holds {other:?}"),
    })
}

async fn parked(
    session: &Session,
    keyspace: &str,
    servers: &Servers,
    world: &mut World,
) -> Result<()> {
    let select = format!(
        "SELECT consumer_group, topic, record_key, partition, record_offset, open, fact \
         FROM {keyspace}.parked"
    );
    for row in select_all(session, &select).await? {
        let [
            Some(CqlValue::Text(group)),
            Some(CqlValue::Text(topic)),
            Some(CqlValue::Text(key)),
            Some(CqlValue::Int(partition)),
            Some(CqlValue::BigInt(offset)),
            Some(CqlValue::Boolean(open)),
            Some(CqlValue::Text(fact)),
        ] = row.as_slice()
        else {
            bail!("a dead letter is stored as {row:?}");
        };
        let from = Origin {
            group: group.clone(),
            service: service_of(topic, &servers.prefix)?,
            partition: *partition,
            offset: *offset,
        };
        let parked = parked_of(from, key.clone(), *open, fact)?;
        world.parked.push(parked);
    }
    Ok(())
}

/// All rows, page by page.
async fn select_all(session: &Session, select: &str) -> Result<Vec<Vec<Option<CqlValue>>>> {
    let mut statement = Statement::new(select);
    statement.set_page_size(PAGE);
    let pages = session.query_iter(statement, ()).await?;
    let rows = pages.rows_stream::<CqlRow>()?;
    let rows: Vec<CqlRow> = rows.try_collect().await?;
    Ok(rows.into_iter().map(|row| row.columns).collect())
}
