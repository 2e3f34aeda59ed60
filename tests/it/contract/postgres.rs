//! The event store on Postgres, each test on databases of its own.

mod foreign;
mod lost;
mod migrating;
mod roles;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use domain::Service;
use infra::event_store::{EventStore, PostgresEventStore, PostgresPlace, migrate};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::event_store::Stores;
use crate::support::proxy::{Aim, Proxy};
use crate::support::{own_prefix, postgres_url};

/// Stores with a prefix of their own, dropped with it. The database of a service is made when it is
/// first asked for: most tests need one, and dropping one costs the server a checkpoint.
pub struct Postgres {
    databases: Databases,
    stores: [OnceLock<PostgresEventStore>; 4],
}

impl Postgres {
    /// None where there is no server.
    pub async fn start() -> Option<Self> {
        let started = Self {
            databases: Databases::new()?,
            stores: Default::default(),
        };
        started.databases.migrate(Service::Payment).await;
        let payment = started.databases.open(Service::Payment);
        started.stores[Service::Payment as usize].get_or_init(|| payment);
        Some(started)
    }

    fn payment(&self) -> Arc<dyn EventStore> {
        self.of(Service::Payment)
    }
}

#[async_trait]
impl Stores for Postgres {
    fn of(&self, service: Service) -> Arc<dyn EventStore> {
        let store = self.stores[service as usize].get_or_init(|| {
            let migrated = self.databases.migrate(service);
            block_in_place(|| Handle::current().block_on(migrated));
            self.databases.open(service)
        });
        Arc::new(store.clone())
    }

    async fn restart(&mut self) {
        for service in Service::ALL {
            if let Some(store) = self.stores[service as usize].get_mut() {
                *store = self.databases.open(service);
            }
        }
    }
}

/// Names on a server that nobody else uses.
pub struct Databases {
    pub url: String,
    prefix: String,
}

impl Databases {
    /// None where there is no server.
    pub fn new() -> Option<Self> {
        Some(Self {
            url: postgres_url()?,
            prefix: own_prefix(),
        })
    }

    pub fn place(&self, service: Service) -> PostgresPlace {
        PostgresPlace::new(&self.url, &self.prefix, service).unwrap()
    }

    pub async fn migrate(&self, service: Service) {
        migrate(&self.url, &self.place(service)).await.unwrap();
    }

    pub fn open(&self, service: Service) -> PostgresEventStore {
        PostgresEventStore::new(&self.place(service))
    }

    /// The same database, by way of a proxy.
    pub fn by_way_of(&self, proxy: &Proxy, service: Service) -> PostgresPlace {
        let url = self.url.replace(&self.address(), proxy.address());
        assert_ne!(
            url, self.url,
            "the URL of the test server has to name its port"
        );
        PostgresPlace::new(&url, &self.prefix, service).unwrap()
    }

    /// One that loses answers to appends.
    pub async fn proxy(&self) -> Proxy {
        Proxy::before(&self.address(), Aim::Postgres("append_")).await
    }

    /// A session of somebody else, as the server's own user or with a role.
    pub async fn session(&self, service: Service, role: Option<&str>) -> PgConnection {
        let mut options = self.server().database(&self.place(service).database());
        if let Some(role) = role {
            options = options.options([("role", role)]);
        }
        options.connect().await.unwrap()
    }

    /// `host:port`
    fn address(&self) -> String {
        let server = self.server();
        format!("{}:{}", server.get_host(), server.get_port())
    }

    fn server(&self) -> PgConnectOptions {
        self.url.parse().unwrap()
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        let server = self.server();
        let names = Service::ALL.map(|service| {
            let place = self.place(service);
            (place.database(), place.owner(), place.run())
        });
        // On a thread of its own, since this one may be running the test.
        let cleaned = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(remove(server, names))
        });
        if let Ok(Err(e)) = cleaned.join() {
            println!("the databases of {} are left: {e}", self.prefix);
        }
    }
}

async fn remove(
    server: PgConnectOptions,
    names: [(String, String, String); 4],
) -> Result<(), sqlx::Error> {
    let mut on = server.connect().await?;
    for (database, owner, run) in names {
        for sql in [
            format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"),
            format!("DROP ROLE IF EXISTS {owner}, {run}"),
        ] {
            sqlx::raw_sql(&sql).execute(&mut on).await?;
        }
    }
    Ok(())
}
