use domain::payment::Command;
use domain::values::{OrderId, Reason};
use domain::{Category, StreamId};
use infra::handler::HandleError;
use infra::{Origin, clock, ids};
use serde::{Deserialize, Serialize};

use super::{Outcome, ToolError, Tools};

/// What was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settled {
    /// Of which order.
    pub order: OrderId,
    /// The fact that says so.
    pub fact: String,
}

impl Tools {
    pub(super) async fn settle(
        &self,
        order: OrderId,
        outcome: Outcome,
        reason: Reason,
    ) -> Result<Settled, ToolError> {
        let stream = StreamId::of(Category::Payment, order);
        let outcome = outcome.into();
        let command = [Command::Settle { outcome, reason }];
        let origin = Origin::of_person(ids::unique(), order.to_string(), clock::now());
        let handled = self
            .services
            .payment()
            .handle(&stream, &command, &origin, None);
        match handled.await {
            Ok(handled) => Ok(Settled {
                order,
                fact: handled
                    .token
                    .map(|token| token.to_string())
                    .unwrap_or_default(),
            }),
            Err(HandleError::Rejected(rejection)) => {
                let code = domain::Rejection::code(&rejection);
                Err(ToolError::new(code, rejection.to_string()))
            }
            Err(e) => Err(ToolError::new("failed", e.to_string())),
        }
    }
}
