//! Finding dead letters.

use domain::values::OrderId;
use domain::{FactId, Service};
use infra::event_store::{DueRow, ParkedId, ParkedRow, ParkedRows};

use super::super::{ToolError, Tools};
use super::{DeadLetter, Listed, Select, Shown, State};

/// Dead letters that one request is about: what it does to all of them is done within the time
/// that a tool waits.
const SELECTED: usize = 1000;
/// Rows of one read.
const PAGE: usize = 500;

/// A dead letter, with what is stored of it.
pub enum Found {
    /// A fact.
    Fact(Box<ParkedRow>),
    /// A task that is parked, or was a moment ago.
    Task(Box<DueRow>),
}

impl Found {
    pub fn letter(&self) -> DeadLetter {
        match self {
            Self::Fact(row) => row.as_ref().into(),
            Self::Task(row) => row.as_ref().into(),
        }
    }

    /// The order that it is about; none for what is about stock.
    pub fn order(&self) -> Option<OrderId> {
        match self {
            Self::Fact(row) => row.key.parse().ok(),
            Self::Task(row) => Some(row.order),
        }
    }
}

impl Tools {
    pub(super) async fn list(&self, select: &Select, ended: bool) -> Result<Listed, ToolError> {
        let (found, more) = self.find(select, ended).await?;
        let letters = found.iter().map(Found::letter).collect();
        Ok(Listed { letters, more })
    }

    pub(super) async fn show(&self, id: &str) -> Result<Shown, ToolError> {
        let found = self.by_id(id, true).await?.into_iter().next();
        let found = found.ok_or_else(|| unknown(id))?;
        let holds = match found.order() {
            Some(order) => self.held_by(order).await?,
            None => vec![],
        };
        let letter = found.letter();
        let (record, replacement, redrive) = match found {
            Found::Fact(row) => (row.original, row.replacement, row.redrive),
            Found::Task(_) => (None, None, None),
        };
        Ok(Shown {
            letter,
            record,
            replacement,
            redrive,
            holds,
        })
    }

    /// What became of those that were asked for; a task that is gone was done.
    pub(super) async fn follow(&self, ids: &[String]) -> Result<Vec<DeadLetter>, ToolError> {
        let mut letters = vec![];
        for id in ids {
            let found = self.by_id(id, true).await?.into_iter().next();
            letters.extend(found.map(|found| found.letter()));
        }
        Ok(letters)
    }

    /// What is selected, and whether there is more than that.
    ///
    /// # Errors
    /// [`ToolError`], also where an id is not one of a dead letter.
    pub(super) async fn find(
        &self,
        select: &Select,
        ended: bool,
    ) -> Result<(Vec<Found>, bool), ToolError> {
        if let Some(group) = &select.group
            && self.parked_by(group).await.is_none()
        {
            let message = format!("there is no consumer group {group}");
            return Err(ToolError::new("unknown-group", message));
        }
        let mut found = vec![];
        if select.ids.is_empty() {
            for service in Service::ALL {
                self.find_at(service, select, ended, &mut found).await?;
            }
        }
        for id in &select.ids {
            let some = self.by_id(id, ended).await?;
            if some.is_empty() {
                return Err(unknown(id));
            }
            found.extend(some.into_iter().filter(|found| select.has(found)));
        }
        let more = found.len() > SELECTED;
        found.truncate(SELECTED);
        Ok((found, more))
    }

