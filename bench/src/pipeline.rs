//! The whole pipeline in this process, on servers or on a folder, made of the parts that the
//! program is made of; its view store is watched.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use axum::Router;
use command_api::{Api, Outside, Services};
use domain::{Service, view};
use infra::bus::{Bus, FeedBus, KafkaBus, KafkaPublisher, Membership};
use infra::cache::LocalCache;
use infra::config::Config;
use infra::courier::{SimulatedCourier, Steps};
use infra::event_store::{Database, EmbeddedEventStore, EventStore, ParkedRows};
use infra::ids;
use infra::lease::Terms;
use infra::payment_provider::{Simulated, SimulatedProvider};
use infra::tasks::Tasks;
use infra::view_store::{CassandraViewStore, EmbeddedViewStore, ViewStore};
use projectors::Views;
use tokio::net::TcpListener;

use crate::place::Place;
use crate::watched::{Seen, Watched};

/// How long a lease lasts: longer than any stall of a busy machine.
const TERMS: Terms = Terms {
    lasts: Duration::from_secs(10),
    renewed_every: Duration::from_secs(3),
};
/// A courier assigns at once; what comes then is no part of what is measured.
const COURIER: Steps = Steps {
    assign_ms: 0,
    dispatch_ms: 3_600_000,
    deliver_ms: 3_600_000,
};
/// Until all background work has ended.
const DRAIN: Duration = Duration::from_secs(20);

/// A pipeline that runs.
pub struct Pipeline {
    pub services: Services,
    pub views: Views,
    pub seen: Arc<Seen>,
    outside: Outside,
    tasks: Tasks,
    /// Held, so that it is closed after all that uses it.
    _folder: Option<Arc<Database>>,
}

impl Pipeline {
    /// On servers, migrated; nothing runs yet.
    pub fn on(place: &Place) -> anyhow::Result<Self> {
        let store = |service| Ok::<_, anyhow::Error>(Arc::new(place.store(service)?) as Arc<_>);
        let stores: [Arc<dyn EventStore>; 4] = [
            store(Service::Order)?,
            store(Service::Inventory)?,
            store(Service::Payment)?,
            store(Service::Delivery)?,
        ];
        let bus: Arc<dyn Bus> = Arc::new(KafkaBus::new(place.kafka(), Membership::default()));
        let cells = CassandraViewStore::new(&place.servers.views()?);
        let parked: Arc<dyn ParkedRows> = Arc::new(cells.clone());
        let publisher = Arc::new(KafkaPublisher::new(place.kafka()));
        let outside = outside(bus, Some(publisher));
        Ok(Self::of(stores, outside, Arc::new(cells), parked, None))
    }

    /// Embedded, in an empty folder.
    pub fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let database = Database::open(folder)?;
        let store = |service| Arc::new(EmbeddedEventStore::new(database.clone(), service));
        let stores = Service::ALL.map(|service| store(service) as Arc<dyn EventStore>);
        let bus: Arc<dyn Bus> = Arc::new(FeedBus::new(stores.to_vec()));
        let cells = Arc::new(EmbeddedViewStore::new(database.clone()));
        let parked = store(Service::Order);
        let outside = outside(bus, None);
        Ok(Self::of(stores, outside, cells, parked, Some(database)))
    }

    fn of(
        stores: [Arc<dyn EventStore>; 4],
        outside: Outside,
        cells: Arc<dyn ViewStore>,
        parked: Arc<dyn ParkedRows>,
        folder: Option<Arc<Database>>,
    ) -> Self {
        let watched = Watched::new(cells);
        let seen = watched.seen.clone();
        Self {
            views: Views {
                all: &view::ALL,
                bus: outside.bus.clone(),
                store: Arc::new(watched),
                parked,
                logs: stores.to_vec(),
                kept_for: Config::default().keep_generations,
            },
            services: Services::new(stores),
            outside,
            seen,
            tasks: Tasks::new(),
            _folder: folder,
        }
    }

    /// Without what publishes the logs.
    #[must_use]
    pub fn without_relays(mut self) -> Self {
        self.outside.publisher = None;
        self
    }

    /// Runs the reactions and tasks of a service, and its relay where there is one.
    pub fn run(&self, service: Service) {
        let holder = ids::unique().to_string();
        self.services
            .run(service, &self.outside, TERMS, &holder, &self.tasks);
    }

    /// Runs all services and views.
    pub fn run_all(&self) {
        for service in Service::ALL {
            self.run(service);
        }
        self.views.run(&self.tasks);
    }

    /// Serves the commands, and says where.
    pub async fn listen(&self) -> anyhow::Result<SocketAddr> {
        let Config { orders, http, .. } = Config::default();
        let wait = http.fresh_wait;
        let (bus, cache) = (self.outside.bus.clone(), self.outside.cache.clone());
        let own = Service::ALL.to_vec();
        let api = Api::new(self.services.clone(), own, bus, cache, orders, wait);
        self.serve(command_api::router(api)).await
    }

    async fn serve(&self, router: Router) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let stop = self.tasks.stopping().cancelled_owned();
        self.tasks.spawn("commands", async move {
            let server = axum::serve(listener, router).with_graceful_shutdown(stop);
            drop(server.await);
        });
        Ok(addr)
    }

    /// Ends it.
    pub async fn end(self) -> anyhow::Result<()> {
        ensure!(self.tasks.drain(DRAIN).await, "the pipeline does not end");
        ensure!(!self.tasks.have_failed(), "a task has panicked");
        Ok(())
    }
}

fn outside(bus: Arc<dyn Bus>, publisher: Option<Arc<KafkaPublisher>>) -> Outside {
    let play = Simulated {
        success_rate: 100,
        delay: Duration::ZERO,
        seed: 0,
    };
    Outside {
        bus,
        publisher: publisher.map(|publisher| publisher as _),
        cache: Arc::new(LocalCache::new()),
        provider: Arc::new(SimulatedProvider::new(play)),
        courier: Arc::new(SimulatedCourier::new(COURIER)),
    }
}
