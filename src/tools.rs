//! What an operator asks of a pipeline, in the process that holds its data.

mod dlq;
mod explain;
mod holds;
mod settle;
mod status;

use std::sync::Arc;

use command_api::Services;
use domain::Service;
use domain::payment::Settlement;
use domain::values::{OrderId, Reason};
use domain::view;
use infra::bus::Bus;
use infra::event_store::{ParkedRows, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use dlq::{
    Asked, DeadLetter, Discarded, DlqRequest, Kind, Listed, Select, Shown, Skipped, State,
};
pub use explain::{Awaited, Explanation, OpenTask, Parked, StreamAt};
pub use settle::Settled;
pub use status::{GroupLag, GroupParked, RelayAt, ServiceStatus, Status, TaskAt};

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

/// The tools over an open pipeline.
#[derive(Clone)]
pub struct Tools {
    services: Services,
    bus: Arc<dyn Bus>,
    unprojected: Arc<dyn ParkedRows>,
    /// Whether logs are published, or are the bus themselves.
    relayed: bool,
}

impl Tools {
    /// The tools over `services` and `bus`, and over what the projectors have parked.
    pub fn new(
        services: Services,
        bus: Arc<dyn Bus>,
        unprojected: Arc<dyn ParkedRows>,
        relayed: bool,
    ) -> Self {
        Self {
            services,
            bus,
            unprojected,
            relayed,
        }
    }

    /// The consumer groups that are told of with `service`, and where their facts are parked: its
    /// own, and with the order service those of the views.
    fn groups_of(&self, service: Service) -> Vec<(String, Arc<dyn ParkedRows>)> {
        let own: Arc<dyn ParkedRows> = self.services.store(service).clone();
        let mut groups = vec![(service.name().to_owned(), own)];
        if service == Service::Order {
            let views = view::ALL.map(projectors::live_table);
            groups.extend(views.map(|(_, group)| (group, self.unprojected.clone())));
        }
        groups
    }

    /// Where the facts of `group` are parked.
    fn parked_by(&self, group: &str) -> Option<Arc<dyn ParkedRows>> {
        let mut groups = Service::ALL.into_iter().flat_map(|s| self.groups_of(s));
        let (_, parked) = groups.find(|(of, _)| of == group)?;
        Some(parked)
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
        }
    }
}

fn json(answer: &impl Serialize) -> Result<Value, ToolError> {
    serde_json::to_value(answer).map_err(|e| ToolError::new("internal", e.to_string()))
}
