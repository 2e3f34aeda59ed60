//! One table, held against the logs.

use std::time::Duration;

use domain::View;
use domain::values::OrderId;
use domain::view::Value;
use infra::view_store::{Generation, ScanCursor, Scanned, Table, ViewError};
use tokio::time::{Instant, sleep};

use super::buckets::Buckets;
use super::feed::Feed;
use super::find::Find;
use super::{Kind, LookError, Outcome, TOLD, expected};
use crate::Views;
use crate::compare::{self, Expected, Found, Standing, Told};
use crate::orders::OfOrder;

/// Between two looks at rows that are behind.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Rows that are to be looked at again; past it that is done before more are read.
const UNSETTLED: usize = 5000;

/// A table and what was found in it.
pub struct Side {
    views: Views,
    view: &'static dyn View,
    table: Table,
    /// What feeds it.
    group: String,
    within: Duration,
    outcome: Outcome,
    /// Rows that were not as the logs had them.
    unsettled: Vec<Expected>,
    /// Those that are there and are no find.
    present: Buckets,
}

impl Side {
    /// A generation of a view, of which nothing is known. A row may be late for `within`.
    pub fn of(
        views: &Views,
        view: &'static dyn View,
        generation: &Generation,
        within: Duration,
    ) -> Self {
        Self {
            views: views.clone(),
            view,
            table: generation.table(view.schema()),
            group: generation.group(view.schema()),
            within,
            outcome: Outcome::default(),
            unsettled: vec![],
            present: Buckets::default(),
        }
    }

    /// What is known so far.
    pub fn so_far(&self) -> Outcome {
        self.outcome.clone()
    }

    /// The table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Looks at the rows of some orders, whose facts were just read.
    pub async fn look(&mut self, orders: &[OfOrder]) -> Result<(), LookError> {
        let rows = expected(self.view, orders);
        let found = compare::read(&self.views.store, self.view, &self.table, &rows).await?;
        for (row, found) in rows.into_iter().zip(found) {
            if found != Found::Nothing {
                self.outcome.read += 1;
                self.present.add(&row.key);
            }
            match row.standing(self.view, &found) {
                Standing::Equal => self.outcome.equal += 1,
                Standing::Behind
                | Standing::Missing
                | Standing::Different
                | Standing::Unreadable => {
                    self.unsettled.push(row);
                }
            }
        }
        if self.unsettled.len() > UNSETTLED {
            self.settle().await?;
        }
        Ok(())
    }

    /// Looks for rows of an order that no fact writes, where its rows are a partition, or are known.
    pub async fn look_beside(&mut self, order: OrderId) -> Result<(), LookError> {
        let id = Value::Uuid(order.0);
        let schema = self.view.schema();
        let keys = match schema.key {
            [_] => vec![vec![id]],
            [(domain::view::ORDER_ID, _), ..] => {
                let rows =
                    compare::partition(self.views.store.clone(), self.view, self.table.clone(), id);
                rows.await?.into_iter().map(|(key, _)| key).collect()
            }
            _ => vec![],
        };
        for key in keys {
            let found = self.views.store.get(schema, &self.table, &key).await;
            if Found::of(found)? != Found::Nothing && !self.is_written(&key).await? {
                self.tell(Find::of(self.view, &key, Kind::Extra));
            }
        }
        Ok(())
    }

