use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::thread::panicking;
use std::time::Duration;

use domain::Service;
use infra::config::{Config, Courier, Http, Orders, Payment};
use infra::courier::Steps;
use infra::event_store::EventStore;
use infra::payment_provider::Simulated;
use infra::tasks::Tasks;
use projectors::Views;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waybill::adapters::Adapters;
use waybill::app::{App, Ended};
use waybill::roles::Roles;
use waybill::tools::{Request, ToolError};

use super::{Client, Moment, Place, Role, eventually};

/// How the pipeline differs from one with no delays at all.
#[derive(Debug, Clone, Default)]
pub struct Fast {
    /// Deliveries are driven over HTTP.
    pub by_hand: bool,
    pub payment_delay_ms: u64,
    pub deadline_ms: u64,
    pub fresh_wait_ms: Option<u64>,
}

/// The whole pipeline, empty, on ports of its own.
pub struct Pipeline {
    client: Client,
    /// What it keeps, to look inside.
    adapters: Adapters,
    running: Option<Running>,
}

enum Running {
    /// The app that `main` starts, on a folder.
    Here {
        stop: CancellationToken,
        app: JoinHandle<Ended>,
        _folder: TempDir,
    },
    /// A process a role, on servers.
    Apart { roles: Vec<Role>, _place: Place },
}

impl Pipeline {
    /// In this process, on the embedded store.
    pub async fn start(fast: Fast) -> Self {
        Self::start_paying(fast, None).await
    }

    /// With another provider than the simulated one, where there is one.
    pub async fn start_paying(fast: Fast, payment: Option<Payment>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let defaults = Config::default();
        let any_port: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let at_once = Steps {
            assign_ms: 0,
            dispatch_ms: 0,
            deliver_ms: 0,
        };
        let config = Config {
            data_dir: folder.path().join("data"),
            http: Http {
                command_addr: any_port,
                query_addr: any_port,
                projectors_addr: any_port,
                fresh_wait: fast
                    .fresh_wait_ms
                    .map_or(defaults.http.fresh_wait, Duration::from_millis),
            },
            payment: payment.unwrap_or(Payment::Simulated(Simulated {
                success_rate: 80,
                delay: Duration::from_millis(fast.payment_delay_ms),
                seed: 0,
            })),
            orders: Orders {
                deadline_ms: fast.deadline_ms,
                ..defaults.orders
            },
            courier: if fast.by_hand {
                Courier::None
            } else {
                Courier::Simulated(at_once)
            },
            ..defaults
        };
        let app = App::build(config, Roles::all()).await.unwrap();
        let client = Client::new(
            format!("http://{}", app.command_addr().unwrap()),
            format!("http://{}", app.query_addr().unwrap()),
        );
        let adapters = app.adapters().clone();
        let stop = CancellationToken::new();
        let app = tokio::task::spawn(app.run(stop.clone()));
        let running = Running::Here {
            stop,
            app,
            _folder: folder,
        };
        Self {
            client,
            adapters,
            running: Some(running),
        }
    }

    /// Each role a process of its own, on the servers that tests share; none where one is missing.
    pub async fn start_on_servers(fast: Fast) -> Option<Self> {
        let courier = if fast.by_hand { "none" } else { "simulated" };
        let settings = [
            format!("courier={courier}"),
            format!("payment_delay_ms={}", fast.payment_delay_ms),
            format!("order_deadline_ms={}", fast.deadline_ms),
            format!("fresh_wait_ms={}", fast.fresh_wait_ms.unwrap_or(5000)),
            "courier_assign_ms=0".into(),
            "courier_dispatch_ms=0".into(),
            "courier_deliver_ms=0".into(),
        ];
        let place = Place::migrated(&settings.each_ref().map(String::as_str)).await?;
        let (client, roles) = place.start_all().await;
        let adapters = Adapters::open(&place.config()).unwrap();
        Some(Self {
            client,
            adapters,
            running: Some(Running::Apart {
                roles,
                _place: place,
            }),
        })
    }

    /// What `waybill explain` says.
    pub async fn explain(&self, order: &str) -> Value {
        let order = order.parse().unwrap();
        self.answer(Request::Explain { order }).await
    }

    async fn answer(&self, request: Request) -> Value {
        self.adapters
            .tools(&Tasks::new())
            .answer(request)
            .await
            .unwrap()
    }

    /// What a tool answers.
    pub async fn ask(&self, request: Request) -> Result<Value, ToolError> {
        self.adapters.tools(&Tasks::new()).answer(request).await
    }

    /// What it keeps, to look inside.
    pub fn adapters(&self) -> &Adapters {
        &self.adapters
    }

    /// The views, and what keeping them needs.
    pub fn views(&self) -> &Views {
        self.adapters.kept_views()
    }

    /// The event store of a service.
    pub fn store(&self, service: Service) -> &Arc<dyn EventStore> {
        self.adapters.store(service)
    }

    /// How many facts the log of a service has.
    pub async fn facts_of(&self, service: &str) -> u64 {
        let status = self.answer(Request::Status).await;
        let services = status["services"].as_array().unwrap();
        let of = services.iter().find(|of| of["service"] == service).unwrap();
        of["lastPosition"].as_u64().unwrap()
    }

    /// How many orders were ever placed.
    pub async fn created_orders(&self) -> usize {
        let orders = self.adapters.store(Service::Order);
        let facts = orders.read_log(0, usize::MAX).await.unwrap();
        facts
            .iter()
            .filter(|fact| fact.name == "order.created")
            .count()
    }

    /// Waits until `waybill status` looks as `enough` wants it.
    pub async fn status_until(&self, enough: impl Fn(&Value) -> bool) -> Value {
        eventually(|| self.answer(Request::Status), enough).await
    }

    /// Waits until everything has been published and every consumer group has taken it, so that
    /// the view shows all there is.
    pub async fn caught_up(&self) -> Value {
        let look = || Moment::of(&self.adapters);
        eventually(look, Moment::at_rest).await.status()
    }

    /// Ends the pipeline, and asserts that it leaves nothing undone: every consumer group has
    /// taken everything, nothing is parked or in trouble, and it drained in time.
    pub async fn finish(mut self) {
        let status = self.caught_up().await;
        assert_eq!(status["healthy"], true, "{status:#}");
        match self.running.take().unwrap() {
            Running::Here { stop, app, _folder } => {
                stop.cancel();
                assert_eq!(app.await.unwrap(), Ended::Drained);
            }
            Running::Apart { roles, _place } => {
                futures::future::join_all(roles.into_iter().map(Role::terminate)).await;
            }
        }
    }
}

impl Deref for Pipeline {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        if let Some(Running::Here { stop, .. }) = &self.running {
            stop.cancel();
        }
        let unfinished = self.running.is_some() && !panicking();
        assert!(!unfinished, "end the test with pipeline.finish()");
    }
}
