//! The keys.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A key and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it means, in one sentence.
    pub help: &'static str,
}

macro_rules! settings {
    ($($(#[doc = $help:literal])+ $name:ident: $type:ty = $default:expr;)+) => {
        /// The values of all keys, as they are written.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Settings {
            $($(#[doc = $help])+ pub $name: $type,)+
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        /// Every key, in the order of the documentation.
        pub const KEYS: &[Key] = &[
            $(Key { name: stringify!($name), help: concat!($($help),+) },)+
        ];
    };
}

settings! {
    /// Where the embedded store keeps its data.
    data_dir: PathBuf = "waybill-data".into();
    /// The Postgres server of the event stores; the database in the URL is not used.
    postgres_url: String = "".into();
    /// The same for the order service alone.
    order_postgres_url: String = "".into();
    /// The same for the inventory service alone.
    inventory_postgres_url: String = "".into();
    /// The same for the payment service alone.
    payment_postgres_url: String = "".into();
    /// The same for the delivery service alone.
    delivery_postgres_url: String = "".into();
    /// For `waybill migrate`: the same as a user who may create databases and roles.
    migrate_postgres_url: String = "".into();
    /// The Kafka brokers: host:port, separated by commas.
    kafka_brokers: String = "".into();
    /// Settings of librdkafka for every client, as name=value;name=value: TLS and SASL.
    kafka_properties: String = "".into();
    /// For `waybill migrate`: how many partitions a topic gets; set once.
    kafka_partitions: u64 = 8;
    /// For `waybill migrate`: how many copies of a partition there are.
    kafka_replication: u64 = 1;
    /// How long a consumer may be silent until another takes its partitions, in milliseconds.
    kafka_session_ms: u64 = 10_000;
    /// Nodes of the Cassandra cluster of the views: host:port, separated by commas.
    cassandra_nodes: String = "".into();
    /// The nearest Cassandra datacenter.
    cassandra_datacenter: String = "dc1".into();
    /// For `waybill migrate`: how many copies of a row there are in it.
    cassandra_replication: u64 = 1;
    /// The user of the Cassandra cluster, where it asks for one.
    cassandra_user: String = "".into();
    /// Its password.
    cassandra_password: String = "".into();
    /// The authority that signed the Cassandra nodes' certificates, a PEM file; turns TLS on.
    cassandra_ca_file: String = "".into();
    /// The Redis server of the cache; without one, each process has a cache of its own.
    redis_url: String = "".into();
    /// The authority that signed the Redis server's certificate, a PEM file; else the system's.
    redis_ca_file: String = "".into();
    /// What the names of databases, roles, topics, groups, keyspaces and keys begin with.
    prefix: String = "".into();
    /// Where the command API listens.
    command_addr: String = "127.0.0.1:8080".into();
    /// Where the query API listens.
    query_addr: String = "127.0.0.1:8081".into();
    /// Where the projectors listen, for health and metrics, when they are a process of their own.
    projectors_addr: String = "127.0.0.1:8082".into();
    /// How long a read with ?after= waits for the view, in milliseconds.
    fresh_wait_ms: u64 = 5000;
    /// How long an order may take until its delivery is requested, in milliseconds; 0 is for ever.
    order_deadline_ms: u64 = 900_000;
    /// How long replies are kept under their idempotency keys, in days.
    idempotency_days: u64 = 7;
    /// Which payment provider is called: simulated, or http for one at payment_url.
    payment_provider: String = "simulated".into();
    /// Where the provider is: http(s)://host/path, without a user.
    payment_url: String = "".into();
    /// What is shown to it as a bearer token.
    payment_key: String = "".into();
    /// The authority that signed its certificate, a PEM file; without one, those of the system.
    payment_ca_file: String = "".into();
    /// How long it may take to answer a request, in milliseconds.
    payment_timeout_ms: u64 = 8000;
    /// How many of a hundred simulated authorizations succeed.
    payment_success_rate: u64 = 80;
    /// How long a simulated call to the provider takes, in milliseconds.
    payment_delay_ms: u64 = 2000;
    /// What simulated outcomes are drawn from.
    payment_seed: u64 = 0;
    /// Who brings the goods: simulated, or none for people at the HTTP endpoints.
    courier: String = "simulated".into();
    /// How long the simulated courier takes to assign a driver, in milliseconds.
    courier_assign_ms: u64 = 2000;
    /// How long it takes from there until the goods leave, in milliseconds.
    courier_dispatch_ms: u64 = 4000;
    /// How long it takes from there until they arrive, in milliseconds.
    courier_deliver_ms: u64 = 4000;
    /// How long a lease lasts, in milliseconds; it is renewed three times as often.
    lease_ms: u64 = 10_000;
    /// How long work in hand may take when the process is asked to end, in milliseconds.
    drain_ms: u64 = 20_000;
    /// How long a rebuilt view's old table is kept, for `waybill rebuild --undo`, in hours.
    keep_generations_hours: u64 = 24;
    /// Where traces go: the address of an OpenTelemetry collector, http://host:4318; empty: nowhere.
    otlp_endpoint: String = "".into();
    /// The share of requests whose traces are recorded: 1.0 is all, 0.01 one of a hundred.
    trace_ratio: f64 = 1.0;
    /// What is logged: a level, or a filter such as info,infra=debug.
    log: String = "info,fjall=warn,lsm_tree=warn,scylla=off".into();
}