    /// Looks again at what was not as the logs had it, until it is; or until the table has all that
    /// there was when this began, or the time is over: then it stays so.
    pub async fn settle(&mut self) -> Result<(), LookError> {
        let until = Instant::now() + self.within;
        let mut unsettled = std::mem::take(&mut self.unsettled);
        let mut feed = Feed::of(self.views.clone(), self.group.clone());
        while !unsettled.is_empty() {
            let is_over = feed.is_past().await || Instant::now() >= until;
            let mut late = vec![];
            for row in unsettled {
                late.extend(self.settle_one(row, is_over).await?);
            }
            unsettled = late;
            if !unsettled.is_empty() {
                sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }

    /// Gives the row back where it is only late so far.
    async fn settle_one(
        &mut self,
        row: Expected,
        is_over: bool,
    ) -> Result<Option<Expected>, LookError> {
        let schema = self.view.schema();
        // The row before the logs, so that it cannot be ahead of them.
        let read = self.views.store.get(schema, &self.table, &row.key).await;
        let found = Found::of(read)?;
        let now = match compare::of_logs(&self.views.logs, self.view, &row.key).await? {
            Told::Row(now) => now,
            Told::Nothing => row.clone(),
            Told::Unknown => return Ok(None),
        };
        let kind = match (now.standing(self.view, &found), &found) {
            (Standing::Equal, _) => None,
            (Standing::Behind, Found::Row(cells)) if row.is_seen_by(self.view, cells) => None,
            (Standing::Behind | Standing::Missing, _) if !is_over => return Ok(Some(row)),
            (Standing::Behind, _) => Some(Kind::Behind),
            (Standing::Missing, _) => Some(Kind::Missing),
            (Standing::Different, _) => Some(Kind::Different),
            (Standing::Unreadable, _) => Some(Kind::Unreadable),
        };
        let Some(kind) = kind else {
            self.outcome.equal += 1;
            self.outcome.lagged += 1;
            return Ok(None);
        };
        let mut find = Find::of(self.view, &row.key, kind);
        match &found {
            Found::Nothing => {}
            Found::Unreadable(why) => find.reason = Some(why.clone()),
            Found::Row(cells) => {
                let wanted = if kind == Kind::Different {
                    now.as_seen_by(self.view, cells)
                } else {
                    now.cells(self.view)
                };
                find = find.with_cells(self.view, cells, &wanted);
                self.find_frozen(&mut find, &now).await?;
            }
        }
        self.tell(find);
        Ok(None)
    }

    /// Marks the cells that carry stamps which no fact of theirs has yet.
    async fn find_frozen(&self, find: &mut Find, row: &Expected) -> Result<(), ViewError> {
        let schema = self.view.schema();
        let stamped = self.views.store.stamped(schema, &self.table, &row.key);
        for cell in stamped.await? {
            let Some(column) = schema.columns.get(cell.column) else {
                continue;
            };
            let differs = find.cells.iter_mut().find(|of| of.column == column.name);
            if let Some(differs) = differs
                && cell.stamp > row.last_stamp(column)
            {
                differs.kind = Kind::Frozen;
                find.kind = Kind::Frozen;
            }
        }
        Ok(())
    }

    /// Looks for rows that no fact writes. Rows whose keys were all met are not looked at one by one.
    pub async fn look_for_extra(&mut self) -> Result<(), LookError> {
        let mut there = Buckets::default();
        self.each_key(|key| there.add(key)).await?;
        if there == self.present {
            return Ok(());
        }
        let mut after = None;
        loop {
            let (rows, next) = self.page(after.as_ref()).await?;
            for key in rows.into_iter().map(|row| row.key) {
                let is_known = there.agree_on(&self.present, &key);
                if !is_known && !self.is_written(&key).await? {
                    self.tell(Find::of(self.view, &key, Kind::Extra));
                }
            }
            after = next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn each_key(&self, mut take: impl FnMut(&[Value])) -> Result<(), ViewError> {
        let mut after = None;
        loop {
            let (rows, next) = self.page(after.as_ref()).await?;
            rows.iter().for_each(|row| take(&row.key));
            after = next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn page(
        &self,
        after: Option<&ScanCursor>,
    ) -> Result<(Vec<Scanned>, Option<ScanCursor>), ViewError> {
        let Views { store, .. } = &self.views;
        store.scan(self.view.schema(), &self.table, after).await
    }

    /// Whether a fact writes this row, or may.
    async fn is_written(&self, key: &[Value]) -> Result<bool, LookError> {
        let told = compare::of_logs(&self.views.logs, self.view, key).await?;
        Ok(!matches!(told, Told::Nothing))
    }

    fn tell(&mut self, find: Find) {
        let count = match find.kind {
            Kind::Different | Kind::Frozen | Kind::Unreadable => &mut self.outcome.different,
            Kind::Behind => &mut self.outcome.behind,
            Kind::Missing => &mut self.outcome.missing,
            Kind::Extra => &mut self.outcome.extra,
        };
        *count += 1;
        if self.outcome.finds.len() < TOLD {
            self.outcome.finds.push(find);
        }
    }

    /// All that was found.
    pub fn outcome(self) -> Outcome {
        self.outcome
    }
}
