//! Every route of the command API.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use domain::Service;
use futures::future::join_all;
use infra::bus::Bus;
use infra::cache::Cache;
use infra::config::Orders;
use infra::event_store::EventStore;
use infra::http::{self, Check, Checks, within};
use infra::relay;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use crate::idempotency::Keys;
use crate::routes::{cancel_order, deliveries, place_order, stock};
use crate::services::Services;

/// What the routes need.
pub struct Api {
    pub(crate) services: Services,
    /// Those whose commands this process takes.
    own: Vec<Service>,
    bus: Arc<dyn Bus>,
    cache: Arc<dyn Cache>,
    pub(crate) orders: Orders,
    pub(crate) keys: Keys,
    /// How long a read waits for what `?after=` names.
    pub(crate) fresh_wait: std::time::Duration,
}

impl Api {
    /// The API for the commands of `own`, over `services`.
    pub fn new(
        services: Services,
        own: Vec<Service>,
        bus: Arc<dyn Bus>,
        cache: Arc<dyn Cache>,
        orders: Orders,
        fresh_wait: std::time::Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            services,
            own,
            bus,
            cache,
            orders,
            keys: Keys::new(),
            fresh_wait,
        })
    }
}

/// The routes, with health, metrics, the OpenAPI document and a page to try it.
pub fn router(api: Arc<Api>) -> Router {
    let (commands, document) = commands(&api.own).split_for_parts();
    let commands = commands.with_state(api.clone());
    http::with_limits(commands, "command")
        .merge(SwaggerUi::new("/docs").url("/openapi.json", document))
        .merge(http::probes(api))
        .fallback(http::not_found)
}

/// The OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    commands(&Service::ALL).into_openapi()
}

fn commands(own: &[Service]) -> OpenApiRouter<Arc<Api>> {
    let mut router = OpenApiRouter::with_openapi(Document::openapi());
    for service in own {
        router = match service {
            Service::Order => router
                .routes(routes!(place_order::place_order))
                .routes(routes!(cancel_order::cancel_order)),
            Service::Inventory => router
                .routes(routes!(stock::receive))
                .routes(routes!(stock::show)),
            // Payments follow from facts; nobody commands them.
            Service::Payment => router,
            Service::Delivery => router
                .routes(routes!(deliveries::assign))
                .routes(routes!(deliveries::eta))
                .routes(routes!(deliveries::dispatch))
                .routes(routes!(deliveries::deliver))
                .routes(routes!(deliveries::fail)),
        };
    }
    router
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "waybill command API",
        description = "Places and cancels orders, receives stock, and moves deliveries. Every \
            answer carries a `Waybill-Token`; a read with `?after=` that token shows what the \
            command did. Errors are RFC 9457 problems.",
        license(name = "MIT OR Apache-2.0"),
    ),
    components(schemas(http::ProblemBody))
)]
struct Document;

#[async_trait]
impl Checks for Api {
    /// Commands need the event stores of their services and nothing else: what follows from them
    /// is done once the bus is there, and the relay goes on.
    async fn check(&self) -> Vec<Check> {
        let own = self.own.iter().map(async |service| {
            let store = self.services.store(*service).as_ref();
            let ready = within(store.ready()).await;
            let relay = match ready.is_ok() {
                true => relay_of(store).await,
                false => None,
            };
            let store = Check::required(format!("{service} event store"), ready);
            [Some(store), relay]
        });
        let (own, bus, cache) = futures::join!(
            join_all(own),
            within(self.bus.ready()),
            within(self.cache.ready())
        );
        let mut checks: Vec<_> = own.into_iter().flatten().flatten().collect();
        checks.push(Check::optional("bus", bus));
        checks.push(Check::optional("cache", cache));
        checks
    }
}

/// Whether the relay of this log has halted; `None` where there is none.
async fn relay_of(store: &dyn EventStore) -> Option<Check> {
    let checkpoint = store.checkpoint(relay::CHECKPOINT).await.ok()??;
    let halted = checkpoint.halted.map_or(Ok(()), Err);
    let name = format!("{} relay", store.service());
    Some(Check::optional(name, halted))
}