    async fn find_at(
        &self,
        service: Service,
        select: &Select,
        ended: bool,
        found: &mut Vec<Found>,
    ) -> Result<(), ToolError> {
        for (group, parked) in self.groups_of(service).await {
            let mut add = |rows: Vec<ParkedRow>| {
                let rows = rows.into_iter().map(|row| Found::Fact(Box::new(row)));
                found.extend(rows.filter(|found| select.has(found)));
                found.len() <= SELECTED
            };
            let key = select.order.map(|order| order.to_string());
            if ended {
                add(parked
                    .ended_parked(&group, key.as_deref(), usize::MAX)
                    .await?);
            } else if let Some(key) = key {
                add(parked.parked(&group, Some(&key), usize::MAX).await?);
            } else {
                let mut after = None;
                loop {
                    let page = parked.parked_after(&group, after.as_ref(), PAGE).await?;
                    let is_last = page.len() < PAGE;
                    after = page.last().map(ParkedRow::id);
                    if !add(page) || is_last {
                        break;
                    }
                }
            }
        }
        if !ended {
            let store = self.services.store(service);
            let tasks = match select.order {
                Some(order) => store.due_of(order).await?,
                None => store.troubled(SELECTED + 1).await?.0,
            };
            let tasks = tasks.into_iter().filter(|task| task.parked);
            let tasks = tasks.map(|task| Found::Task(Box::new(task)));
            found.extend(tasks.filter(|found| select.has(found)));
        }
        Ok(())
    }

    /// The dead letter of an id, or those of a fact's id in all groups; with those that ended,
    /// where asked for.
    async fn by_id(&self, id: &str, ended: bool) -> Result<Vec<Found>, ToolError> {
        if let Ok(id) = id.parse::<ParkedId>() {
            let Some(parked) = self.parked_by(&id.group).await else {
                return Ok(vec![]);
            };
            let row = parked.parked_row(&id).await?;
            return Ok(row
                .map(|row| Found::Fact(Box::new(row)))
                .into_iter()
                .collect());
        }
        if let Some((order, _)) = id.split_once(':') {
            return self.task(order, id).await;
        }
        let Ok(fact) = id.parse::<FactId>() else {
            return Ok(vec![]);
        };
        let mut found = vec![];
        for service in Service::ALL {
            for (group, parked) in self.groups_of(service).await {
                let rows = rows_of(parked.as_ref(), &group, &fact.stream.id, ended).await?;
                let of = rows
                    .into_iter()
                    .filter(|row| row.fact.as_deref() == Some(id));
                found.extend(of.map(|row| Found::Fact(Box::new(row))));
            }
        }
        Ok(found)
    }

    async fn task(&self, order: &str, id: &str) -> Result<Vec<Found>, ToolError> {
        let Ok(order) = order.parse::<OrderId>() else {
            return Ok(vec![]);
        };
        let mut found = vec![];
        for service in Service::ALL {
            let tasks = self.services.store(service).due_of(order).await?;
            let of = tasks.into_iter().filter(|task| task.id() == id);
            found.extend(of.map(|task| Found::Task(Box::new(task))));
        }
        Ok(found)
    }
}

/// Rows of a key: the open ones, and those that ended where asked for.
async fn rows_of(
    parked: &dyn ParkedRows,
    group: &str,
    key: &str,
    ended: bool,
) -> Result<Vec<ParkedRow>, ToolError> {
    let mut rows = parked.parked(group, Some(key), usize::MAX).await?;
    if ended {
        rows.extend(parked.ended_parked(group, Some(key), usize::MAX).await?);
    }
    Ok(rows)
}

impl Select {
    fn has(&self, found: &Found) -> bool {
        let letter = found.letter();
        let of_order = |order| found.order() == Some(order);
        self.order.is_none_or(of_order)
            && self
                .class
                .as_ref()
                .is_none_or(|class| *class == letter.class)
            && self
                .reason
                .as_ref()
                .is_none_or(|reason| letter.reason.contains(reason.as_str()))
            && self
                .group
                .as_ref()
                .is_none_or(|group| *group == letter.group)
    }
}

fn unknown(id: &str) -> ToolError {
    let message = format!("nothing is parked under the id {id}; `waybill dlq list` has the ids");
    ToolError::new("unknown-dead-letter", message)
}

impl State {
    /// True where it is no more.
    pub fn is_over(self) -> bool {
        match self {
            Self::Stuck | Self::Waiting | Self::Asked => false,
            Self::Redriven | Self::TakenUp | Self::Discarded => true,
        }
    }
}
