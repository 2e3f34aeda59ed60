//! postgres-es through its own API, on a table of its own in a database of its own.

use std::sync::Arc;

use anyhow::ensure;
use cqrs_es::persist::{PersistedEventRepository, SerializedEvent};
use domain::order::Order;
use infra::event_store::cqrs::Stream;
use infra::ids;
use postgres_es::PostgresEventRepository;
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::facts::Template;
use crate::load::Client;

/// Connections: on two cores more are no faster, and fewer are slower.
const CONNECTIONS: u32 = 16;

/// Its table, as it documents it.
const TABLE: &str = "CREATE TABLE events (
    aggregate_type text NOT NULL,
    aggregate_id   text NOT NULL,
    sequence       bigint CHECK (sequence >= 0) NOT NULL,
    event_type     text NOT NULL,
    event_version  text NOT NULL,
    payload        json NOT NULL,
    metadata       json NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

/// A repository over a table that is made now, in the empty database of `options`.
pub async fn repository(
    options: PgConnectOptions,
) -> anyhow::Result<(Arc<PostgresEventRepository>, PgPool)> {
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .min_connections(CONNECTIONS)
        // A round trip for each append.
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    sqlx::raw_sql(TABLE).execute(&pool).await?;
    let repository = PostgresEventRepository::new(pool.clone());
    Ok((Arc::new(repository), pool))
}

/// That there are as many events as were appended.
pub async fn check(pool: &PgPool, events: u64) -> anyhow::Result<()> {
    let found: i64 = sqlx::query_scalar("SELECT count(*) FROM events")
        .fetch_one(pool)
        .await?;
    ensure!(
        found as u64 == events,
        "postgres-es has {found} events of {events}"
    );
    Ok(())
}

/// Appends the first fact of a new order, again and again.
pub struct Appends {
    repository: Arc<PostgresEventRepository>,
    event: SerializedEvent,
}

impl Appends {
    /// So many who do that.
    pub fn many(
        repository: &Arc<PostgresEventRepository>,
        template: &Template,
        count: usize,
    ) -> anyhow::Result<Vec<Self>> {
        let one = |_| Self::new(repository.clone(), template);
        (0..count).map(one).collect()
    }

    fn new(repository: Arc<PostgresEventRepository>, template: &Template) -> anyhow::Result<Self> {
        let (payload, metadata) = template.bytes();
        let (name, version) = template.name();
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes);
        let event = SerializedEvent {
            aggregate_id: String::new(),
            sequence: 1,
            aggregate_type: "order".to_owned(),
            event_type: name.to_owned(),
            event_version: version.to_owned(),
            payload: json(payload)?,
            metadata: json(metadata)?,
        };
        Ok(Self { repository, event })
    }
}

impl Client for Appends {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        self.event.aggregate_id = ids::order().to_string();
        let events = std::slice::from_ref(&self.event);
        self.repository
            .persist::<Stream<Order>>(events, None)
            .await?;
        Ok(1)
    }
}
