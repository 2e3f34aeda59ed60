//! Every route of the query API.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use domain::View;
use infra::http::{self, Check, Checks, within};
use infra::view_store::{Live, Table, ViewError, ViewStore};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use crate::routes::{get_order, get_timeline, list_orders};

/// What the routes need.
pub struct Api {
    pub(crate) store: Arc<dyn ViewStore>,
    live: Live,
    /// How long a read waits for what `?after=` names.
    pub(crate) fresh_wait: Duration,
}

impl Api {
    /// The API over the views in `store`. `live` names the table of a view that is read; it is asked
    /// at every request.
    pub fn new(store: Arc<dyn ViewStore>, live: Live, fresh_wait: Duration) -> Arc<Self> {
        Arc::new(Self {
            store,
            live,
            fresh_wait,
        })
    }

    /// The table of a view that is read now.
    ///
    /// # Errors
    /// [`ViewError::Unavailable`] where that is not known yet.
    pub(crate) async fn table(&self, view: &'static dyn View) -> Result<Table, ViewError> {
        self.live.table(view).await
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
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(get_order::get_order))
        .routes(routes!(get_timeline::get_timeline))
        .routes(routes!(list_orders::list_orders))
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "waybill query API",
        description = "Shows orders as the view has them, a moment behind the commands. A read \
            with `?after=` the `Waybill-Token` of a command shows what that command did. Lists are \
            read page by page: `nextCursor` of one is `?cursor=` of the next. Errors are RFC 9457 \
            problems.",
        license(name = "MIT OR Apache-2.0"),
    ),
    components(schemas(http::ProblemBody))
)]
struct Document;

#[async_trait]
impl Checks for Api {
    async fn check(&self) -> Vec<Check> {
        vec![Check::required(
            "view store",
            within(self.store.ready()).await,
        )]
    }
}
