//! `waybill migrate`: databases, topics and the keyspace, made or brought to this version.

use std::process::ExitCode;

use domain::{Service, view};
use infra::config::Servers;
use infra::{bus, event_store, view_store};
use serde::Serialize;

use super::Context;
use super::output::{say, say_json};

/// What was done.
#[derive(Debug, Default, Serialize)]
struct Migrated {
    databases: Vec<Database>,
    topics: Vec<String>,
    keyspace: String,
    tables: Vec<String>,
    columns: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Database {
    name: String,
    created: bool,
    applied: Vec<&'static str>,
}

pub async fn run(context: Context) -> anyhow::Result<ExitCode> {
    let Some(servers) = &context.config.servers else {
        if context.json {
            say_json(&Migrated::default())?;
        } else {
            say("nothing to migrate: without servers everything is in the embedded store");
        }
        return Ok(ExitCode::SUCCESS);
    };
    let migrated = migrate(servers).await?;
    if context.json {
        say_json(&migrated)?;
    } else {
        show(&migrated);
    }
    Ok(ExitCode::SUCCESS)
}

/// One after the other, and again from the beginning where one fails: each may be repeated.
async fn migrate(servers: &Servers) -> anyhow::Result<Migrated> {
    let mut databases = vec![];
    for service in Service::ALL {
        let place = servers.event_store(service)?;
        let url = servers.migrate_postgres[service as usize].reveal();
        let done = event_store::migrate(url, &place).await?;
        databases.push(Database {
            name: done.database,
            created: done.created,
            applied: done.applied,
        });
    }
    let topics = bus::create_topics(&servers.kafka_place(), servers.kafka.topics).await?;
    let views = servers.views()?;
    let replication = servers.cassandra.replication;
    let done = view_store::migrate_keyspace(&views, replication, &view::ALL).await?;
    Ok(Migrated {
        databases,
        topics,
        keyspace: done.keyspace,
        tables: done.tables,
        columns: done.columns,
    })
}

fn show(migrated: &Migrated) {
    for Database {
        name,
        created,
        applied,
    } in &migrated.databases
    {
        let applied = applied.join(", ");
        match (created, applied.as_str()) {
            (_, "") => say(format_args!("database  {name}: up to date")),
            (true, _) => say(format_args!("database  {name}: made, with {applied}")),
            (false, _) => say(format_args!("database  {name}: applied {applied}")),
        }
    }
    let made = |what: &[String]| match what {
        [] => "up to date".to_owned(),
        what => format!("made {}", what.join(", ")),
    };
    say(format_args!("topics    {}", made(&migrated.topics)));
    let new = [&migrated.tables[..], &migrated.columns].concat();
    let tables = made(&new);
    say(format_args!("keyspace  {}: {tables}", migrated.keyspace));
}
