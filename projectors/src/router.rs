//! What projectors that are a process of their own answer: health and metrics.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use infra::bus::Bus;
use infra::http::{self, Check, Checks, within};
use infra::view_store::ViewStore;

/// `/healthz`, `/readyz` and `/metrics`.
pub fn router(bus: Arc<dyn Bus>, views: Arc<dyn ViewStore>) -> Router {
    http::probes(Arc::new(Needs { bus, views })).fallback(http::not_found)
}

struct Needs {
    bus: Arc<dyn Bus>,
    views: Arc<dyn ViewStore>,
}

#[async_trait]
impl Checks for Needs {
    async fn check(&self) -> Vec<Check> {
        let (bus, views) = futures::join!(within(self.bus.ready()), within(self.views.ready()));
        vec![
            Check::required("bus", bus),
            Check::required("view store", views),
        ]
    }
}
