//! Waits until the view has the fact that a consistency token names.

use std::time::Duration;

use domain::values::OrderId;
use domain::view::Cells;
use domain::view::order_view::Versions;
use domain::{Category, FactId, Sequence, StreamId};
use infra::view_store::{ViewError, ViewStore};
use tokio::time::{Instant, sleep};

/// The looks that a reader takes by itself, since other processes write the view too: from 2 ms,
/// doubling, to 50 ms.
const FIRST_LOOK: Duration = Duration::from_millis(2);
const LAST_LOOK: Duration = Duration::from_millis(50);

/// The streams whose tokens a read of an order takes.
pub fn streams_of(order: OrderId) -> [StreamId; 4] {
    [
        Category::Order,
        Category::Reservation,
        Category::Payment,
        Category::Delivery,
    ]
    .map(|category| StreamId::of(category, order))
}

/// What a read found.
pub enum Found {
    /// The row, as fresh as asked for; `None` where there is none.
    Row(Option<Cells>),
    /// The row has not seen the fact yet; it has seen the stream up to this sequence.
    NotYet(Sequence),
}

/// Reads by `read` until the row has seen `after`, at most for `wait`.
pub async fn read<F: Future<Output = Result<Option<Cells>, ViewError>>>(
    store: &dyn ViewStore,
    after: Option<&FactId>,
    wait: Duration,
    read: impl Fn() -> F,
) -> Result<Found, ViewError> {
    let until = Instant::now() + wait;
    let mut changes = store.changes();
    let mut look = FIRST_LOOK;
    loop {
        changes.mark_unchanged();
        let cells = read().await?;
        let Some(fact) = after else {
            return Ok(Found::Row(cells));
        };
        let seen = cells.as_ref().map(Versions::read).unwrap_or_default();
        let seen = seen.of(fact.stream.category).unwrap_or_default();
        // A row that lacks its order's first fact does not exist for readers, so a token of a
        // later stream waits for that one too.
        let exists = cells
            .as_ref()
            .is_some_and(|cells| Versions::read(cells).order > 0);
        if seen >= fact.sequence && exists {
            return Ok(Found::Row(cells));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Found::NotYet(seen));
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = sleep(look.min(left)) => look = (look * 2).min(LAST_LOOK),
        }
    }
}
