//! Names on the servers that nobody else uses, and what is made under them.

use std::time::Duration;

use anyhow::Context;
use domain::{Service, view};
use infra::bus::{KafkaPlace, create_topics};
use infra::config::{Config, Servers, Sources};
use infra::event_store::{self, PostgresEventStore, PostgresPlace};
use infra::{ids, view_store};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::time::timeout;

use crate::rounds::Bench;
use crate::warm;

/// Any ports, a quiet log, and partitions as `waybill migrate` makes them by default.
const SETTINGS: [&str; 4] = [
    "command_addr=127.0.0.1:0",
    "query_addr=127.0.0.1:0",
    "projectors_addr=127.0.0.1:0",
    "log=error,scylla=off,librdkafka=off,rdkafka=off",
];
/// How long the brokers may take to remove topics.
const REMOVE: Duration = Duration::from_secs(30);

/// The names.
pub struct Place {
    /// Settings of waybill, `key=value`.
    pub settings: Vec<String>,
    pub servers: Servers,
}

impl Place {
    /// New names, under which nothing is made yet.
    pub fn new(bench: &Bench, own: &[&str]) -> anyhow::Result<Self> {
        let unique = ids::unique().simple().to_string();
        let mut settings = vec![
            format!("postgres_url={}", bench.postgres),
            format!("kafka_brokers={}", bench.kafka),
            format!("cassandra_nodes={}", bench.cassandra),
            // The end of a UUID v7 is drawn, its beginning is the time.
            format!("prefix=bench{}_", &unique[unique.len() - 8..]),
        ];
        settings.extend(SETTINGS.iter().chain(own).map(|one| (*one).to_owned()));
        let sources = Sources {
            file: None,
            set: settings.clone(),
        };
        let config = Config::load(&sources)?;
        let servers = config.servers.context("servers")?;
        Ok(Self { settings, servers })
    }

    /// Arguments of a role with these settings.
    pub fn args(&self, role: &[&str]) -> Vec<String> {
        let role = role.iter().map(|arg| (*arg).to_owned());
        let set = self.settings.iter();
        let set = set.flat_map(|one| ["--set".to_owned(), one.clone()]);
        role.chain(["--json".to_owned()]).chain(set).collect()
    }

    /// Makes everything.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        for service in Service::ALL {
            self.make_database(service).await?;
        }
        self.make_topics().await?;
        self.make_keyspace().await
    }

    /// Makes the database of a service.
    pub async fn make_database(&self, service: Service) -> anyhow::Result<()> {
        let url = self.servers.migrate_postgres[service as usize].reveal();
        event_store::migrate(url, &self.database(service)?).await?;
        Ok(())
    }

    /// Makes a database that waybill does not know, under the name that it would have for
    /// `service`, and so removes it with its own.
    pub async fn make_empty_database(&self, service: Service) -> anyhow::Result<PgConnectOptions> {
        let options = self.options(service)?;
        let name = self.database(service)?.database();
        let mut server = options.clone().database("postgres").connect().await?;
        sqlx::raw_sql(&format!("CREATE DATABASE {name}"))
            .execute(&mut server)
            .await?;
        Ok(options)
    }

    pub async fn make_topics(&self) -> anyhow::Result<()> {
        create_topics(&self.kafka(), self.servers.kafka.topics).await?;
        Ok(())
    }

    /// Makes the keyspace of the views, in a Cassandra that is warm.
    pub async fn make_keyspace(&self) -> anyhow::Result<()> {
        let replication = self.servers.cassandra.replication;
        view_store::migrate_keyspace(&self.servers.views()?, replication, &view::ALL).await?;
        warm::up(self).await
    }

    pub fn database(&self, service: Service) -> anyhow::Result<PostgresPlace> {
        Ok(self.servers.event_store(service)?)
    }

    pub fn brokers(&self) -> &str {
        &self.servers.kafka.brokers
    }

    pub fn kafka(&self) -> KafkaPlace {
        self.servers.kafka_place()
    }

    /// The event store of a service, whose database is made.
    pub fn store(&self, service: Service) -> anyhow::Result<PostgresEventStore> {
        Ok(PostgresEventStore::new(&self.database(service)?))
    }

    /// A connection past waybill to the database of a service.
    pub async fn connect(&self, service: Service) -> anyhow::Result<PgConnection> {
        Ok(self.options(service)?.connect().await?)
    }

    /// The same, not yet made.
    pub fn options(&self, service: Service) -> anyhow::Result<PgConnectOptions> {
        let url = self.servers.postgres[service as usize].reveal();
        let options: PgConnectOptions = url.parse()?;
        let options = options.database(&self.database(service)?.database());
        Ok(options.disable_statement_logging())
    }

    /// A session past waybill with the cluster of the views.
    pub async fn session(&self) -> anyhow::Result<Session> {
        let nodes = self.servers.cassandra.nodes.split(',');
        Ok(SessionBuilder::new().known_nodes(nodes).build().await?)
    }

    /// Removes whatever was made.
    pub async fn remove(self) -> anyhow::Result<()> {
        let url: PgConnectOptions = self.servers.postgres[0].reveal().parse()?;
        let mut on = url.disable_statement_logging().connect().await?;
        for service in Service::ALL {
            let place = self.database(service)?;
            for sql in [
                format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", place.database()),
                format!("DROP ROLE IF EXISTS {}, {}", place.owner(), place.run()),
            ] {
                sqlx::raw_sql(&sql).execute(&mut on).await?;
            }
        }
        on.close().await?;
        let kafka = self.kafka();
        remove_topics(&self.servers.kafka.brokers, &kafka).await?;
        let drop = format!(
            "DROP KEYSPACE IF EXISTS {}",
            self.servers.views()?.keyspace()
        );
        self.session().await?.query_unpaged(drop, ()).await?;
        Ok(())
    }
}

/// Removes all topics of a place; those that are not there are no matter.
pub async fn remove_topics(brokers: &str, place: &KafkaPlace) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()?;
    let names = Service::ALL.map(|service| [place.topic(service), place.dead_letters(service)]);
    let names = names.concat();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let options = AdminOptions::new();
    timeout(REMOVE, admin.delete_topics(&names, &options)).await??;
    Ok(())
}
