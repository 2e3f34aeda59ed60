//! Where the real servers are. All of Postgres, Kafka and Cassandra are set, or none: then
//! everything is on the embedded store.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use domain::Service;

use super::secret::Secret;
use super::settings::Settings;
use super::within;
use crate::bus::{KafkaPlace, Topics};
use crate::cache::{InvalidRedis, RedisCache};
use crate::event_store::{InvalidPlace, PostgresPlace};
use crate::prefix::is_prefix;
use crate::tls;
use crate::view_store::{self, CassandraPlace, TlsFiles};

/// The servers of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Servers {
    /// What names of databases, roles, topics, groups, keyspaces and keys begin with.
    pub prefix: String,
    /// One URL a service, in the order of [`Service::ALL`].
    pub postgres: [Secret; 4],
    /// Where `migrate` makes databases, as a user who may; one a service.
    pub migrate_postgres: [Secret; 4],
    /// The brokers.
    pub kafka: Kafka,
    /// The cluster with the views.
    pub cassandra: Cassandra,
    /// The cache, where there is one.
    pub redis: Option<Redis>,
}

/// The brokers, and how to talk to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Kafka {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// Settings of librdkafka for every client: TLS and SASL.
    pub properties: BTreeMap<String, Secret>,
    /// What `migrate` makes topics like.
    pub topics: Topics,
    /// How long a member of a group may be silent until another takes its partitions.
    pub session: Duration,
}

/// The cluster with the views.
#[derive(Debug, Clone, PartialEq)]
pub struct Cassandra {
    /// `host:port` of some nodes, separated by commas.
    pub nodes: String,
    /// The nearest datacenter.
    pub datacenter: String,
    /// Copies of each row there, when `migrate` makes the keyspace.
    pub replication: u16,
    /// The login, where the cluster asks for one.
    pub login: Option<(String, Secret)>,
    /// The authority that signed the nodes' certificates, as PEM: then the connection is by TLS.
    pub ca_file: Option<PathBuf>,
}

/// The cache.
#[derive(Debug, Clone, PartialEq)]
pub struct Redis {
    /// Where it is.
    pub url: Secret,
    /// The authority that signed its certificate, as PEM; none: those that the system trusts.
    pub ca_file: Option<PathBuf>,
}

impl Servers {
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>, (&'static str, String)> {
        let postgres = postgres(settings);
        let set = [
            ("postgres_url", postgres.iter().all(|url| !url.is_empty())),
            ("kafka_brokers", !settings.kafka_brokers.is_empty()),
            ("cassandra_nodes", !settings.cassandra_nodes.is_empty()),
        ];
        let prefix = prefix(&settings.prefix)?;
        if set.iter().all(|(_, set)| !set) {
            return match alone(settings) {
                Some(key) => Err((
                    key,
                    "needs postgres_url, kafka_brokers and cassandra_nodes".into(),
                )),
                None => Ok(None),
            };
        }
        if let Some((missing, _)) = set.iter().find(|(_, set)| !set) {
            let together =
                "is missing: Postgres, Kafka and Cassandra are set together or not at all";
            return Err((missing, together.into()));
        }
        for (service, url) in Service::ALL.into_iter().zip(&postgres) {
            PostgresPlace::new(url, &prefix, service)
                .map_err(|e| invalid(settings, service, &e))?;
        }
        let owner = |url: &String| match settings.migrate_postgres_url.as_str() {
            "" => Secret(url.clone()),
            migrate => Secret(migrate.to_owned()),
        };
        let servers = Self {
            prefix,
            migrate_postgres: [0, 1, 2, 3].map(|n| owner(&postgres[n])),
            postgres: postgres.map(Secret),
            kafka: kafka(settings)?,
            cassandra: cassandra(settings)?,
            redis: redis(settings)?,
        };
        let kafka = servers.kafka_place().check();
        kafka.map_err(|e| ("kafka_properties", e.to_string()))?;
        servers.views().map_err(|e| (key_of(&e), e.to_string()))?;
        Ok(Some(servers))
    }

    /// Where the facts of a service are kept.
    ///
    /// # Errors
    /// [`InvalidPlace`]; not for what was read from a configuration.
    pub fn event_store(&self, service: Service) -> Result<PostgresPlace, InvalidPlace> {
        let url = &self.postgres[service as usize];
        PostgresPlace::new(url.reveal(), &self.prefix, service)
    }

    /// The brokers.
    pub fn kafka_place(&self) -> KafkaPlace {
        let Kafka {
            brokers,
            properties,
            ..
        } = &self.kafka;
        let reveal = |(key, value): (&String, &Secret)| (key.clone(), value.0.clone());
        KafkaPlace::new(
            brokers,
            &self.prefix,
            properties.iter().map(reveal).collect(),
        )
    }

    /// The cache, where there is a server for it; to be made within a Tokio runtime.
    ///
    /// # Errors
    /// [`InvalidRedis`]
    pub fn cache(&self) -> Result<Option<RedisCache>, InvalidRedis> {
        let Some(Redis { url, ca_file }) = &self.redis else {
            return Ok(None);
        };
        let (url, prefix) = (url.reveal(), &self.prefix);
        let cache = match ca_file {
            Some(ca_file) => RedisCache::trusting(ca_file, url, prefix),
            None => RedisCache::new(url, prefix),
        };
        cache.map(Some)
    }

