//! What an operator asks of a pipeline, in the process that holds its data.

mod explain;
mod settle;
mod status;

use std::sync::Arc;

use command_api::Services;
use domain::Service;
use domain::payment::Settlement;
use domain::values::{OrderId, Reason};
use infra::bus::Bus;
use infra::event_store::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use explain::{Awaited, Explanation, OpenTask, Parked, StreamAt};
pub use settle::Settled;
pub use status::{GroupLag, ServiceStatus, Status};

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
}

impl Tools {
    /// The tools over `services` and `bus`.
    pub fn new(services: Services, bus: Arc<dyn Bus>) -> Self {
        Self { services, bus }
    }

    /// The consumer groups whose parked facts are in the store of `service`: its own, and in the
    /// order service's those of the views.
    fn groups_parked_at(service: Service) -> Vec<String> {
        let mut groups = vec![service.name().to_owned()];
        if service == Service::Order {
            let views = projectors::views();
            groups.extend(
                views
                    .iter()
                    .map(|view| projectors::live_table(view.as_ref()).1),
            );
        }
        groups
    }

    /// Answers a request.
    ///
    /// # Errors
    /// [`ToolError`]
    pub async fn answer(&self, request: Request) -> Result<Value, ToolError> {
        match request {
            Request::Status => json(&self.status().await?),
            Request::Explain { order } => json(&self.explain(order).await?),
            Request::Settle {
                order,
                outcome,
                reason,
            } => json(&self.settle(order, outcome, reason).await?),
        }
    }
}

fn json(answer: &impl Serialize) -> Result<Value, ToolError> {
    serde_json::to_value(answer).map_err(|e| ToolError::new("internal", e.to_string()))
}
