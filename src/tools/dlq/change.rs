//! Asking that dead letters be taken up again, and giving them up. Both are changes of rows; a row
//! that somebody else changed meanwhile is left alone, and that is said.

use std::collections::BTreeSet;

use domain::Task;
use domain::values::Reason;
use infra::clock;
use infra::event_store::{DueRow, Ended, How, ParkedRow, Redrive, Replacement};
use infra::redrive::count_ended;

use super::super::{ToolError, Tools};
use super::find::Found;
use super::{Asked, Discarded, Select, Skipped, State};

const CHANGED: &str = "it has changed meanwhile: look again";

impl Tools {
    pub(super) async fn redrive(
        &self,
        select: &Select,
        replacement: Option<String>,
        reason: Option<Reason>,
        dry_run: bool,
    ) -> Result<Asked, ToolError> {
        let (found, _) = self.find(select, false).await?;
        // Checked before anything is changed.
        let replacement = match &replacement {
            Some(payload) => Some(self.replacement(&found, payload).await?),
            None => None,
        };
        let mut answer = Asked {
            asked: vec![],
            follow: vec![],
            skipped: vec![],
            dry_run,
        };
        for found in found {
            let letter = found.letter();
            if letter.state == State::Waiting {
                answer.follow.push(letter);
                continue;
            }
            let why_not = match (found, letter.state) {
                (_, state) if state.is_over() => Some("it has ended already"),
                (Found::Task(_), State::Asked) => Some("it is not parked: it runs by itself"),
                _ if dry_run => None,
                (Found::Fact(row), _) => self.ask(*row, &replacement, &reason).await?,
                (Found::Task(row), _) => self.unpark(*row).await?,
            };
            match why_not {
                None => answer.asked.push(letter),
                Some(why) => answer.skipped.push(skipped(letter.id, why)),
            }
        }
        Ok(answer)
    }

    pub(super) async fn discard(
        &self,
        select: &Select,
        reason: &Reason,
        dry_run: bool,
    ) -> Result<Discarded, ToolError> {
        let (found, _) = self.find(select, false).await?;
        let orders: BTreeSet<_> = found.iter().filter_map(Found::order).collect();
        let mut holds = vec![];
        for order in orders {
            let held = self.held_by(order).await?;
            if !held.is_empty() {
                holds.push((order, held));
            }
        }
        let mut answer = Discarded {
            discarded: vec![],
            skipped: vec![],
            holds,
            dry_run,
        };
        for found in found {
            let letter = found.letter();
            let why_not = match found {
                Found::Task(task) => Some(instead_of_discarding(&task)),
                Found::Fact(_) if letter.state.is_over() => Some("it has ended already".to_owned()),
                Found::Fact(_) if dry_run => None,
                Found::Fact(row) => self.give_up(*row, reason).await?,
            };
            match why_not {
                None => answer.discarded.push(letter),
                Some(why) => answer.skipped.push(skipped(letter.id, why)),
            }
        }
        Ok(answer)
    }

    async fn ask(
        &self,
        mut row: ParkedRow,
        replacement: &Option<Replacement>,
        reason: &Option<Reason>,
    ) -> Result<Option<&'static str>, ToolError> {
        let (group, fact) = (row.group.clone(), row.fact.clone());
        let reason = reason.as_ref().map(ToString::to_string);
        let replaced = replacement.is_some();
        tracing::info!(group, fact, reason, replaced, "to be taken up again");
        row.redrive = Some(Redrive {
            asked_at: clock::now(),
            reason,
        });
        if let Some(replacement) = replacement {
            row.replacement = Some(replacement.clone());
        }
        Ok((!self.replace(&row).await?).then_some(CHANGED))
    }

    async fn give_up(
        &self,
        mut row: ParkedRow,
        reason: &Reason,
    ) -> Result<Option<String>, ToolError> {
        let reason = reason.to_string();
        row.ended = Some(Ended {
            how: How::Discarded,
            at: clock::now(),
            reason: Some(reason.clone()),
        });
        if !self.replace(&row).await? {
            return Ok(Some(CHANGED.to_owned()));
        }
        count_ended(&row.group, How::Discarded);
        let (group, fact) = (row.group, row.fact);
        tracing::warn!(group, fact, reason, "a parked fact was discarded");
        Ok(None)
    }

    async fn replace(&self, row: &ParkedRow) -> Result<bool, ToolError> {
        match self.parked_by(&row.group).await {
            Some(parked) => Ok(parked.replace_parked(row).await?),
            None => Ok(false),
        }
    }

    async fn unpark(&self, mut task: DueRow) -> Result<Option<&'static str>, ToolError> {
        tracing::info!(task = task.id(), "to be run again");
        task.parked = false;
        task.attempts = 0;
        task.failures = 0;
        task.not_before = clock::now();
        let store = self.services.store(task.task.service());
        store.put_back(&task).await?;
        Ok(None)
    }
}

/// A task stands for a call that has to be made, or for one whose outcome has to be known.
fn instead_of_discarding(task: &DueRow) -> String {
    let DueRow { order, task, .. } = task;
    let outcome = match task {
        Task::Void => "voided",
        Task::Refund => "refunded",
        Task::Authorize | Task::Capture | Task::Courier | Task::CallOff | Task::Deadline => {
            return format!(
                "a task is not given up, for its order would wait for the {task} for ever: mend \
                 what fails, and redrive it"
            );
        }
    };
    format!(
        "a task is not given up, for money would be left behind: redrive it, or do it by hand at \
         the provider and say so with `waybill settle {order} --outcome {outcome} --reason ..`"
    )
}

fn skipped(id: String, why: impl Into<String>) -> Skipped {
    Skipped {
        id,
        why: why.into(),
    }
}
