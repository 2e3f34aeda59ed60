//! Makes the keyspace and its tables, and adds columns that are new.
//!
//! Safe to repeat, and repeated by itself where the cluster refuses. A column that is new goes to the
//! tables of all generations: the program that asks for it may read any of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::time::Duration;

use domain::view::{Schema, View};
use scylla::client::session::Session;
use tokio::time::timeout;

use super::change::{Tries, agreed, change};
use super::cql::{self, idempotent};
use super::generations;
use super::parked;
use super::place::CassandraPlace;
use super::tables::{self, Found};
use super::unavailable::Unavailable;
use crate::view_store::{State, Table};

const KEYSPACE: &str = include_str!("../../../../schemas/cassandra/keyspace.cql");

const PARKED: &str = include_str!("../../../../schemas/cassandra/parked.cql");

const GENERATIONS: &str = include_str!("../../../../schemas/cassandra/view_generations.cql");

/// The table that is made last: where it is, all are.
pub const LAST: &str = generations::TABLE;

/// How long to wait for the cluster.
const CONNECT: Duration = Duration::from_secs(10);

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The keyspace.
    pub keyspace: String,
    /// It did not exist.
    pub created: bool,
    /// The tables that did not exist.
    pub tables: Vec<String>,
    /// The columns that were added to others, as `table.column`.
    pub columns: Vec<String>,
}

/// Why a keyspace was not migrated. What was made before that stays, and does no harm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    /// There is no such datacenter.
    #[error("the cluster has no datacenter {asked}, but {found}")]
    Datacenter {
        /// The one that was asked for.
        asked: String,
        /// Those that it has.
        found: String,
    },
    /// Most writes and reads would fail.
    #[error("the datacenter has {nodes} nodes, which cannot keep {replication} copies")]
    TooFewNodes {
        /// How many it has.
        nodes: usize,
        /// How many copies were asked for.
        replication: u16,
    },
    /// It is there, and kept otherwise than asked for.
    #[error(
        "the keyspace {keyspace} has the replication {found}, and {asked} was asked for: \
         change it with ALTER KEYSPACE and repair it, or ask for what it has; nothing was changed"
    )]
    Replication {
        /// Which.
        keyspace: String,
        /// How it is kept.
        found: String,
        /// How it should be.
        asked: String,
    },
    /// A table is there that is not ours.
    #[error("the table {table} is not the table of this program: {other}")]
    OtherTable {
        /// Which.
        table: String,
        /// What is different.
        other: String,
    },
    /// The cluster cannot be reached, or refuses.
    #[error("cannot {doing}: {cause}")]
    Failed {
        /// What was tried.
        doing: String,
        /// What the cluster said.
        cause: String,
    },
}

