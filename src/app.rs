//! The pipeline in one process: built from its configuration, then run until it is asked to end.

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use command_api::{Outside, Services};
use domain::Service;
use infra::bus::{Bus, FeedBus};
use infra::cache::LocalCache;
use infra::clock;
use infra::config::{Config, Courier};
use infra::courier::{NoCourier, SimulatedCourier};
use infra::event_store::{Database, DatabaseError, EmbeddedEventStore, EventStore, ParkedRows};
use infra::payment_provider::SimulatedProvider;
use infra::tasks::Tasks;
use infra::telemetry;
use infra::view_store::{EmbeddedViewStore, ViewStore};
use infra::{courier, ids};
use tokio::net::TcpListener;
use tokio::time::{Duration, Instant, interval_at};
use tokio_util::sync::CancellationToken;

use crate::control::{Control, ControlError};
use crate::tools::Tools;

/// How often replies that have become too old are removed.
const PURGE_EVERY: Duration = Duration::from_secs(3600);
/// When they are first: not while everything starts.
const FIRST_PURGE: Duration = Duration::from_secs(60);

/// A pipeline that is ready to run: its data is open and its addresses are bound.
pub struct App {
    config: Config,
    adapters: Adapters,
    command: TcpListener,
    query: TcpListener,
    control: Control,
}

/// The adapters of all ports, chosen once.
#[derive(Clone)]
pub struct Adapters {
    database: Arc<Database>,
    services: Services,
    bus: Arc<dyn Bus>,
    views: Arc<dyn ViewStore>,
    outside: Outside,
}

/// Why the pipeline does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// An address cannot be bound.
    #[error("cannot listen on {addr} ({key})")]
    Bind {
        /// Which.
        addr: SocketAddr,
        /// What it is configured by.
        key: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The socket for tools cannot be made.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All work in hand was finished.
    Drained,
    /// Something was still running when the time was over. Nothing is lost: what was not done is
    /// done at the next start.
    CutOff,
    /// A task panicked.
    Failed,
}

impl Adapters {
    /// Opens the data directory and chooses the adapters.
    ///
    /// # Errors
    /// [`DatabaseError`]; the directory is then as it was.
    pub fn open(config: &Config) -> Result<Self, DatabaseError> {
        let database = Database::open(&config.data_dir)?;
        let stores = Service::ALL.map(|service| {
            let store = EmbeddedEventStore::new(database.clone(), service);
            Arc::new(store) as Arc<dyn EventStore>
        });
        let bus: Arc<dyn Bus> = Arc::new(FeedBus::new(stores.to_vec()));
        let courier: Arc<dyn courier::Courier> = match config.courier {
            Courier::Simulated(steps) => Arc::new(SimulatedCourier::new(steps)),
            Courier::None => Arc::new(NoCourier),
        };
        Ok(Self {
            services: Services::new(stores),
            views: Arc::new(EmbeddedViewStore::new(database.clone())),
            outside: Outside {
                bus: bus.clone(),
                cache: Arc::new(LocalCache::new()),
                provider: Arc::new(SimulatedProvider::new(config.payment.clone())),
                courier,
            },
            bus,
            database,
        })
    }

    /// The event store of a service.
    pub fn store(&self, service: Service) -> &Arc<dyn EventStore> {
        self.services.store(service)
    }

    /// The view store.
    pub fn views(&self) -> &Arc<dyn ViewStore> {
        &self.views
    }

    /// What an operator can ask.
    pub fn tools(&self) -> Tools {
        Tools::new(self.services.clone(), self.bus.clone())
    }
}

impl App {
    /// Binds the addresses and opens the data directory, which is made where it does not exist.
    ///
    /// # Errors
    /// [`StartError`]
    pub async fn build(config: Config) -> Result<Self, StartError> {
        telemetry::record_metrics();
        // What fails without leaving anything behind comes first.
        let command = bind(config.http.command_addr, "command_addr").await?;
        let query = bind(config.http.query_addr, "query_addr").await?;
        let adapters = Adapters::open(&config)?;
        let control = Control::bind(&config.data_dir)?;
        Ok(Self {
            config,
            adapters,
            command,
            query,
            control,
        })
    }

