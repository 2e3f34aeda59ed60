//! Open tasks.

use std::collections::HashSet;

use async_trait::async_trait;
use domain::Task;
use domain::values::{OrderId, Timestamp};

use super::values::{JsonText, Micros, number, rows};
use super::{PostgresEventStore, ask};
use crate::event_store::{AppendError, DueRow, DueRows, StoreError, TaskCount};

#[async_trait]
impl DueRows for PostgresEventStore {
    async fn due(
        &self,
        now: Timestamp,
        limit: usize,
        busy: &HashSet<String>,
    ) -> Result<Vec<DueRow>, StoreError> {
        // Rows that are busy have waited longest, and are read over: those that run at a time are
        // bounded.
        let busy: Vec<&str> = busy.iter().map(String::as_str).collect();
        let found = ask(|| {
            sqlx::query_scalar(
                "SELECT task FROM due WHERE due_at <= $1 AND id <> ALL ($2) \
                     ORDER BY due_at, id LIMIT $3",
            )
            .bind(Micros::from(now))
            .bind(&busy)
            .bind(rows(limit))
            .fetch_all(self.pool())
        })
        .await?;
        read(&found)
    }

    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let next = "SELECT due_at FROM due WHERE due_at > $1 ORDER BY due_at LIMIT 1";
        let found: Option<Micros> = ask(|| {
            sqlx::query_scalar(next)
                .bind(Micros::from(after))
                .fetch_optional(self.pool())
        })
        .await?;
        Ok(found.map(Into::into))
    }

    async fn put_back(&self, row: &DueRow) -> Result<(), StoreError> {
        match self.shared.writer.put_back(row).await {
            Ok(_) => Ok(()),
            Err(AppendError::Store(e)) => Err(e),
            Err(e) => Err(StoreError::Corrupt(e.to_string())),
        }
    }

    async fn due_of(&self, order: OrderId) -> Result<Vec<DueRow>, StoreError> {
        let tasks = Task::ALL.into_iter();
        let of_service = tasks.filter(|task| task.service() == self.shared.service);
        let ids: Vec<String> = of_service.map(|task| DueRow::id_of(order, task)).collect();
        let found = ask(|| {
            sqlx::query_scalar("SELECT task FROM due WHERE id = ANY ($1) ORDER BY id")
                .bind(&ids)
                .fetch_all(self.pool())
        })
        .await?;
        read(&found)
    }

    async fn troubled(&self, limit: usize) -> Result<(Vec<DueRow>, u64), StoreError> {
        // The worst come first, so that what is in trouble comes before what has merely failed.
        let found = ask(|| {
            sqlx::query_scalar(
                "SELECT task FROM due WHERE due_at IS NULL OR failures > 0 \
                     ORDER BY (due_at IS NULL) DESC, failures DESC LIMIT $1",
            )
            .bind(rows(limit))
            .fetch_all(self.pool())
        })
        .await?;
        let mut troubled = read(&found)?;
        troubled.retain(DueRow::in_trouble);
        let open: i64 =
            ask(|| sqlx::query_scalar("SELECT count(*) FROM due").fetch_one(self.pool())).await?;
        Ok((troubled, number(open)?))
    }

    async fn count_tasks(&self, overdue: Timestamp) -> Result<Vec<TaskCount>, StoreError> {
        let found: Vec<(String, i64, i64)> = ask(|| {
            sqlx::query_as(
                "SELECT min(id), count(*), count(*) FILTER (WHERE due_at < $1) FROM due \
                     GROUP BY split_part(id, ':', 2)",
            )
            .bind(Micros::from(overdue))
            .fetch_all(self.pool())
        })
        .await?;
        let count = |(id, open, overdue): (String, i64, i64)| {
            let task = DueRow::task_of(&id)?;
            let counts = number(open).and_then(|open| Ok((open, number(overdue)?)));
            Some(counts.map(|(open, overdue)| TaskCount {
                task,
                open,
                overdue,
            }))
        };
        found.into_iter().filter_map(count).collect()
    }
}

fn read(found: &[JsonText<'static>]) -> Result<Vec<DueRow>, StoreError> {
    found.iter().map(JsonText::to_row).collect()
}
