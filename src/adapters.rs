//! The adapters of all ports, chosen once, from the configuration.

use std::sync::Arc;

use command_api::{Outside, Services};
use domain::{Service, View, view};
use infra::bus::{Bus, FeedBus, KafkaBus, KafkaPublisher, KafkaReader, Membership, TopicReader};
use infra::cache::{InvalidRedis, LocalCache};
use infra::config::{Config, Courier, Payment, Servers};
use infra::courier::{self, NoCourier, SimulatedCourier};
use infra::event_store::{
    Database, DatabaseError, EmbeddedEventStore, EventStore, InvalidPlace, PostgresEventStore,
};
use infra::payment_provider::{self, HttpProvider, PaymentProvider, SimulatedProvider};
use infra::tasks::Tasks;
use infra::view_store::{self, CassandraViewStore, EmbeddedViewStore, ViewStore};
use projectors::Views;

use crate::tools::{About, Jobs, Tools};

/// The views that there are.
pub type ViewList = &'static [&'static dyn View];

/// One adapter a port.
#[derive(Clone)]
pub struct Adapters {
    pub(crate) services: Services,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) views: Views,
    /// What reads the topics, where there are any.
    pub(crate) topics: Option<Arc<dyn TopicReader>>,
    pub(crate) outside: Outside,
    /// The folder that this process holds, where everything is in it.
    pub(crate) folder: Option<Arc<Database>>,
}

/// Why there are no adapters.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A setting for Postgres that is none.
    #[error("postgres_url {0}")]
    Postgres(#[from] InvalidPlace),
    /// A setting for Cassandra that is none, or no longer one.
    #[error("cassandra: {0}")]
    Cassandra(#[from] view_store::InvalidPlace),
    /// A setting for Redis that is none.
    #[error("redis: {0}")]
    Redis(#[from] InvalidRedis),
    /// A setting for the payment provider that is none, or no longer one.
    #[error("payment provider: {0}")]
    Payment(#[from] payment_provider::InvalidPlace),
}

impl Adapters {
    /// Opens the data directory, or the way to the servers. These are reached when they are first
    /// needed: that one of them is down keeps nothing from starting.
    ///
    /// # Errors
    /// [`OpenError`]; the directory is then as it was.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        Self::open_with(config, &view::ALL)
    }

    /// The same with views of the caller's own.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(config: &Config, views: ViewList) -> Result<Self, OpenError> {
        match &config.servers {
            None => Self::embedded(config, views),
            Some(servers) => Self::on(servers, config, views),
        }
    }

    fn embedded(config: &Config, all: ViewList) -> Result<Self, OpenError> {
        let database = Database::open(&config.data_dir)?;
        let stores = Service::ALL.map(|service| {
            let store = EmbeddedEventStore::new(database.clone(), service);
            Arc::new(store) as Arc<dyn EventStore>
        });
        let bus: Arc<dyn Bus> = Arc::new(FeedBus::new(stores.to_vec()));
        Ok(Self {
            views: Views {
                all,
                bus: bus.clone(),
                store: Arc::new(EmbeddedViewStore::new(database.clone())),
                parked: Arc::new(EmbeddedEventStore::new(database.clone(), Service::Order)),
                logs: stores.to_vec(),
                kept_for: config.keep_generations,
            },
            topics: None,
            services: Services::new(stores),
            outside: Outside {
                bus: bus.clone(),
                publisher: None,
                cache: Arc::new(LocalCache::new()),
                provider: provider_of(config)?,
                courier: courier_of(config),
            },
            bus,
            folder: Some(database),
        })
    }

    /// On servers, as roles that may be processes of their own.
    fn on(servers: &Servers, config: &Config, all: ViewList) -> Result<Self, OpenError> {
        let place = |service| servers.event_store(service);
        let store = |place| Arc::new(PostgresEventStore::new(&place)) as Arc<dyn EventStore>;
        let stores = [
            store(place(Service::Order)?),
            store(place(Service::Inventory)?),
            store(place(Service::Payment)?),
            store(place(Service::Delivery)?),
        ];
        let kafka = servers.kafka_place();
        let membership = Membership::of(servers.kafka.session);
        let bus: Arc<dyn Bus> = Arc::new(KafkaBus::new(kafka.clone(), membership));
        let views = CassandraViewStore::new(&servers.views()?);
        Ok(Self {
            views: Views {
                all,
                bus: bus.clone(),
                parked: Arc::new(views.clone()),
                store: Arc::new(views),
                logs: stores.to_vec(),
                kept_for: config.keep_generations,
            },
            topics: Some(Arc::new(KafkaReader::new(kafka.clone()))),
            services: Services::new(stores),
            outside: Outside {
                bus: bus.clone(),
                publisher: Some(Arc::new(KafkaPublisher::new(kafka))),
                cache: match servers.cache()? {
                    Some(cache) => Arc::new(cache),
                    None => Arc::new(LocalCache::new()),
                },
                provider: provider_of(config)?,
                courier: courier_of(config),
            },
            bus,
            folder: None,
        })
    }

    /// The event store of a service.
    pub fn store(&self, service: Service) -> &Arc<dyn EventStore> {
        self.services.store(service)
    }

    /// The view store.
    pub fn views(&self) -> &Arc<dyn ViewStore> {
        &self.views.store
    }

    /// The views, and what keeping them needs.
    pub fn kept_views(&self) -> &Views {
        &self.views
    }

    /// What an operator can ask; what takes long runs within `tasks`.
    pub fn tools(&self, tasks: &Tasks) -> Tools {
        Tools::new(
            self.services.clone(),
            self.bus.clone(),
            About {
                views: self.views.clone(),
                topics: self.topics.clone(),
            },
            Jobs::within(tasks),
            self.outside.publisher.is_some(),
        )
    }
}

fn provider_of(
    config: &Config,
) -> Result<Arc<dyn PaymentProvider>, payment_provider::InvalidPlace> {
    Ok(match &config.payment {
        Payment::Simulated(play) => Arc::new(SimulatedProvider::new(play.clone())),
        Payment::Http(server) => Arc::new(HttpProvider::new(server.place()?)?),
    })
}

fn courier_of(config: &Config) -> Arc<dyn courier::Courier> {
    match config.courier {
        Courier::Simulated(steps) => Arc::new(SimulatedCourier::new(steps)),
        Courier::None => Arc::new(NoCourier),
    }
}