    /// Where the command API listens.
    pub fn command_addr(&self) -> SocketAddr {
        self.command
            .local_addr()
            .unwrap_or(self.config.http.command_addr)
    }

    /// Where the query API listens.
    pub fn query_addr(&self) -> SocketAddr {
        self.query
            .local_addr()
            .unwrap_or(self.config.http.query_addr)
    }

    /// The adapters, for who wants to look inside.
    pub fn adapters(&self) -> &Adapters {
        &self.adapters
    }

    /// Runs every role until `stop`; then refuses new requests, finishes those in hand, then the
    /// background work, and writes everything to the disk, all within the drain time.
    pub async fn run(self, stop: CancellationToken) -> Ended {
        let Self {
            config,
            adapters,
            command,
            query,
            control,
        } = self;
        let work = Tasks::new();
        adapters.start(&config, &work);
        let servers = Tasks::new();
        let (commands, queries) = adapters.routers(&config);
        serve(&servers, "command API", command, commands);
        serve(&servers, "query API", query, queries);
        control.serve(adapters.tools(), &servers);

        tokio::select! {
            () = stop.cancelled() => {}
            () = work.stopping().cancelled_owned() => {}
            () = servers.stopping().cancelled_owned() => {}
        }
        tracing::info!("draining");
        // Half the time for requests in hand: one slow client must not keep the loops from being
        // asked to end in order.
        let answered = servers.drain(config.drain / 2).await;
        let finished = work.drain(config.drain / 2).await;
        let drained = answered && finished;
        if let Err(e) = adapters.database.sync() {
            tracing::error!(error = %e, "the last writes may not be on the disk");
        }
        match (work.have_failed() || servers.have_failed(), drained) {
            (true, _) => Ended::Failed,
            (false, true) => Ended::Drained,
            (false, false) => Ended::CutOff,
        }
    }
}

impl Adapters {
    /// Starts what runs in the background.
    fn start(&self, config: &Config, tasks: &Tasks) {
        let holder = ids::unique().to_string();
        for service in Service::ALL {
            self.services
                .run(service, &self.outside, config.lease, &holder, tasks);
            let store = self.services.store(service).clone();
            let keep = config.orders.idempotency;
            let stop = tasks.stopping();
            tasks.spawn("purge", purge_replies(store, keep, stop));
        }
        let parked = EmbeddedEventStore::new(self.database.clone(), Service::Order);
        let parked: Arc<dyn ParkedRows> = Arc::new(parked);
        projectors::run(&self.bus, &self.views, &parked, tasks);
    }

    fn routers(&self, config: &Config) -> (Router, Router) {
        let wait = config.http.fresh_wait;
        let commands = command_api::Api::new(self.services.clone(), config.orders, wait);
        let (order_view, _) = projectors::live_table(&domain::view::order_view::OrderView);
        let queries = query_api::Api::new(self.views.clone(), order_view, wait);
        (command_api::router(commands), query_api::router(queries))
    }
}

async fn bind(addr: SocketAddr, key: &'static str) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(addr).await;
    bound.map_err(|source| StartError::Bind { addr, key, source })
}

fn serve(tasks: &Tasks, name: &'static str, listener: TcpListener, router: Router) {
    let stop = tasks.stopping().cancelled_owned();
    let server = axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .into_future();
    tasks.spawn(name, async move {
        if let Err(e) = server.await {
            tracing::error!(error = %e, "{name} has ended");
        }
    });
}

async fn purge_replies(store: Arc<dyn EventStore>, keep: Duration, stop: CancellationToken) {
    let keep_micros = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
    let mut hourly = interval_at(Instant::now() + FIRST_PURGE, PURGE_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = hourly.tick() => {}
        }
        let now = clock::now().as_micros();
        let before = domain::values::Timestamp::from_micros(now.saturating_sub(keep_micros));
        match store.purge_replies(before).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(service = %store.service(), removed, "old replies"),
            Err(e) => tracing::warn!(service = %store.service(), error = %e, "old replies stay"),
        }
    }
}
