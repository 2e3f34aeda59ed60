//! Errors as RFC 9457 problems.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::Rejection;
use domain::values::Invalid;
use serde::Serialize;
use utoipa::ToSchema;

use crate::event_store::StoreError;
use crate::view_store::ViewError;

/// An error, for programs and people. What went wrong inside is logged and never told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<String>,
    retry_after: Option<u32>,
}

/// The JSON of a problem (RFC 9457).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// `urn:waybill:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:waybill:problem:invalid-field")]
    kind: String,
    /// The status's own words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// A stable name for programs.
    #[schema(example = "invalid-field")]
    code: &'a str,
    /// What is wrong, in a sentence.
    detail: &'a str,
    /// Which part of the request is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "items[1].sku")]
    field: Option<&'a str>,
    /// When to try again, in seconds; also in the header `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

impl Problem {
    /// A problem with a stable code.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            field: None,
            retry_after: None,
        }
    }

    /// A field of the request is wrong.
    pub fn field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "invalid-field", detail);
        problem.field = Some(field.into());
        problem
    }

    /// The field `field`, or a part of it, is wrong.
    pub fn invalid(field: &str, invalid: Invalid) -> Self {
        let invalid = invalid.within(field);
        Self::field(invalid.field, invalid.message)
    }

    /// The rules turned a command down.
    pub fn rejected(rejection: &impl Rejection) -> Self {
        let status = if rejection.is_missing() {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::CONFLICT
        };
        Self::new(status, rejection.code(), rejection.to_string())
    }

    /// Something is down or too busy; trying again after `seconds` helps.
    pub fn try_again(code: &'static str, detail: impl Into<String>, seconds: u32) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        problem.retry_after = Some(seconds);
        problem
    }

    /// Something broke inside; `cause` is logged.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "a request failed");
        let detail = "something went wrong on our side; it has been logged";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    fn body(&self) -> ProblemBody<'_> {
        ProblemBody {
            kind: format!("urn:waybill:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            field: self.field.as_deref(),
            retry_after: self.retry_after,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::Overloaded => {
                Self::try_again("overloaded", "too many requests are waiting", 1)
            }
            StoreError::Unavailable(_) => {
                tracing::debug!(error = %e, "a request was put off");
                Self::try_again("store-unavailable", "the event store does not answer", 1)
            }
            StoreError::Corrupt(_) | StoreError::Fenced => Self::internal(&e),
        }
    }
}

impl From<ViewError> for Problem {
    fn from(e: ViewError) -> Self {
        match e {
            ViewError::Unavailable(_) => {
                tracing::debug!(error = %e, "a request was put off");
                Self::try_again("view-unavailable", "the view store does not answer", 1)
            }
            ViewError::Corrupt(_) => Self::internal(&e),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Strings and numbers, whose JSON cannot fail.
        let body = serde_json::to_vec(&self.body()).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