    /// Where the views are kept.
    ///
    /// # Errors
    /// [`view_store::InvalidPlace`]; of what was read from a configuration only a certificate may
    /// have become unreadable.
    pub fn views(&self) -> Result<CassandraPlace, view_store::InvalidPlace> {
        let Cassandra {
            nodes,
            datacenter,
            login,
            ca_file,
            ..
        } = &self.cassandra;
        let mut place = CassandraPlace::new(nodes, &self.prefix)?.with_datacenter(datacenter)?;
        if let Some((user, password)) = login {
            place = place.with_login(user, password.reveal());
        }
        match ca_file {
            Some(ca) => place.with_tls(TlsFiles { ca, client: None }),
            None => Ok(place),
        }
    }
}

/// The keys of one service each, in the order of [`Service::ALL`].
fn own_urls(settings: &Settings) -> [(&'static str, &String); 4] {
    [
        ("order_postgres_url", &settings.order_postgres_url),
        ("inventory_postgres_url", &settings.inventory_postgres_url),
        ("payment_postgres_url", &settings.payment_postgres_url),
        ("delivery_postgres_url", &settings.delivery_postgres_url),
    ]
}

fn postgres(settings: &Settings) -> [String; 4] {
    own_urls(settings).map(|(_, own)| match own.as_str() {
        "" => settings.postgres_url.clone(),
        own => own.to_owned(),
    })
}

/// A key that means nothing without servers.
fn alone(settings: &Settings) -> Option<&'static str> {
    let others = [
        ("migrate_postgres_url", &settings.migrate_postgres_url),
        ("redis_url", &settings.redis_url),
        ("redis_ca_file", &settings.redis_ca_file),
    ];
    [("postgres_url", &settings.postgres_url)]
        .into_iter()
        .chain(own_urls(settings))
        .chain(others)
        .find(|(_, value)| !value.is_empty())
        .map(|(key, _)| key)
}

fn invalid(settings: &Settings, service: Service, e: &InvalidPlace) -> (&'static str, String) {
    let (key, own) = own_urls(settings)[service as usize];
    let key = if own.is_empty() { "postgres_url" } else { key };
    (key, e.to_string())
}

fn prefix(prefix: &str) -> Result<String, (&'static str, String)> {
    if is_prefix(prefix) {
        return Ok(prefix.to_owned());
    }
    Err((
        "prefix",
        format!("'{prefix}' does not match [a-z][a-z0-9_]{{0,15}}"),
    ))
}

fn kafka(settings: &Settings) -> Result<Kafka, (&'static str, String)> {
    let mut properties = BTreeMap::new();
    for pair in settings.kafka_properties.split(';').map(str::trim) {
        match pair.split_once('=') {
            Some((key, value)) => {
                properties.insert(key.trim().to_owned(), Secret(value.trim().to_owned()));
            }
            None if pair.is_empty() => {}
            None => {
                let message = "is not of the form name=value;name=value";
                return Err(("kafka_properties", message.into()));
            }
        }
    }
    let count = |key, value, most| {
        let count = within(key, value, 1..=most)?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    };
    Ok(Kafka {
        brokers: settings.kafka_brokers.clone(),
        properties,
        topics: Topics {
            partitions: count("kafka_partitions", settings.kafka_partitions, 1000)?,
            replication: count("kafka_replication", settings.kafka_replication, 100)?,
        },
        session: Duration::from_millis(within(
            "kafka_session_ms",
            settings.kafka_session_ms,
            500..=300_000,
        )?),
    })
}

fn cassandra(settings: &Settings) -> Result<Cassandra, (&'static str, String)> {
    let login = match (&*settings.cassandra_user, &*settings.cassandra_password) {
        ("", "") => None,
        ("", _) => {
            return Err((
                "cassandra_user",
                "is missing beside cassandra_password".into(),
            ));
        }
        (_, "") => {
            return Err((
                "cassandra_password",
                "is missing beside cassandra_user".into(),
            ));
        }
        (user, password) => Some((user.to_owned(), Secret(password.to_owned()))),
    };
    let copies = within(
        "cassandra_replication",
        settings.cassandra_replication,
        1..=100,
    )?;
    let ca_file = &settings.cassandra_ca_file;
    Ok(Cassandra {
        nodes: settings.cassandra_nodes.clone(),
        datacenter: settings.cassandra_datacenter.clone(),
        replication: u16::try_from(copies).unwrap_or(u16::MAX),
        login,
        ca_file: (!ca_file.is_empty()).then(|| ca_file.into()),
    })
}

fn key_of(e: &view_store::InvalidPlace) -> &'static str {
    use view_store::InvalidPlace::{Datacenter, Nodes, Prefix, Tls};
    match e {
        Nodes => "cassandra_nodes",
        Prefix => "prefix",
        Datacenter(_) => "cassandra_datacenter",
        Tls(_) => "cassandra_ca_file",
    }
}

fn redis(settings: &Settings) -> Result<Option<Redis>, (&'static str, String)> {
    let (url, ca_file) = (&settings.redis_url, &settings.redis_ca_file);
    let tls = url.starts_with("rediss://");
    if url.is_empty() && ca_file.is_empty() {
        return Ok(None);
    }
    if !tls && !url.starts_with("redis://") {
        return Err(("redis_url", "is not a URL such as redis://host:6379".into()));
    }
    let ca_file = (!ca_file.is_empty()).then(|| PathBuf::from(ca_file));
    if let Some(file) = &ca_file {
        if !tls {
            let plain = "needs TLS: a redis_url that begins with rediss://";
            return Err(("redis_ca_file", plain.into()));
        }
        tls::certificates(file).map_err(|e| ("redis_ca_file", e))?;
    }
    let url = Secret(url.clone());
    Ok(Some(Redis { url, ca_file }))
}
