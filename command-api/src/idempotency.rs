//! One answer for one key.
//!
//! The answer is stored in the transaction of the facts, so that it is there exactly where they
//! are. Only what appended is stored; a refusal, or a command that found nothing to do, is decided
//! anew. Of two requests with one key at the same time the second waits for the first in this
//! process; between processes the key's uniqueness in the store refuses the second append.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::FactId;
use domain::values::Timestamp;
use infra::event_store::{EventStore, StoredReply};
use infra::http::{Problem, TOKEN_HEADER};
use moka::sync::Cache;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

/// The longest key.
const MAX_KEY_CHARS: usize = 255;
/// Keys that are being answered; an entry goes when nobody asked for it for a while.
const IN_FLIGHT: u64 = 10_000;
const IN_FLIGHT_LIFE: Duration = Duration::from_secs(120);

/// The keys of requests that are being answered.
#[derive(Clone)]
pub struct Keys {
    in_flight: Cache<String, Arc<Mutex<()>>>,
}

/// The header `Idempotency-Key`, and what the key is scoped to.
#[derive(Debug, Clone)]
pub struct KeyHeader(Option<(String, String)>);

/// A key, for the body that came with it.
#[derive(Debug, Clone)]
pub struct Keyed {
    scope: String,
    key: String,
    hash: [u8; 32],
}

/// What a command is answered.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub body: Vec<u8>,
    pub location: Option<String>,
    pub token: Option<FactId>,
}

/// Why a command has no answer of its own.
pub enum NoReply {
    /// The key has been used; this is what was answered then.
    Repeated(Box<StoredReply>),
    /// It was refused.
    Problem(Problem),
}

impl Keys {
    pub fn new() -> Self {
        let in_flight = Cache::builder()
            .max_capacity(IN_FLIGHT)
            .time_to_idle(IN_FLIGHT_LIFE)
            .build();
        Self { in_flight }
    }

    /// Runs a command once for its key. `store` is the one that it appends to.
    pub async fn once<F: Future<Output = Result<Reply, NoReply>>>(
        &self,
        header: KeyHeader,
        canonical_body: &[u8],
        store: &dyn EventStore,
        command: impl FnOnce(Option<Keyed>) -> F,
    ) -> Response {
        let Some((scope, key)) = header.0 else {
            return answer(command(None).await, None);
        };
        let hash = Sha256::digest(canonical_body).into();
        let keyed = Keyed { scope, key, hash };
        let entry = format!("{}\0{}", keyed.scope, keyed.key);
        let turn = self.in_flight.get_with(entry, Arc::default);
        let _my_turn = turn.lock().await;
        match store.stored_reply(&keyed.scope, &keyed.key).await {
            Ok(Some(stored)) => {
                infra::crash_point!("idempotency.before-replay");
                keyed.replay(stored)
            }
            Ok(None) => {
                infra::crash_point!("idempotency.before-command");
                let result = command(Some(keyed.clone())).await;
                infra::crash_point!("idempotency.after-command");
                answer(result, Some(&keyed))
            }
            Err(e) => Problem::from(e).into_response(),
        }
    }
}

fn answer(result: Result<Reply, NoReply>, keyed: Option<&Keyed>) -> Response {
    match (result, keyed) {
        (Ok(reply), _) => reply.into_response(),
        (Err(NoReply::Problem(problem)), _) => problem.into_response(),
        (Err(NoReply::Repeated(stored)), Some(keyed)) => keyed.replay(*stored),
        (Err(NoReply::Repeated(_)), None) => {
            Problem::internal(&"a reply without a key was repeated").into_response()
        }
    }
}

impl Keyed {
    /// The row to store beside the facts.
    pub fn store(&self, reply: Reply, at: Timestamp) -> StoredReply {
        StoredReply {
            scope: self.scope.clone(),
            key: self.key.clone(),
            hash: self.hash,
            status: reply.status.as_u16(),
            body: reply.body,
            location: reply.location,
            token: reply.token.map(|token| token.to_string()),
            stored_at: at,
        }
    }

    fn replay(&self, stored: StoredReply) -> Response {
        if stored.hash != self.hash {
            let detail = "the key was used before with another body";
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Problem::new(status, "idempotency-key-reused", detail).into_response();
        }
        let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
        respond(status, stored.body, stored.location, stored.token)
    }
}

impl Reply {
    /// An answer with a JSON body.
    pub fn json(status: StatusCode, body: &impl Serialize, token: Option<FactId>) -> Self {
        Self {
            status,
            // Strings and numbers, whose JSON cannot fail.
            body: serde_json::to_vec(body).unwrap_or_default(),
            location: None,
            token,
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let token = self.token.map(|token| token.to_string());
        respond(self.status, self.body, self.location, token)
    }
}

fn respond(
    status: StatusCode,
    body: Vec<u8>,
    location: Option<String>,
    token: Option<String>,
) -> Response {
    let mut headers = HeaderMap::new();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    let mut set = |name: &'static str, value: Option<String>| {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    };
    set("location", location);
    set(TOKEN_HEADER, token);
    (status, headers, body).into_response()
}

impl<S: Send + Sync> FromRequestParts<S> for KeyHeader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        let key = value.to_str().ok().filter(|key| {
            (1..=MAX_KEY_CHARS).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
        });
        let Some(key) = key else {
            let detail = "must be 1 to 255 visible ASCII characters";
            return Err(Problem::field("Idempotency-Key", detail));
        };
        // One path has many spellings.
        let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy();
        let scope = format!("{} {path}", parts.method);
        Ok(Self(Some((scope, key.to_owned()))))
    }
}
