//! Bodies and path parameters, with errors that name the field.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::values::Invalid;
use futures::StreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::str::FromStr;
use std::time::Duration;
use tokio::time::timeout;

use super::Problem;

/// The largest body: an order of 100 lines has some 12 KiB.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// As much is read of one that is larger: a connection that is closed with something unread in it is
/// reset, and the answer may be lost with it.
const READ_BYTES: usize = 2 * MAX_BODY_BYTES;
/// How long the rest of a body that is refused is waited for: it is on its way.
const BODY_WITHIN: Duration = Duration::from_millis(100);

/// A JSON body, and its canonical form: the same for bodies that mean the same.
#[derive(Debug, Clone)]
pub struct Body<T> {
    /// What it says.
    pub value: T,
    /// Its JSON with sorted keys and without spaces.
    pub canonical: Vec<u8>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        check_content_type(&request)?;
        let bytes = bytes_of(request, state).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            let detail = "a JSON body is required";
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "body-missing",
                detail,
            ));
        }
        let canonical: Value = serde_json::from_slice(&bytes).map_err(|e| invalid_json(&e))?;
        check_objects(&canonical, "body", "")?;
        let canonical = canonical.to_string().into_bytes();
        // Not read from the JSON value, which keeps the last of two fields of one name and says
        // nothing.
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(describe)?;
        Ok(Self { value, canonical })
    }
}

/// The request with all of its body in memory.
pub(super) async fn read(request: Request) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let mut all = Request::new(body);
    DefaultBodyLimit::max(READ_BYTES).apply(&mut all);
    let bytes = bytes_of(all, &()).await?;
    if bytes.len() > MAX_BODY_BYTES {
        return Err(too_large());
    }
    Ok(Request::from_parts(parts, bytes.into()))
}

/// Reads the body of a request that is refused, and keeps nothing of it.
pub(super) async fn discard(request: Request) {
    let mut body = request.into_body().into_data_stream();
    let rest = async {
        let mut left = READ_BYTES;
        while left > 0
            && let Some(Ok(data)) = body.next().await
        {
            left = left.saturating_sub(data.len());
        }
    };
    timeout(BODY_WITHIN, rest).await.ok();
}

async fn bytes_of<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|e| {
        if e.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return too_large();
        }
        Problem::new(StatusCode::BAD_REQUEST, "body-unreadable", e.body_text())
    })
}

fn too_large() -> Problem {
    let detail = format!("the body has more than {MAX_BODY_BYTES} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
}

/// Where an object is meant, serde takes an array of its fields too, which is nothing that a
/// caller means: the body and what is in its lists are objects or plain values, never arrays.
fn check_objects(value: &Value, name: &str, path: &str) -> Result<(), Problem> {
    let problem = || Err(Problem::field(name, "must be a JSON object"));
    match value {
        Value::Array(_) => problem(),
        Value::Object(fields) => {
            for (key, field) in fields {
                let path = format!("{path}{key}");
                let Value::Array(entries) = field else {
                    continue;
                };
                for (at, entry) in entries.iter().enumerate() {
                    let name = format!("{path}[{at}]");
                    check_objects(entry, &name, &format!("{name}."))?;
                }
            }
            Ok(())
        }
        _ if path.is_empty() => problem(),
        _ => Ok(()),
    }
}

fn check_content_type(request: &Request) -> Result<(), Problem> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let json = content_type
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            let essence = value.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json")
        });
    if json {
        return Ok(());
    }
    let detail = "the body must have the content type application/json";
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "not-json",
        detail,
    ))
}

fn invalid_json(e: &serde_json::Error) -> Problem {
    let detail = format!("the body is not JSON: {e}");
    Problem::new(StatusCode::BAD_REQUEST, "invalid-json", detail)
}

/// Names the field, also where serde speaks of the object around it.
fn describe(e: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = e.path().to_string();
    let message = without_place(e.inner());
    let named = |prefix: &str| {
        let name = message.strip_prefix(prefix)?.split('`').next()?;
        let at_end = path == name || path.ends_with(&format!(".{name}"));
        Some(match path.as_str() {
            "." => name.to_owned(),
            _ if at_end => path.clone(),
            _ => format!("{path}.{name}"),
        })
    };
    if let Some(field) = named("missing field `") {
        return Problem::field(field, "is required");
    }
    if let Some(field) = named("unknown field `") {
        return Problem::field(field, "is not known here");
    }
    if let Some(field) = named("duplicate field `") {
        return Problem::field(field, "is there twice");
    }
    let field = if path == "." { "body".into() } else { path };
    Problem::field(field, message)
}

/// What serde says, without the line and column, which mean little to programs.
fn without_place(e: &serde_json::Error) -> String {
    let message = e.to_string();
    let place = format!(" at line {} column {}", e.line(), e.column());
    message.strip_suffix(&place).unwrap_or(&message).to_owned()
}

/// A part of the path.
#[derive(Debug, Clone)]
pub struct PathParam<T>(pub T);

impl<S: Send + Sync, T: FromStr<Err = Invalid> + Send> FromRequestParts<S> for PathParam<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::<std::collections::BTreeMap<String, String>>::from_request_parts;
        let Path(params) = read(parts, state)
            .await
            .map_err(|e| Problem::field("path", e.body_text()))?;
        let Some((name, text)) = params.into_iter().next() else {
            return Err(Problem::internal(&"the route has no parameter"));
        };
        match text.parse() {
            Ok(value) => Ok(Self(value)),
            Err(invalid) => Err(Problem::invalid(&name, invalid)),
        }
    }
}

/// A JSON answer.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(e) => Problem::internal(&e).into_response(),
        }
    }
}
