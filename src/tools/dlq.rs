//! Dead letters: facts that a group could not take, and calls that failed for good. Every change
//! asked for here is a change of a row, which says who wants what since when; whoever takes the
//! facts acts on it.

mod change;
mod find;
mod replacement;

use domain::values::{OrderId, Reason, Timestamp};
use infra::event_store::{DueRow, Ended, How, Original, ParkedRow, Redrive, Replacement};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ToolError, Tools, json};

/// What is asked about dead letters.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum DlqRequest {
    /// Which there are.
    List {
        /// Of these.
        select: Select,
        /// Those that ended, instead of those that are there.
        ended: bool,
    },
    /// All that is known of one.
    Show {
        /// Which.
        id: String,
    },
    /// Asks that they be taken up again.
    Redrive {
        /// Which.
        select: Select,
        /// A payload that stands in for the one in the log.
        replacement: Option<String>,
        /// Why; it stays on record.
        reason: Option<Reason>,
        /// Only says what it would do.
        dry_run: bool,
    },
    /// Gives them up.
    Discard {
        /// Which.
        select: Select,
        /// Why; it stays on record.
        reason: Reason,
        /// Only says what it would do, and what the orders hold.
        dry_run: bool,
    },
    /// How far those are that were asked for.
    Follow {
        /// Which.
        ids: Vec<String>,
    },
}

/// Which dead letters are meant: those that are all of what is said here.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Select {
    /// By their ids, or those of their facts.
    pub ids: Vec<String>,
    /// Of this order.
    pub order: Option<OrderId>,
    /// Of this class.
    pub class: Option<String>,
    /// With this in their reason.
    pub reason: Option<String>,
    /// Of this consumer group, or this service's.
    pub group: Option<String>,
}

/// A dead letter in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// What it is known by.
    pub id: String,
    /// A fact or a task.
    pub kind: Kind,
    /// The consumer group, or the service of a task.
    pub group: String,
    /// What it is about: an order, or a SKU.
    pub key: String,
    /// The fact's id, or the task's name.
    pub what: String,
    /// What kind of failure, in kebab case.
    pub class: String,
    /// What went wrong.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Since when it is parked; of a task, since when it is open.
    pub since: Timestamp,
    /// What becomes of it.
    pub state: State,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// What a dead letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A fact that a group could not take, or that waits behind one.
    Fact,
    /// A call or timer that failed for good.
    Task,
}

/// What becomes of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A person has to look.
    Stuck,
    /// It follows by itself once what is before it is taken or given up.
    Waiting,
    /// It is to be taken up again.
    Asked,
    /// Somebody asked, and it was taken.
    Redriven,
    /// It was taken by itself.
    TakenUp,
    /// It was given up.
    Discarded,
}

/// Dead letters, in the order in which they would be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// The first of them.
    pub letters: Vec<DeadLetter>,
    /// There are more than these.
    pub more: bool,
}

/// All that is known of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// The letter itself.
    #[serde(flatten)]
    pub letter: DeadLetter,
    /// The record as it came.
    pub record: Option<Original>,
    /// What is taken in place of its payload.
    pub replacement: Option<Replacement>,
    /// The wish that it be taken up again.
    pub redrive: Option<Redrive>,
    /// What its order holds as it stands.
    pub holds: Vec<String>,
}

/// One that nothing was done about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Which.
    pub id: String,
    /// Why not.
    pub why: String,
}

/// What was asked for, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// These are to be taken up again.
    pub asked: Vec<DeadLetter>,
    /// These wait behind others, and follow by themselves.
    pub follow: Vec<DeadLetter>,
    /// These are not.
    pub skipped: Vec<Skipped>,
    /// Nothing was changed.
    pub dry_run: bool,
}

/// What was given up, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Discarded {
    /// These.
    pub discarded: Vec<DeadLetter>,
    /// These not.
    pub skipped: Vec<Skipped>,
    /// What each order holds as it stands, and goes on holding until somebody sees to it.
    pub holds: Vec<(OrderId, Vec<String>)>,
    /// Nothing was changed.
    pub dry_run: bool,
}

impl Tools {
    pub(super) async fn dlq(&self, request: DlqRequest) -> Result<Value, ToolError> {
        match request {
            DlqRequest::List { select, ended } => json(&self.list(&select, ended).await?),
            DlqRequest::Show { id } => json(&self.show(&id).await?),
            DlqRequest::Redrive {
                select,
                replacement,
                reason,
                dry_run,
            } => {
                let asked = self.redrive(&select, replacement, reason, dry_run);
                json(&asked.await?)
            }
            DlqRequest::Discard {
                select,
                reason,
                dry_run,
            } => json(&self.discard(&select, &reason, dry_run).await?),
            DlqRequest::Follow { ids } => json(&self.follow(&ids).await?),
        }
    }
}

impl From<&ParkedRow> for DeadLetter {
    fn from(row: &ParkedRow) -> Self {
        let state = match &row.ended {
            Some(ended) => ended.how.into(),
            None if row.redrive.is_some() => State::Asked,
            None if row.waits() => State::Waiting,
            None => State::Stuck,
        };
        Self {
            id: row.id().to_string(),
            kind: Kind::Fact,
            group: row.group.clone(),
            key: row.key.clone(),
            what: row.fact.clone().unwrap_or_else(|| "no fact".to_owned()),
            class: row.class.clone(),
            reason: row.reason.clone(),
            attempts: row.attempts,
            since: row.parked_at,
            state,
            ended: row.ended.clone(),
        }
    }
}

impl From<&DueRow> for DeadLetter {
    fn from(row: &DueRow) -> Self {
        Self {
            id: row.id(),
            kind: Kind::Task,
            group: row.task.service().name().to_owned(),
            key: row.order.to_string(),
            what: row.task.name().to_owned(),
            class: "task".to_owned(),
            reason: row.problem.clone().unwrap_or_default(),
            attempts: row.failures,
            since: row.opened_at,
            state: if row.parked {
                State::Stuck
            } else {
                State::Asked
            },
            ended: None,
        }
    }
}

impl From<How> for State {
    fn from(how: How) -> Self {
        match how {
            How::Redriven => Self::Redriven,
            How::TakenUp => Self::TakenUp,
            How::Discarded => Self::Discarded,
        }
    }
}
