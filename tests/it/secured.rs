//! Servers that take nothing but logins and, from every client that can, TLS; and secrets, which
//! stay where they were given.

mod authority;
mod process;
mod servers;

use std::time::Duration;

use infra::bus::{Bus, KafkaBus, KafkaPlace, Membership};
use infra::cache::{Cache, RedisCache};
use infra::event_store::{PostgresPlace, migrate};
use infra::view_store::{CassandraPlace, CassandraViewStore, TlsFiles, ViewStore};

use crate::support::{cassandra_nodes, kafka_brokers, own_prefix, postgres_url, redis_url};
use authority::Authority;
use process::Waybill;
use servers::{Reached, Servers};

/// Of everybody. It is looked for in whatever is written.
const PASSWORD: &str = "hunter2-of-the-shop";
const WRONG: &str = "hunter2-of-somebody";
/// How long a mark lives: longer than the test.
const LONG: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_ends_on_servers_with_tls_and_logins_and_a_wrong_password_or_authority_is_refused()
{
    let given = [
        postgres_url(),
        kafka_brokers(),
        cassandra_nodes(),
        redis_url(),
    ];
    if given.iter().any(Option::is_none) {
        return;
    }
    let servers = Servers::up().await;
    let waybill = Waybill::on(&servers);
    waybill.migrate().await;
    waybill.serve_an_order().await;

    let folder = tempfile::tempdir().unwrap();
    let somebody = Authority::new(folder.path());
    let of_another_authority = servers.reached_with(PASSWORD, &somebody);
    let with_a_wrong_password = servers.reached_with(WRONG, &servers.authority);
    tokio::join!(
        are_refused(&of_another_authority, "certificate"),
        are_refused(&with_a_wrong_password, "auth"),
        redis_is_not_asked(&servers, &of_another_authority),
        redis_is_not_asked(&servers, &with_a_wrong_password),
    );
}

/// By Postgres, Cassandra and, where clients tell it TLS or a login that is wrong, Kafka.
async fn are_refused(reached: &Reached, why: &str) {
    let postgres = async {
        let place = PostgresPlace::new(&reached.postgres, "t_", domain::Service::Order).unwrap();
        migrate(&reached.migrate_postgres, &place)
            .await
            .unwrap_err()
    };
    let kafka = async {
        let (brokers, properties) = (&reached.kafka_brokers, reached.kafka_properties.clone());
        let bus = KafkaBus::new(
            KafkaPlace::new(brokers, "", properties),
            Membership::default(),
        );
        bus.ready().await
    };
    let cassandra = async {
        let place = CassandraPlace::new(&reached.cassandra_nodes, "").unwrap();
        let place = place.with_login("shop", &reached.password);
        let files = TlsFiles {
            ca: &reached.ca,
            client: None,
        };
        let views = CassandraViewStore::new(&place.with_tls(files).unwrap());
        views.ready().await.unwrap_err()
    };
    let (postgres, kafka, cassandra) = tokio::join!(postgres, kafka, cassandra);
    for said in [postgres.to_string(), cassandra.to_string()] {
        assert!(said.to_lowercase().contains(why), "{said}");
        expect_no_secret(&said);
    }
    // Without TLS to Kafka there is no authority to mistake.
    if cfg!(feature = "kafka-tls") || reached.password == WRONG {
        expect_no_secret(&kafka.unwrap_err());
    }
}

/// A cache whose server is not reached is one of the process alone.
async fn redis_is_not_asked(servers: &Servers, reached: &Reached) {
    let ours = servers.reached_with(PASSWORD, &servers.authority);
    let cache = |reached: &Reached| RedisCache::trusting(&reached.ca, &reached.redis, "").unwrap();
    let key = own_prefix();
    cache(&ours).mark(&key, LONG).await;
    assert!(cache(&ours).is_marked(&key).await, "nothing is shared");
    assert!(!cache(reached).is_marked(&key).await);
}

#[track_caller]
fn expect_no_secret(e: &(impl std::fmt::Display + std::fmt::Debug)) {
    for said in [e.to_string(), format!("{e:?}")] {
        assert!(!said.contains(PASSWORD) && !said.contains(WRONG), "{said}");
    }
}
