//! Where a command came from: what the facts that it yields say about their cause.

use domain::values::{Amount, Currency, CustomerId, Timestamp};
use domain::{OrderContext, Recorded};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::telemetry::trace;

/// The cause of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The id of the command: the same each time it is carried out.
    pub command_id: Uuid,
    /// The id of the fact behind it, or of the command itself where a person sent it.
    pub causation: String,
    /// What the chain of causes is about: an order id or a SKU.
    pub correlation: String,
    /// When the command was given, by this machine's clock.
    pub at: Timestamp,
    /// When its cause happened: what follows from it happens later.
    pub cause_time: Option<Timestamp>,
    /// The order; none for commands on an existing stream, which knows it, and for goods
    /// received.
    #[serde(with = "order_context")]
    pub order: Option<OrderContext>,
    /// The W3C trace context of the work that yields the facts; where none is recorded, of the
    /// request that began the chain.
    pub traceparent: Option<String>,
}

impl Origin {
    /// A command that a person sent at `at` about `correlation`.
    pub fn of_person(command_id: Uuid, correlation: String, at: Timestamp) -> Self {
        Self {
            command_id,
            causation: command_id.to_string(),
            correlation,
            at,
            cause_time: None,
            order: None,
            traceparent: None,
        }
    }

    /// A command that follows from `cause`, carried out at `at`.
    pub fn of_fact(command_id: Uuid, cause: &Recorded, at: Timestamp) -> Self {
        Self {
            command_id,
            causation: cause.id.to_string(),
            correlation: cause.correlation.clone(),
            at,
            cause_time: Some(cause.time),
            order: cause.order.clone(),
            traceparent: trace::current().or_else(|| cause.traceparent.clone()),
        }
    }

    /// The same cause for another command, carried out at `at`.
    #[must_use]
    pub fn again(&self, command_id: Uuid, at: Timestamp) -> Self {
        Self {
            command_id,
            at,
            traceparent: trace::current().or_else(|| self.traceparent.clone()),
            ..self.clone()
        }
    }

    /// The time of the next fact of a stream whose last was at `last`: the latest of the clock,
    /// the cause's time + 1 and the stream's last + 1 (microseconds), so that neither skew nor
    /// speed shows an effect before its cause.
    pub fn fact_time(&self, last: Option<Timestamp>) -> Timestamp {
        let after_cause = self.cause_time.map(Timestamp::next);
        let after_last = last.map(Timestamp::next);
        let floor = after_cause.max(after_last);
        floor.map_or(self.at, |floor| floor.max(self.at))
    }
}

mod order_context {
    use super::*;
    use serde::{Deserializer, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape {
        customer_id: CustomerId,
        currency: Currency,
        total_amount: Amount,
        placed_at: Timestamp,
    }

    pub fn serialize<S: Serializer>(
        order: &Option<OrderContext>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let shape = order.clone().map(|order| Shape {
            customer_id: order.customer_id,
            currency: order.currency,
            total_amount: order.total_amount,
            placed_at: order.placed_at,
        });
        shape.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<OrderContext>, D::Error> {
        let shape = Option::<Shape>::deserialize(from)?;
        Ok(shape.map(|shape| OrderContext {
            customer_id: shape.customer_id,
            currency: shape.currency,
            total_amount: shape.total_amount,
            placed_at: shape.placed_at,
        }))
    }
}
