//! The timeline of an order: its facts, and the order as it was at a time.

use domain::values::{OrderId, Timestamp};
use domain::view::order_timeline::{Entry, OrderTimeline, Place};
use domain::view::order_view::{OrderRow, OrderView};
use domain::view::{Fold, Value};
use domain::{Category, FactId, Sequence, View};
use infra::codec;
use infra::http::Problem;
use infra::view_store::{MAX_ROWS, Slice, Table, ViewError};

use crate::freshness::{self, NotYet};
use crate::router::Api;

/// Facts of one look for the one that a token names: more than most orders have.
const LOOK: usize = 100;

/// The timeline of one order.
pub struct Timeline<'a> {
    api: &'a Api,
    order: OrderId,
    table: Table,
}

impl<'a> Timeline<'a> {
    /// The timeline of `order`.
    pub async fn of(api: &'a Api, order: OrderId) -> Result<Self, ViewError> {
        let table = api.table(&OrderTimeline).await?;
        Ok(Self { api, order, table })
    }

    /// The facts behind `after`, in the order in which they happened; fewer than `limit` are all
    /// that are left.
    pub async fn facts(&self, after: Option<Place>, limit: usize) -> Result<Vec<Entry>, ViewError> {
        self.list(after, limit, false).await
    }

    /// Waits until the timeline has the fact that `after` names, and the order's first.
    pub async fn wait_for(&self, after: Option<&FactId>) -> Result<Result<(), NotYet>, ViewError> {
        let store = self.api.store.as_ref();
        freshness::wait_for(store, self.api.fresh_wait, || self.look_for(after)).await
    }

    /// The order as the facts up to `at` give it, by the projection of the order view; `None` where
    /// it was not placed by then.
    pub async fn order_at(&self, at: Timestamp) -> Result<Option<OrderRow>, Problem> {
        let (mut row, mut after) = (Fold::default(), None);
        'facts: loop {
            let facts = self.facts(after, MAX_ROWS).await?;
            for fact in &facts {
                if fact.place.occurred_at > at {
                    break 'facts;
                }
                let recorded = codec::decode_entry(fact).map_err(|e| Problem::internal(&e))?;
                if let Some(patch) = OrderView.project(&recorded) {
                    row.add(patch);
                }
            }
            match facts.last() {
                Some(last) if facts.len() == MAX_ROWS => after = Some(last.place),
                Some(_) | None => break,
            }
        }
        let cells = row.cells(OrderView.schema());
        Ok(OrderRow::read(self.order, &cells))
    }

    async fn look_for(&self, after: Option<&FactId>) -> Result<Result<(), NotYet>, ViewError> {
        let Some(fact) = after else {
            return Ok(Ok(()));
        };
        let first = self.facts(None, 1).await?;
        let placed = first
            .first()
            .is_some_and(|fact| fact.place.category == Category::Order);
        let seen = self.seen(fact).await?;
        if placed && seen == fact.sequence {
            return Ok(Ok(()));
        }
        let fact = fact.clone();
        Ok(Err(NotYet { fact, seen }))
    }

    /// The last fact of the stream up to this one; 0 where there is none. From the newest on, and
    /// not past it: the facts of a stream go forward in time.
    async fn seen(&self, fact: &FactId) -> Result<Sequence, ViewError> {
        let mut after = None;
        loop {
            let facts = self.list(after, LOOK, true).await?;
            let found = facts.iter().map(|entry| entry.place).find(|place| {
                place.category == fact.stream.category && place.sequence <= fact.sequence
            });
            match (found, facts.last()) {
                (Some(place), _) => return Ok(place.sequence),
                (None, Some(last)) if facts.len() == LOOK => after = Some(last.place),
                (None, _) => return Ok(0),
            }
        }
    }

    async fn list(
        &self,
        after: Option<Place>,
        limit: usize,
        backwards: bool,
    ) -> Result<Vec<Entry>, ViewError> {
        let after = after.map(|place| place.values());
        let slice = Slice {
            partition: &Value::Uuid(self.order.0),
            after: after.as_ref().map(|values| values.as_slice()),
            backwards,
            limit,
        };
        let schema = OrderTimeline.schema();
        let rows = self.api.store.list(schema, &self.table, slice).await?;
        let entries = rows.iter().map(|row| {
            let unreadable = || ViewError::Corrupt(format!("the timeline of {}", self.order));
            Entry::read(self.order, &row.rest, &row.cells).ok_or_else(unreadable)
        });
        entries.collect()
    }
}
