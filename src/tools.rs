//! What an operator asks of a pipeline, in the process that holds its data.

mod dlq;
mod explain;
mod holds;
mod jobs;
mod settle;
mod status;
mod views;

use std::sync::Arc;

use command_api::Services;
use domain::Service;
use domain::payment::Settlement;
use domain::values::{OrderId, Reason};
use infra::bus::Bus;
use infra::event_store::{ParkedRows, StoreError};
use infra::view_store::ViewError;
use projectors::rebuild;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use dlq::{
    Asked, DeadLetter, Discarded, DlqRequest, Kind, Listed, Select, Shown, Skipped, State,
};
pub use explain::{Awaited, Explanation, OpenTask, Parked, StreamAt};
pub use jobs::{About, JobAt, JobRequest, Jobs, Work};
pub use settle::Settled;
pub use status::{GroupLag, GroupParked, RelayAt, ServiceStatus, Status, TaskAt};
pub use views::{RebuildAt, ViewAt};

/// A tool and what it is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "tool", rename_all = "kebab-case")]
pub enum Request {
    /// How far everything is.
    Status,
    /// What an order waits for.
    Explain {
        /// Which.
        order: OrderId,
    },
    /// Records what an operator did by hand at the provider.
    Settle {
        /// Which.
        order: OrderId,
        /// What was done.
        outcome: Outcome,
        /// Why.
        reason: Reason,
    },
    /// What cannot be taken, and what to do about it.
    Dlq(DlqRequest),
    /// Long work.
    Job(JobRequest),
    /// Ends the rebuild of a view; true where there was one.
    CancelRebuild {
        /// Which.
        view: String,
    },
    /// Has the table read again that was read before a rebuild.
    UndoRebuild {
        /// Which.
        view: String,
    },
}

/// What an operator did at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// What was held is free.
    Voided,
    /// What was taken is back.
    Refunded,
}

impl From<Outcome> for Settlement {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Voided => Self::Voided,
            Outcome::Refunded => Self::Refunded,
        }
    }
}

/// Why a tool has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ToolError {
    /// A stable name for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

impl ToolError {
    /// An error with a stable code.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
        }
    }
}

impl From<StoreError> for ToolError {
    fn from(e: StoreError) -> Self {
        Self::new("store-unavailable", e.to_string())
    }
}

impl From<ViewError> for ToolError {
    fn from(e: ViewError) -> Self {
        Self::new("store-unavailable", e.to_string())
    }
}

/// The tools over an open pipeline.
#[derive(Clone)]
pub struct Tools {
    services: Services,
    bus: Arc<dyn Bus>,
    about: About,
    jobs: Jobs,
    /// Whether logs are published, or are the bus themselves.
    relayed: bool,
}

impl Tools {
    /// The tools over `services`, `bus`, and the views with what jobs need beside them.
    pub fn new(
        services: Services,
        bus: Arc<dyn Bus>,
        about: About,
        jobs: Jobs,
        relayed: bool,
    ) -> Self {
        Self {
            services,
            bus,
            about,
            jobs,
            relayed,
        }
    }

    /// The consumer groups that are told of with `service`, and where their facts are parked: its
    /// own, and with the order service those of the views.
    async fn groups_of(&self, service: Service) -> Vec<(String, Arc<dyn ParkedRows>)> {
        let own: Arc<dyn ParkedRows> = self.services.store(service).clone();
        let mut groups = vec![(service.name().to_owned(), own)];
        if service == Service::Order {
            let views = self.about.views.groups().await.into_iter();
            groups.extend(views.map(|group| (group, self.about.views.parked.clone())));
        }
        groups
    }

    /// Where the facts of `group` are parked.
    async fn parked_by(&self, group: &str) -> Option<Arc<dyn ParkedRows>> {
        for service in Service::ALL {
            let mut groups = self.groups_of(service).await.into_iter();
            if let Some((_, parked)) = groups.find(|(of, _)| of == group) {
                return Some(parked);
            }
        }
        None
    }

    /// Answers a request.
    ///
    /// # Errors
    /// [`ToolError`]
    pub async fn answer(&self, request: Request) -> Result<Value, ToolError> {
        match request {
            Request::Status => json(&self.status().await),
            Request::Explain { order } => json(&self.explain(order).await?),
            Request::Settle {
                order,
                outcome,
                reason,
            } => json(&self.settle(order, outcome, reason).await?),
            Request::Dlq(request) => self.dlq(request).await,
            Request::Job(request) => self.jobs.answer(&self.about, request),
            Request::CancelRebuild { view } => {
                let view = jobs::named(&self.about.views, &view)?;
                json(&rebuild::cancel(&self.about.views, view).await?)
            }
            Request::UndoRebuild { view } => {
                let view = jobs::named(&self.about.views, &view)?;
                json(&rebuild::undo(&self.about.views, view).await?)
            }
        }
    }
}

fn json(answer: &impl Serialize) -> Result<Value, ToolError> {
    serde_json::to_value(answer).map_err(|e| ToolError::new("internal", e.to_string()))
}
