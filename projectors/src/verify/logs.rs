//! All logs, and the topics that they are published to.

use std::sync::Arc;

use infra::bus::TopicReader;
use infra::event_store::{EventStore, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::log::{Cursor, LogReport, Reconciliation, TopicError, TopicReport, check_page};

/// A verification of all logs.
pub struct Logs {
    /// The logs.
    pub logs: Vec<Arc<dyn EventStore>>,
    /// What reads their topics; none where the logs themselves are the bus.
    pub topics: Option<Arc<dyn TopicReader>>,
}

/// Why logs and topics cannot be looked at now.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogsError {
    /// A log does not answer.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// A topic cannot be read.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// It was asked to end.
    #[error("stopped before its end")]
    Stopped,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogsVerified {
    /// Of each log; the last may be under way.
    pub logs: Vec<LogReport>,
    /// Of each topic; the last may be under way.
    pub topics: Vec<TopicReport>,
}

impl LogsVerified {
    /// True where every log is whole and every topic is proved to hold its log.
    pub fn is_right(&self) -> bool {
        let logs = self.logs.iter().all(|log| log.finds.is_empty());
        let mut topics = self.topics.iter();
        logs && topics.all(|topic| topic.finds.is_empty() && topic.unexamined == 0)
    }
}

impl Logs {
    /// Looks, and tells how far it is.
    ///
    /// # Errors
    /// [`LogsError`]
    pub async fn run(
        &self,
        told: &watch::Sender<LogsVerified>,
        stop: &CancellationToken,
    ) -> Result<LogsVerified, LogsError> {
        tokio::select! {
            () = stop.cancelled() => Err(LogsError::Stopped),
            looked = self.look(told) => looked,
        }
    }

    async fn look(&self, told: &watch::Sender<LogsVerified>) -> Result<LogsVerified, LogsError> {
        let mut done = LogsVerified::default();
        for log in &self.logs {
            let mut report = LogReport::of(log.service());
            let mut next = Some(Cursor::default());
            while let Some(cursor) = next {
                next = report.add(check_page(log.as_ref(), cursor).await?);
                told.send_modify(|at| {
                    at.logs.clone_from(&done.logs);
                    at.logs.push(report.clone());
                });
            }
            done.logs.push(report);
            let Some(topics) = &self.topics else { continue };
            let mut topic = Reconciliation::begin(log.clone(), topics.clone()).await?;
            while !topic.step().await? {
                told.send_modify(|at| {
                    at.topics.clone_from(&done.topics);
                    at.topics.push(topic.report().clone());
                });
            }
            done.topics.push(topic.report().clone());
        }
        told.send_replace(done.clone());
        Ok(done)
    }
}
