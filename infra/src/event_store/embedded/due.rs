//! Open tasks. Their times are kept in memory too, in order: the rows come and go so fast that a
//! second table of times would be mostly deletions.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use async_trait::async_trait;
use domain::values::{OrderId, Timestamp};
use domain::{Service, Task};
use fjall::Keyspace;

use super::database::locked;
use super::{EmbeddedEventStore, from_json, keys};
use crate::event_store::{AppendError, DueRow, DueRows, StoreError, TaskCount};

/// Reads the times of all open rows of a service, as the folder is opened.
pub(super) fn load_agenda(
    due: &Keyspace,
    service: Service,
) -> Result<BTreeSet<(Timestamp, String)>, StoreError> {
    let mut agenda = BTreeSet::new();
    for entry in due.prefix(keys::shared_prefix(service, &[])) {
        let row: DueRow = from_json(&entry.value()?)?;
        if !row.parked {
            agenda.insert((row.not_before, row.id()));
        }
    }
    Ok(agenda)
}

#[async_trait]
impl DueRows for EmbeddedEventStore {
    async fn due(
        &self,
        now: Timestamp,
        limit: usize,
        busy: &HashSet<String>,
    ) -> Result<Vec<DueRow>, StoreError> {
        let ids: Vec<String> = {
            let agenda = locked(&self.db.of(self.service).agenda);
            let come = agenda.iter().take_while(|(time, _)| *time <= now);
            let idle = come.filter(|(_, id)| !busy.contains(id));
            idle.take(limit).map(|(_, id)| id.clone()).collect()
        };
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            // Settled or put back since: the next look will see it as it is.
            let row = self.due_row(&id)?;
            rows.extend(row.filter(|row| !row.parked && row.not_before <= now));
        }
        Ok(rows)
    }

    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let agenda = locked(&self.db.of(self.service).agenda);
        let mut later = agenda.range((after.next(), String::new())..);
        Ok(later.next().map(|(time, _)| *time))
    }

    async fn put_back(&self, row: &DueRow) -> Result<(), StoreError> {
        match self.db.writer().put_back(self.service, row.clone()).await {
            Ok(_) => Ok(()),
            Err(AppendError::Store(e)) => Err(e),
            Err(e) => Err(StoreError::Unavailable(e.to_string())),
        }
    }

    async fn due_of(&self, order: OrderId) -> Result<Vec<DueRow>, StoreError> {
        let of_order = domain::Task::ALL
            .into_iter()
            .filter(|task| task.service() == self.service);
        let mut rows = vec![];
        for task in of_order {
            rows.extend(self.due_row(&DueRow::id_of(order, task))?);
        }
        Ok(rows)
    }

    async fn troubled(&self, limit: usize) -> Result<(Vec<DueRow>, u64), StoreError> {
        self.blocking(move |store| {
            let (mut rows, mut open) = (vec![], 0);
            for entry in store.db.due.prefix(keys::shared_prefix(store.service, &[])) {
                let row: DueRow = from_json(&entry.value()?)?;
                open += 1;
                if row.in_trouble() && rows.len() < limit {
                    rows.push(row);
                }
            }
            Ok((rows, open))
        })
        .await
    }

    async fn count_tasks(&self, overdue: Timestamp) -> Result<Vec<TaskCount>, StoreError> {
        self.blocking(move |store| {
            let mut counts: BTreeMap<Task, TaskCount> = BTreeMap::new();
            let mut count = |id: &str, open, overdue| {
                let Some(task) = DueRow::task_of(id) else {
                    return;
                };
                let none = TaskCount {
                    task,
                    open: 0,
                    overdue: 0,
                };
                let of_task = counts.entry(task).or_insert(none);
                of_task.open += open;
                of_task.overdue += overdue;
            };
            for entry in store.db.due.prefix(keys::shared_prefix(store.service, &[])) {
                count(&String::from_utf8_lossy(&entry.key()?), 1, 0);
            }
            let agenda = locked(&store.db.of(store.service).agenda);
            for (_, id) in agenda.range(..(overdue, String::new())) {
                count(id, 0, 1);
            }
            Ok(counts.into_values().collect())
        })
        .await
    }
}

impl EmbeddedEventStore {
    fn due_row(&self, id: &str) -> Result<Option<DueRow>, StoreError> {
        let row = self.db.due.get(keys::shared(self.service, &[id]))?;
        row.map(|row| from_json(&row)).transpose()
    }
}
