use std::error::Error;
use std::time::Duration;

use domain::Service;
use infra::config::Servers;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use scylla::client::session_builder::SessionBuilder;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use tokio::time::timeout;

/// How long it may take: who fails to remove something leaves it.
const WITHIN: Duration = Duration::from_secs(10);

/// Removes what a pipeline that no longer runs had on servers, unless its test has failed.
pub fn remove_unless_failed(servers: Servers) {
    // What a planted bug leaves behind is not worth a look.
    let planted = std::env::var_os("PLANTED").is_some();
    if std::thread::panicking() && !planted {
        return;
    }
    // On a thread of its own, since this one may be running the test.
    let removed = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(remove(&servers))
    });
    if let Ok(Err(e)) = removed.join() {
        println!("what the test had on the servers is left: {e}");
    }
}

/// Removes the databases, topics and keyspace of a pipeline.
async fn remove(servers: &Servers) -> Result<(), Box<dyn Error + Send + Sync>> {
    let all = async { tokio::try_join!(databases(servers), topics(servers), keyspace(servers)) };
    timeout(WITHIN, all).await??;
    Ok(())
}

async fn databases(servers: &Servers) -> Result<(), Box<dyn Error + Send + Sync>> {
    for service in Service::ALL {
        let url = servers.postgres[service as usize].reveal();
        let place = servers.event_store(service)?;
        let mut on = url.parse::<PgConnectOptions>()?.connect().await?;
        for sql in [
            format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", place.database()),
            format!("DROP ROLE IF EXISTS {}, {}", place.owner(), place.run()),
        ] {
            sqlx::raw_sql(&sql).execute(&mut on).await?;
        }
    }
    Ok(())
}

async fn topics(servers: &Servers) -> Result<(), Box<dyn Error + Send + Sync>> {
    let place = servers.kafka_place();
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &servers.kafka.brokers)
        .create()?;
    let of = |service| [place.topic(service), place.dead_letters(service)];
    let topics = Service::ALL.map(of).concat();
    let topics: Vec<_> = topics.iter().map(String::as_str).collect();
    admin.delete_topics(&topics, &AdminOptions::new()).await?;
    Ok(())
}

async fn keyspace(servers: &Servers) -> Result<(), Box<dyn Error + Send + Sync>> {
    let nodes = servers.cassandra.nodes.split(',');
    let session = SessionBuilder::new().known_nodes(nodes).build().await?;
    let drop = format!("DROP KEYSPACE IF EXISTS {}", servers.views()?.keyspace());
    session.query_unpaged(drop, ()).await?;
    Ok(())
}
