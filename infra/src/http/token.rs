//! Consistency tokens: the id of the last fact that a command appended.

use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::{FactId, Sequence, StreamId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Json, Problem};

/// The header that carries the token of a command's last fact.
pub const TOKEN_HEADER: &str = "waybill-token";

/// `?after=`: a read waits until it can show the fact that the token names.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct After {
    /// A `Waybill-Token` from a command: the read waits until it shows what the command did.
    #[param(example = "order-01890a5d-ac96-774b-bcce-b302099a8057-1")]
    after: Option<String>,
}

impl After {
    /// The fact to wait for, where its stream is one of `streams`.
    ///
    /// # Errors
    /// A problem with the field `after` where it is no token, or one of something else.
    pub fn fact(&self, streams: &[StreamId]) -> Result<Option<FactId>, Problem> {
        fact_of(self.after.as_deref(), |stream| streams.contains(stream))
    }
}

/// A read that may take seconds on purpose: until what it is after is there.
pub(super) fn waits(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    let reads = request.method() == Method::GET || request.method() == Method::HEAD;
    reads && query.split('&').any(|pair| pair.starts_with("after="))
}

/// The fact that `after` names, where the read `shows` its stream.
///
/// # Errors
/// A problem with the field `after` where it is no token, or one of something else.
pub fn fact_of(
    after: Option<&str>,
    shows: impl FnOnce(&StreamId) -> bool,
) -> Result<Option<FactId>, Problem> {
    let Some(token) = after else {
        return Ok(None);
    };
    let fact: FactId = token
        .parse()
        .map_err(|e: domain::InvalidFactId| Problem::field("after", e.to_string()))?;
    if shows(&fact.stream) {
        return Ok(Some(fact));
    }
    Err(not_shown(&fact))
}

/// The token of `fact` came with a read that does not show it.
pub fn not_shown(fact: &FactId) -> Problem {
    let detail = format!(
        "is a token of {}, which this read does not show",
        fact.stream
    );
    Problem::field("after", detail)
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NotYet {
    status: &'static str,
    waiting_for: String,
    seen: Sequence,
}

/// 202: what the token names is not there yet; to be asked for again.
pub fn not_yet(fact: &FactId, seen: Sequence) -> Response {
    let body = Json(NotYet {
        status: "NOT_YET",
        waiting_for: fact.to_string(),
        seen,
    });
    (StatusCode::ACCEPTED, [(header::RETRY_AFTER, "1")], body).into_response()
}
