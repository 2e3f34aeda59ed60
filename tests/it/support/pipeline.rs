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
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waybill::adapters::Adapters;
use waybill::app::{App, Ended};
use waybill::roles::Roles;
use waybill::tools::{Request, ToolError, Tools};

use super::{Client, eventually};

/// How the pipeline differs from one with no delays at all.
#[derive(Debug, Clone, Default)]
pub struct Fast {
    /// Deliveries are driven over HTTP.
    pub by_hand: bool,
    pub payment_delay_ms: u64,
    pub deadline_ms: u64,
    pub fresh_wait_ms: Option<u64>,
    /// Another provider than the simulated one.
    pub provider: Option<Payment>,
}

/// The app that `main` starts, on an empty folder and ports of its own.
pub struct Pipeline {
    client: Client,
    tools: Tools,
    adapters: Adapters,
    stop: CancellationToken,
    running: Option<JoinHandle<Ended>>,
    _folder: TempDir,
}

impl Pipeline {
    pub async fn start(fast: Fast) -> Self {
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
            payment: fast.provider.unwrap_or(Payment::Simulated(Simulated {
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
        let tools = app.adapters().tools();
        let adapters = app.adapters().clone();
        let stop = CancellationToken::new();
        let running = tokio::task::spawn(app.run(stop.clone()));
        Self {
            client,
            tools,
            adapters,
            stop,
            running: Some(running),
            _folder: folder,
        }
    }

    /// What `waybill explain` says.
    pub async fn explain(&self, order: &str) -> Value {
        let order = order.parse().unwrap();
        self.tools.answer(Request::Explain { order }).await.unwrap()
    }

    /// What a tool answers.
    pub async fn ask(&self, request: Request) -> Result<Value, ToolError> {
        self.tools.answer(request).await
    }

    /// The event store of a service.
    pub fn store(&self, service: Service) -> &Arc<dyn EventStore> {
        self.adapters.store(service)
    }

    /// How many facts the log of a service has.
    pub async fn facts_of(&self, service: &str) -> u64 {
        let status = self.tools.answer(Request::Status).await.unwrap();
        let services = status["services"].as_array().unwrap();
        let of = services.iter().find(|of| of["service"] == service).unwrap();
        of["lastPosition"].as_u64().unwrap()
    }

    /// How many orders were ever placed.
    pub async fn created_orders(&self) -> usize {
        let store = self.store(Service::Order);
        let facts = store.read_log(0, usize::MAX).await.unwrap();
        facts
            .iter()
            .filter(|fact| fact.name == "order.created")
            .count()
    }

    /// Waits until `waybill status` looks as `enough` wants it.
    pub async fn status_until(&self, enough: impl Fn(&Value) -> bool) -> Value {
        let tools = self.tools.clone();
        let status = move || {
            let tools = tools.clone();
            async move { tools.answer(Request::Status).await.unwrap() }
        };
        eventually(status, enough).await
    }

    /// Waits until every consumer group has taken everything, so that the view shows all there is.
    pub async fn caught_up(&self) -> Value {
        let settled = |status: &Value| {
            let groups = status["groups"].as_array().unwrap();
            groups.iter().all(|group| group["lag"] == 0)
        };
        self.status_until(settled).await
    }

    /// Ends the pipeline, and asserts that it leaves nothing undone: every consumer group has
    /// taken everything, nothing is parked or in trouble, and it drained in time.
    pub async fn finish(mut self) {
        let status = self.caught_up().await;
        assert_eq!(status["healthy"], true, "{status:#}");
        self.stop.cancel();
        let ended = self.running.take().unwrap().await.unwrap();
        assert_eq!(ended, Ended::Drained);
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
        self.stop.cancel();
        let unfinished = self.running.is_some() && !panicking();
        assert!(!unfinished, "end the test with pipeline.finish()");
    }
}
