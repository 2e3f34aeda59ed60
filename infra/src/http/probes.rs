//! Health, readiness and metrics.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
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

/// What is looked at answers by then, or is not ready: probes give up after a few seconds.
const LOOK_WITHIN: Duration = Duration::from_secs(2);
/// For how long a look is good: however many ask, servers are asked once a second.
const LOOK_LASTS: Duration = Duration::from_secs(1);

/// What was looked at, or that there was no answer within `LOOK_WITHIN` (2 s).
///
/// # Errors
/// In words.
pub async fn within<E: Display>(looked: impl Future<Output = Result<(), E>>) -> Result<(), String> {
    match timeout(LOOK_WITHIN, looked).await {
        Ok(looked) => looked.map_err(|e| e.to_string()),
        Err(_) => Err(format!("no answer within {LOOK_WITHIN:?}")),
    }
}

/// The last look, and the way to the next.
struct Looks {
    checks: Arc<dyn Checks>,
    last: Mutex<Option<(Instant, Vec<Check>)>>,
}

impl Looks {
    /// One look at a time; who waited for another's takes it.
    async fn look(&self) -> Vec<Check> {
        let mut last = self.last.lock().await;
        if let Some((at, checks)) = &*last
            && at.elapsed() < LOOK_LASTS
        {
            return checks.clone();
        }
        let checks = self.checks.check().await;
        *last = Some((Instant::now(), checks.clone()));
        checks
    }
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn probes(checks: Arc<dyn Checks>) -> Router {
    let looks = Looks {
        checks,
        last: Mutex::default(),
    };
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(show_metrics))
        .with_state(Arc::new(looks))
}

async fn healthz() -> Json<Health> {
    Json(Health { status: "up" })
}

async fn readyz(State(looks): State<Arc<Looks>>) -> Response {
    let checks = looks.look().await;
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
