//! Waits until a view has the fact that a consistency token names.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use domain::values::OrderId;
use domain::view::Versions;
use domain::{Category, FactId, Sequence, StreamId};
use infra::http;
use infra::view_store::{ViewError, ViewStore};
use tokio::time::{Instant, sleep};

/// The looks that a reader takes by itself, since other processes write the view too: from 2 ms,
/// doubling, to 50 ms.
const FIRST_LOOK: Duration = Duration::from_millis(2);
const LAST_LOOK: Duration = Duration::from_millis(50);

/// The streams whose tokens a read of an order takes.
pub fn streams_of(order: OrderId) -> [StreamId; 4] {
    Category::OF_ORDERS.map(|category| StreamId::of(category, order))
}

/// What a token names is not seen yet; as an answer, 202.
#[derive(Debug)]
pub struct NotYet {
    /// What the token names.
    pub fact: FactId,
    /// Up to which of its facts the stream is seen.
    pub seen: Sequence,
}

impl IntoResponse for NotYet {
    fn into_response(self) -> Response {
        http::not_yet(&self.fact, self.seen)
    }
}

/// Looks by `look` until it is not too early, at most for `wait`.
pub async fn wait_for<T, F>(
    store: &dyn ViewStore,
    wait: Duration,
    look: impl Fn() -> F,
) -> Result<Result<T, NotYet>, ViewError>
where
    F: Future<Output = Result<Result<T, NotYet>, ViewError>>,
{
    let until = Instant::now() + wait;
    let mut changes = store.changes();
    let mut pause = FIRST_LOOK;
    loop {
        changes.mark_unchanged();
        let found = look().await?;
        let left = until.saturating_duration_since(Instant::now());
        if found.is_ok() || left.is_zero() {
            return Ok(found);
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = sleep(pause.min(left)) => pause = (pause * 2).min(LAST_LOOK),
        }
    }
}

/// Whether a row that has seen these versions shows `after`, where that is asked for. A row that
/// lacks its order's first fact does not exist for readers, so a token of another stream waits for
/// that one too.
pub fn shows(row: Versions, after: Option<&FactId>) -> Result<(), NotYet> {
    let Some(fact) = after else {
        return Ok(());
    };
    let seen = row.of(fact.stream.category).unwrap_or_default();
    if seen >= fact.sequence && row.order > 0 {
        return Ok(());
    }
    let fact = fact.clone();
    Err(NotYet { fact, seen })
}
