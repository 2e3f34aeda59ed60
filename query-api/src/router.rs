//! Every route of the query API.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use infra::http::{self, Check, Checks};
use infra::view_store::{Table, ViewStore};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use crate::routes::get_order;

/// What the routes need.
pub struct Api {
    pub(crate) store: Arc<dyn ViewStore>,
    pub(crate) order_view: Table,
    /// How long a read waits for what `?after=` names.
    pub(crate) fresh_wait: Duration,
}

impl Api {
    /// The API over the table `order_view` of `store`.
    pub fn new(store: Arc<dyn ViewStore>, order_view: Table, fresh_wait: Duration) -> Arc<Self> {
        Arc::new(Self {
            store,
            order_view,
            fresh_wait,
        })
    }
}

/// The routes, with health, metrics, the OpenAPI document and a page to try it.
pub fn router(api: Arc<Api>) -> Router {
    let (queries, document) = queries().split_for_parts();
    let queries = queries.with_state(api.clone());
    http::with_limits(queries, "query")
        .merge(SwaggerUi::new("/docs").url("/openapi.json", document))
        .merge(http::probes(api))
        .fallback(http::not_found)
}

/// The OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    queries().into_openapi()
}

fn queries() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Document::openapi()).routes(routes!(get_order::get_order))
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "waybill query API",
        description = "Shows orders as the view has them, a moment behind the commands. A read \
            with `?after=` the `Waybill-Token` of a command shows what that command did. Errors \
            are RFC 9457 problems.",
        license(name = "MIT OR Apache-2.0"),
    ),
    components(schemas(http::ProblemBody))
)]
struct Document;

#[async_trait]
impl Checks for Api {
    async fn check(&self) -> Vec<Check> {
        vec![Check::required("view store", self.store.ready().await)]
    }
}
