//! What bounds a request: its size, its time and how many there are at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Problem;
use super::body::{discard, read};
use super::gate::Gate;
use super::token::waits;
use crate::telemetry::trace;

/// Requests at once; one more is refused at once, so that memory is bounded. What keeps latency is
/// the [gate](super::gate), which mostly refuses before that.
pub const MAX_IN_FLIGHT: usize = 2048;

/// The longest that a request may take: past any wait of its own.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(70);

/// How long a client may take to send a body of [`MAX_BODY_BYTES`](super::MAX_BODY_BYTES).
const SENT_WITHIN: Duration = Duration::from_secs(10);

/// Puts the limits around `routes`, and answers unknown paths and methods with problems.
///
/// Health and metrics belong outside: they answer also when everything else is refused.
pub fn with_limits<S: Clone + Send + Sync + 'static>(
    routes: Router<S>,
    api: &'static str,
) -> Router<S> {
    let limits = Limits {
        in_flight: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
        gate: Gate::new(),
    };
    routes
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(limits, bounded))
        .layer(from_fn_with_state(api, measured))
        .layer(from_fn(caught))
}

/// The answer for paths that are not there.
pub async fn not_found() -> Problem {
    let detail = "there is nothing at this path; /docs shows what there is";
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}

async fn method_not_allowed() -> Problem {
    let detail = "the method is not allowed here; the header Allow lists those that are";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}

#[derive(Clone)]
struct Limits {
    in_flight: Arc<Semaphore>,
    gate: Arc<Gate>,
}

async fn bounded(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let Ok(_permit) = limits.in_flight.try_acquire() else {
        discard(request).await;
        return overloaded();
    };
    // How fast a client sends says nothing of how busy we are, and whoever is refused unread may take
    // the closing of its connection for a crash.
    let request = match timeout(SENT_WITHIN, read(request)).await {
        Ok(Ok(request)) => request,
        Ok(Err(problem)) => return problem.into_response(),
        Err(_) => return too_slow().into_response(),
    };
    let answer = timeout(REQUEST_TIMEOUT, async {
        if waits(&request) {
            return next.run(request).await;
        }
        let Some(inside) = limits.gate.enter().await else {
            return overloaded();
        };
        let response = next.run(request).await;
        inside.done(response.status().is_success());
        response
    });
    match answer.await {
        Ok(response) => response,
        Err(_) => Problem::try_again("timed-out", "the request took too long", 1).into_response(),
    }
}

fn too_slow() -> Problem {
    let detail = format!("the body was not there within {SENT_WITHIN:?}");
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", detail)
}

fn overloaded() -> Response {
    let detail = "too many requests are being answered";
    Problem::try_again("overloaded", detail, 1).into_response()
}

async fn measured(State(api): State<&'static str>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let _counted = InFlight::begin(api);
    let method = name_of(request.method());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "unknown".to_owned(), |path| path.as_str().to_owned());
    let work = trace::of_request(method, &route, request.headers());
    let response = work.run(next.run(request)).await;
    let status = response.status();
    work.note("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        work.failed(&status);
    }
    metrics::histogram!(
        "waybill_http_seconds",
        "api" => api,
        "method" => method,
        "route" => route,
        "status" => class_of(status)
    )
    .record(begun.elapsed().as_secs_f64());
    response
}

/// A request that is being answered, also where its caller goes away.
struct InFlight(metrics::Gauge);

impl InFlight {
    fn begin(api: &'static str) -> Self {
        let gauge = metrics::gauge!("waybill_http_requests_in_flight", "api" => api);
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// Callers may send any word as a method: those that no route takes are one.
fn name_of(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn class_of(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    }
}

/// A handler that panics loses its own request only.
async fn caught(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => Problem::internal(&"a handler panicked").into_response(),
    }
}
