//! What stands behind the `?` of a read, each part read so that a wrong one is named.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use infra::http::Problem;

/// The rows of a page, where nobody says how many: about what a screen shows.
const DEFAULT_LIMIT: usize = 20;
/// The most rows of a page: some 30 KiB of orders, or 1 MiB of the largest facts.
const MAX_LIMIT: usize = 100;

/// The query of a request.
pub type Params<T> = Result<Query<T>, QueryRejection>;

/// Reads a query; what is not known here is refused.
pub fn read<T>(params: Params<T>) -> Result<T, Problem> {
    match params {
        Ok(Query(params)) => Ok(params),
        Err(e) => Err(Problem::field("query", e.body_text())),
    }
}

/// How many rows a page has at most.
pub fn limit(text: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = text else {
        return Ok(DEFAULT_LIMIT);
    };
    match text.parse() {
        Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        _ => {
            let detail = format!("must be a number from 1 to {MAX_LIMIT}");
            Err(Problem::field("limit", detail))
        }
    }
}
