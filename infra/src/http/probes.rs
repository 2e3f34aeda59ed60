//! Health, readiness and metrics.

use std::fmt::Display;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use utoipa::ToSchema;

use super::Json;
use crate::telemetry::metrics;

/// The process runs.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Health {
    /// Always `up`.
    status: &'static str,
}

/// What the process needs, and whether it is there.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Readiness {
    /// `ready`, `degraded` where something that can be done without is missing, or `unready`.
    status: &'static str,
    /// One by one.
    checks: Vec<Check>,
}

/// One thing that the process needs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Check {
    /// What.
    pub name: String,
    /// Whether requests can be answered without it.
    pub required: bool,
    /// Whether it is there.
    pub ok: bool,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Check {
    /// Something without which nothing can be answered.
    pub fn required<E: Display>(name: impl Into<String>, looked: Result<(), E>) -> Self {
        Self::of(name.into(), true, looked)
    }

    /// Something whose lack only delays.
    pub fn optional<E: Display>(name: impl Into<String>, looked: Result<(), E>) -> Self {
        Self::of(name.into(), false, looked)
    }

    /// What exactly is wrong may name addresses and users: that is for the log.
    fn of<E: Display>(name: String, required: bool, looked: Result<(), E>) -> Self {
        if let Err(e) = &looked {
            tracing::warn!(name, error = %e, "not ready");
        }
        Self {
            name,
            required,
            ok: looked.is_ok(),
            problem: looked
                .err()
                .map(|_| "is not ready; the log says why".into()),
        }
    }
}

/// What a role needs.
#[async_trait]
pub trait Checks: Send + Sync + 'static {
    /// Looks at each thing now.
    async fn check(&self) -> Vec<Check>;
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn probes(checks: Arc<dyn Checks>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(show_metrics))
        .with_state(checks)
}

async fn healthz() -> Json<Health> {
    Json(Health { status: "up" })
}

async fn readyz(State(checks): State<Arc<dyn Checks>>) -> Response {
    let checks = checks.check().await;
    let missing = |required| checks.iter().any(|c| !c.ok && c.required == required);
    let (code, status) = match (missing(true), missing(false)) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "unready"),
        (false, true) => (StatusCode::OK, "degraded"),
        (false, false) => (StatusCode::OK, "ready"),
    };
    (code, Json(Readiness { status, checks })).into_response()
}

async fn show_metrics() -> Response {
    let text = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, text)], metrics::render()).into_response()
}
