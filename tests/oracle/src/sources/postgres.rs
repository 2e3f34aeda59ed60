use anyhow::{Context, Result};
use serde::Deserialize;
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{ConnectOptions, PgConnection, Row};

use super::Servers;
use crate::World;
use crate::evidence::{Due, Origin, Parked, StoredReply};
use crate::fact::{Fact, Service, Stored, Stream};

/// How many rows are read at once.
const PAGE: i64 = 2000;

pub async fn read(servers: &Servers, world: &mut World) -> Result<()> {
    world.due.get_or_insert_default();
    for service in Service::ALL {
        let url = match service {
            Service::Inventory => servers.inventory.as_ref().unwrap_or(&servers.postgres),
            Service::Order | Service::Payment | Service::Delivery => &servers.postgres,
        };
        let database = format!("{}{}_db", servers.prefix, service.name());
        let options: PgConnectOptions = url.parse()?;
        let options = options.database(&database);
        let mut connection = options.connect().await.with_context(|| database.clone())?;
        // Before the facts: what settles a task, or ends a parked fact, is a fact.
        due(&mut connection, world).await?;
        parked(&mut connection, servers, world).await?;
        facts(&mut connection, service, world).await?;
        replies(&mut connection, world).await?;
    }
    Ok(())
}

async fn facts(from: &mut PgConnection, service: Service, world: &mut World) -> Result<()> {
    const SELECT: &str = "SELECT position, aggregate_type, aggregate_id, sequence, event_type, \
        event_version, payload::text, metadata::text, \
        (extract(epoch FROM recorded_at) * 1000000)::bigint AS recorded_at \
        FROM events WHERE position > $1 ORDER BY position LIMIT $2";
    let mut after = 0i64;
    loop {
        let page = sqlx::query(SELECT).bind(after).bind(PAGE);
        let page = page.fetch_all(&mut *from).await?;
        for row in &page {
            after = row.try_get("position")?;
            let kind: String = row.try_get("aggregate_type")?;
            // Others may keep aggregates of their own in the same table.
            if let Some(stream) = Stream::named(&kind) {
                let stored = stored(row, service, stream)?;
                world.facts.push(Fact::read(stored));
            }
        }
        if page.is_empty() {
            return Ok(());
        }
    }
}

fn stored(row: &PgRow, service: Service, stream: Stream) -> Result<Stored> {
    Ok(Stored {
        service,
        position: row.try_get("position")?,
        stream,
        of: row.try_get("aggregate_id")?,
        sequence: row.try_get("sequence")?,
        name: row.try_get("event_type")?,
        version: row.try_get("event_version")?,
        payload: row.try_get("payload")?,
        metadata: row.try_get("metadata")?,
        recorded_at: row.try_get("recorded_at")?,
    })
}

async fn replies(from: &mut PgConnection, world: &mut World) -> Result<()> {
    const SELECT: &str = "SELECT scope, key, status, body, location, token FROM replies \
        WHERE (scope, key) > ($1, $2) ORDER BY scope, key LIMIT $3";
    let mut after = (String::new(), String::new());
    loop {
        let page = sqlx::query(SELECT).bind(&after.0).bind(&after.1).bind(PAGE);
        let page = page.fetch_all(&mut *from).await?;
        for row in &page {
            let (status, body): (i32, Vec<u8>) = (row.try_get("status")?, row.try_get("body")?);
            let reply = StoredReply {
                scope: row.try_get("scope")?,
                key: row.try_get("key")?,
                status: status.try_into()?,
                body: String::from_utf8_lossy(&body).into_owned(),
                location: row.try_get("location")?,
                token: row.try_get("token")?,
            };
            after = (reply.scope.clone(), reply.key.clone());
            world.replies.push(reply);
        }
        if page.is_empty() {
            return Ok(());
        }
    }
}

async fn due(from: &mut PgConnection, world: &mut World) -> Result<()> {
    let mut after = String::new();
    loop {
        let page = sqlx::query("SELECT id FROM due WHERE id > $1 ORDER BY id LIMIT $2");
        let page = page.bind(&after).bind(PAGE).fetch_all(&mut *from).await?;
        for row in &page {
            after = row.try_get("id")?;
            let (order, task) = after.rsplit_once(':').context("a task without a name")?;
            let due = world.due.get_or_insert_default();
            due.push(Due {
                order: order.to_owned(),
                task: task.to_owned(),
            });
        }
        if page.is_empty() {
            return Ok(());
        }
    }
}

async fn parked(from: &mut PgConnection, servers: &Servers, world: &mut World) -> Result<()> {
    let rows = sqlx::query(
        "SELECT consumer_group, topic, record_key, partition, record_offset, \
         ended_at IS NULL AS open, fact::text AS fact FROM parked",
    );
    for row in rows.fetch_all(from).await? {
        let topic: String = row.try_get("topic")?;
        let about: String = row.try_get("fact")?;
        let origin = Origin {
            group: row.try_get("consumer_group")?,
            service: service_of(&topic, &servers.prefix)?,
            partition: row.try_get("partition")?,
            offset: row.try_get("record_offset")?,
        };
        let parked = parked_of(
            origin,
            row.try_get("record_key")?,
            row.try_get("open")?,
            &about,
        )?;
        world.parked.push(parked);
    }
    Ok(())
}

/// A row of dead letters, with what its JSON says.
pub fn parked_of(from: Origin, key: String, open: bool, about: &str) -> Result<Parked> {
    #[derive(Deserialize)]
    struct About {
        class: String,
        fact: Option<String>,
    }
    let About { class, fact } = serde_json::from_str(about)?;
    Ok(Parked {
        from,
        key,
        class,
        fact,
        open,
    })
}

/// Whose topic it is, with a prefix or without.
pub fn service_of(topic: &str, prefix: &str) -> Result<Service> {
    let topic = topic.strip_prefix(prefix).unwrap_or(topic);
    let mut services = Service::ALL.into_iter();
    let found = services.find(|service| {
        let name = service.name();
        [format!("raw.{name}-events"), name.to_owned()].contains(&topic.to_owned())
    });
    found.with_context(|| format!("there is no topic {topic}"))
}
