//! A process of the pipeline: built from its configuration, then run until it is asked to end.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use domain::view;
use infra::clock;
use infra::config::Config;
use infra::event_store::EventStore;
use infra::http;
use infra::ids;
use infra::tasks::Tasks;
use infra::telemetry::metrics;
use infra::view_store::Live;
use projectors::Views;
use tokio::net::TcpListener;
use tokio::time::{Duration, Instant, interval_at};
use tokio_util::sync::CancellationToken;

use crate::adapters::{Adapters, OpenError, ViewList};
use crate::control::{Control, ControlError};
use crate::roles::{BindError, Listeners, Roles};

/// How often replies that have become too old are removed.
const PURGE_EVERY: Duration = Duration::from_secs(3600);
/// When they are first: not while everything starts.
const FIRST_PURGE: Duration = Duration::from_secs(60);

/// A process that is ready to run: its data is open and its addresses are bound.
pub struct App {
    config: Config,
    roles: Roles,
    adapters: Adapters,
    listeners: Listeners,
    control: Option<Control>,
}

/// Why a process does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be opened, or the way to a server.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// An address cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The socket for tools cannot be made.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A role was asked for by itself, and the embedded store is of one process.
    #[error(
        "a role by itself needs servers to share: set postgres_url, kafka_brokers and \
         cassandra_nodes, or run everything in one process with `waybill`"
    )]
    NeedsServers,
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

impl App {
    /// Binds the addresses of `roles` and opens the data directory, which is made where it does
    /// not exist, or the way to the servers.
    ///
    /// # Errors
    /// [`StartError`]
    pub async fn build(config: Config, roles: Roles) -> Result<Self, StartError> {
        Self::build_with(config, roles, &view::ALL).await
    }

    /// The same with views of the caller's own.
    ///
    /// # Errors
    /// [`StartError`]
    pub async fn build_with(
        config: Config,
        roles: Roles,
        views: ViewList,
    ) -> Result<Self, StartError> {
        if config.servers.is_none() && roles != Roles::all() {
            return Err(StartError::NeedsServers);
        }
        metrics::record();
        // What fails without leaving anything behind comes first.
        let listeners = roles.bind(&config.http).await?;
        let adapters = Adapters::open_with(&config, views)?;
        let control = match adapters.folder {
            Some(_) => Some(Control::bind(&config.data_dir)?),
            None => None,
        };
        Ok(Self {
            config,
            roles,
            adapters,
            listeners,
            control,
        })
    }

    /// Where the command API listens, where it is one of the roles.
    pub fn command_addr(&self) -> Option<SocketAddr> {
        addr_of(&self.listeners.command)
    }

    /// Where the query API listens, where it is one of the roles.
    pub fn query_addr(&self) -> Option<SocketAddr> {
        addr_of(&self.listeners.query)
    }

    /// Where the projectors listen, where they are a process of their own.
    pub fn projectors_addr(&self) -> Option<SocketAddr> {
        addr_of(&self.listeners.projectors)
    }

    /// The adapters, for who wants to look inside.
    pub fn adapters(&self) -> &Adapters {
        &self.adapters
    }

    /// Runs the roles until `stop`; then refuses new requests, finishes those in hand, then the
    /// background work, and writes everything to the disk, all within the drain time.
    pub async fn run(self, stop: CancellationToken) -> Ended {
        let Self {
            config,
            roles,
            adapters,
            listeners,
            control,
        } = self;
        let work = Tasks::new();
        start(&adapters, &roles, &config, &work);
        let servers = Tasks::new();
        servers.spawn("metrics", metrics::upkeep(servers.stopping()));
        listen(&adapters, &roles, &config, listeners, &servers);
        if let Some(control) = control {
            control.serve(adapters.tools(&work), &servers);
        }

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
        if let Some(Err(e)) = adapters.folder.map(|folder| folder.sync()) {
            tracing::error!(error = %e, "the last writes may not be on the disk");
        }
        match (work.have_failed() || servers.have_failed(), drained) {
            (true, _) => Ended::Failed,
            (false, true) => Ended::Drained,
            (false, false) => Ended::CutOff,
        }
    }
}

fn addr_of(listener: &Option<TcpListener>) -> Option<SocketAddr> {
    listener.as_ref().and_then(|bound| bound.local_addr().ok())
}

/// Starts what runs in the background.
fn start(adapters: &Adapters, roles: &Roles, config: &Config, tasks: &Tasks) {
    let holder = ids::unique().to_string();
    for service in roles.services.iter().copied() {
        let (services, outside) = (&adapters.services, &adapters.outside);
        services.run(service, outside, config.lease, &holder, tasks);
        let store = adapters.store(service).clone();
        let keep = config.orders.idempotency;
        let stop = tasks.stopping();
        tasks.spawn("purge", purge_replies(store, keep, stop));
    }
    if roles.projectors {
        adapters.views.run(tasks);
    }
}

/// Starts the HTTP side.
fn listen(
    adapters: &Adapters,
    roles: &Roles,
    config: &Config,
    listeners: Listeners,
    servers: &Tasks,
) {
    let wait = config.http.fresh_wait;
    // Half of what servers have to end.
    let within = config.drain / 4;
    if let Some(listener) = listeners.command {
        let own = roles.services.clone();
        let services = adapters.services.clone();
        let (bus, cache) = (adapters.bus.clone(), adapters.outside.cache.clone());
        let api = command_api::Api::new(services, own, bus, cache, config.orders, wait);
        serve(
            servers,
            "command API",
            listener,
            command_api::router(api),
            within,
        );
    }
    if let Some(listener) = listeners.query {
        let Views { store, all, .. } = &adapters.views;
        let (live, follow) = Live::follow(store.clone(), all, servers.stopping());
        servers.spawn("live tables", follow);
        let api = query_api::Api::new(store.clone(), live, wait);
        serve(
            servers,
            "query API",
            listener,
            query_api::router(api),
            within,
        );
    }
    if let Some(listener) = listeners.projectors {
        let router = projectors::router(adapters.bus.clone(), adapters.views().clone());
        serve(servers, "projectors", listener, router, within);
    }
}

fn serve(
    tasks: &Tasks,
    name: &'static str,
    listener: TcpListener,
    router: Router,
    within: Duration,
) {
    let (door, router, over) = http::draining(listener, router, tasks.stopping(), within);
    let server = axum::serve(door, router)
        .with_graceful_shutdown(over)
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