/// Makes what is missing at `place`: the keyspace, of whose rows the datacenter keeps
/// `replication` copies; the tables of `views`; and columns that are new, in each table that a
/// generation has. Returns once all nodes know it.
///
/// # Errors
/// [`MigrateError`]
pub async fn migrate_keyspace(
    place: &CassandraPlace,
    replication: u16,
    views: &[&'static dyn View],
) -> Result<Migrated, MigrateError> {
    let session = connect(place).await?;
    enough_nodes(&session, place, replication)?;
    let mut migrated = Migrated {
        keyspace: place.keyspace(),
        created: false,
        tables: vec![],
        columns: vec![],
    };
    let mut tries = Tries::default();
    loop {
        let made = make(&session, place, replication, views, &mut migrated).await;
        let passing = matches!(made, Err(MigrateError::Failed { .. }));
        if !passing || !tries.again().await {
            return made.map(|()| migrated);
        }
    }
}

/// Makes what is missing, and adds it to `migrated`.
async fn make(
    session: &Session,
    place: &CassandraPlace,
    replication: u16,
    views: &[&'static dyn View],
    migrated: &mut Migrated,
) -> Result<(), MigrateError> {
    migrated.created |= make_keyspace(session, place, replication).await?;
    let keyspace = &migrated.keyspace;
    let used = session.use_keyspace(keyspace, false).await;
    used.map_err(failed(&format!("use the keyspace {keyspace}")))?;
    let found = columns(session, generations::TABLE, migrated).await?;
    let kept = !found.is_empty();
    for view in views {
        let schema = view.schema();
        for (table, state) in tables_of(session, schema, kept, migrated).await? {
            make_view(session, schema, &table, state, migrated).await?;
        }
    }
    for (name, cql) in [(parked::TABLE, PARKED), (LAST, GENERATIONS)] {
        if columns(session, name, migrated).await?.is_empty() {
            make_table(session, name, cql, migrated).await?;
        }
    }
    let agreed = agreed(session).await;
    agreed.map_err(failed("have all nodes agree on the schema"))
}

/// The tables that a view has or should have, and what they are there for; the first where nothing
/// was said of its generations.
async fn tables_of(
    session: &Session,
    schema: &'static Schema,
    kept: bool,
    migrated: &Migrated,
) -> Result<Vec<(Table, State)>, MigrateError> {
    let stored = match kept {
        true => generations::read(session, &migrated.keyspace, schema.name).await,
        false => Ok(None),
    };
    let Some(stored) = stored.map_err(failed("read the generations"))? else {
        let name = schema.name.to_owned();
        return Ok(vec![(Table { name }, State::Live)]);
    };
    let all = stored.all.iter();
    let there = all.filter(|generation| generation.state != State::Dropped);
    Ok(there.map(|g| (g.table(schema), g.state)).collect())
}

async fn connect(place: &CassandraPlace) -> Result<Session, MigrateError> {
    let doing = "connect to the cluster";
    match timeout(CONNECT, place.session().build()).await {
        Ok(opened) => opened.map_err(|e| failed(doing)(Unavailable::from(e))),
        Err(_) => Err(failed(doing)(Unavailable::no_answer(CONNECT))),
    }
}

fn enough_nodes(
    session: &Session,
    place: &CassandraPlace,
    replication: u16,
) -> Result<(), MigrateError> {
    let cluster = session.get_cluster_state();
    let datacenters = cluster.get_nodes_info().iter();
    let datacenters: Vec<_> = datacenters
        .filter_map(|n| n.datacenter.as_deref())
        .collect();
    let nodes = datacenters.iter().filter(|dc| **dc == place.datacenter());
    match nodes.count() {
        0 => {
            let found: BTreeSet<_> = datacenters.into_iter().collect();
            let found: Vec<_> = found.into_iter().collect();
            Err(MigrateError::Datacenter {
                asked: place.datacenter().to_owned(),
                found: found.join(", "),
            })
        }
        nodes if nodes < usize::from(replication) => {
            Err(MigrateError::TooFewNodes { nodes, replication })
        }
        _ => Ok(()),
    }
}

/// Makes the keyspace, and says whether it did not exist.
async fn make_keyspace(
    session: &Session,
    place: &CassandraPlace,
    replication: u16,
) -> Result<bool, MigrateError> {
    let keyspace = place.keyspace();
    let (datacenter, asked) = (place.datacenter(), replication.to_string());
    if let Some(found) = replication_of(session, &keyspace).await? {
        let class = found.get("class").map_or("", String::as_str);
        if class.ends_with("NetworkTopologyStrategy") && found.get(datacenter) == Some(&asked) {
            return Ok(false);
        }
        return Err(MigrateError::Replication {
            keyspace,
            found: format!("{found:?}"),
            asked: format!("{datacenter}: {asked}"),
        });
    }
    let cql = KEYSPACE
        .replace("{keyspace}", &keyspace)
        .replace("{datacenter}", datacenter)
        .replace("{replication}", &asked);
    let made = change(session, &cql).await;
    made.map_err(failed(&format!("create the keyspace {keyspace}")))?;
    Ok(true)
}

async fn replication_of(
    session: &Session,
    keyspace: &str,
) -> Result<Option<BTreeMap<String, String>>, MigrateError> {
    let doing = "look what is there";
    let cql = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?";
    let found = session.query_unpaged(idempotent(cql), (keyspace,)).await;
    let found = found.map_err(|e| failed(doing)(Unavailable::from(e)))?;
    let found = found.into_rows_result().map_err(failed(doing))?;
    let row = found.maybe_first_row::<(BTreeMap<String, String>,)>();
    Ok(row
        .map_err(failed(doing))?
        .map(|(replication,)| replication))
}

/// Makes a table of a view, or adds the columns that it lacks. One that is being built is made by who
/// builds it.
async fn make_view(
    session: &Session,
    schema: &'static Schema,
    table: &Table,
    state: State,
    migrated: &mut Migrated,
) -> Result<(), MigrateError> {
    let name = table.name.as_str();
    let found = columns(session, name, migrated).await?;
    if found.is_empty() {
        if state == State::Building {
            return Ok(());
        }
        return make_table(session, name, &cql::create(schema, name), migrated).await;
    }
    let missing = tables::missing(schema, &found).map_err(|other| MigrateError::OtherTable {
        table: name.to_owned(),
        other,
    })?;
    for (column, of_type) in missing {
        let cql = format!("ALTER TABLE {name} ADD {column} {of_type}");
        let added = change(session, &cql).await;
        added.map_err(failed(&format!("add the column {name}.{column}")))?;
        migrated.columns.push(format!("{name}.{column}"));
    }
    Ok(())
}

async fn columns(
    session: &Session,
    table: &str,
    migrated: &Migrated,
) -> Result<BTreeMap<String, Found>, MigrateError> {
    let found = tables::columns(session, &migrated.keyspace, table).await;
    found.map_err(failed("look what is there"))
}

async fn make_table(
    session: &Session,
    name: &str,
    cql: &str,
    migrated: &mut Migrated,
) -> Result<(), MigrateError> {
    let made = change(session, cql).await;
    made.map_err(failed(&format!("create the table {name}")))?;
    migrated.tables.push(name.to_owned());
    Ok(())
}

fn failed<E: Display>(doing: &str) -> impl Fn(E) -> MigrateError {
    move |e| MigrateError::Failed {
        doing: doing.to_owned(),
        cause: e.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use domain::view;

    use super::*;

    /// That those of views say what is made is shown beside [`cql::create`].
    #[test]
    fn every_file_in_the_folder_is_a_table_or_the_keyspace() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/cassandra");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| {
            let name = entry.unwrap().file_name();
            name.to_str().unwrap().trim_end_matches(".cql").to_owned()
        });
        let names: BTreeSet<String> = names.collect();
        let views = view::ALL.iter().map(|view| view.schema().name);
        let known = views.chain([parked::TABLE, LAST, "keyspace"]);
        assert_eq!(names, known.map(str::to_owned).collect());
        for (name, cql) in [(parked::TABLE, PARKED), (LAST, GENERATIONS)] {
            assert!(cql.contains(&format!("\nCREATE TABLE IF NOT EXISTS {name} (")));
        }
    }
}
