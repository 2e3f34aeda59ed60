//! What a stored fact says beside its payload: a flat JSON object of strings.

use std::borrow::Cow;

use domain::values::{Amount, Timestamp};
use domain::{Fact, FactId, OrderContext, Position, Recorded, Written, order};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Unreadable;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata<'a> {
    time: Cow<'a, str>,
    correlation_id: Cow<'a, str>,
    causation_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    currency: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    total_amount: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    placed_at: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<Cow<'a, str>>,
}

impl<'a> Metadata<'a> {
    pub(super) fn of(recorded: &'a Recorded, command_id: Uuid) -> Self {
        let order = recorded.order.as_ref();
        Self {
            time: recorded.time.to_string().into(),
            correlation_id: recorded.correlation.as_str().into(),
            causation_id: recorded.causation.as_str().into(),
            command_id: Some(command_id.to_string().into()),
            customer_id: order.map(|order| order.customer_id.as_str().into()),
            currency: order.map(|order| order.currency.as_str().into()),
            total_amount: order.map(|order| order.total_amount.to_string().into()),
            placed_at: order.map(|order| order.placed_at.to_string().into()),
            traceparent: recorded.traceparent.as_deref().map(Into::into),
        }
    }

    pub(super) fn recorded(
        self,
        id: FactId,
        position: Position,
        fact: Fact,
        written: Written,
    ) -> Result<Recorded, Unreadable> {
        let time = parse("time", &self.time)?;
        let order = match placed(&fact, time) {
            Some(order) => Some(order),
            None => self.order()?,
        };
        Ok(Recorded {
            time,
            order,
            correlation: self.correlation_id.into_owned(),
            causation: self.causation_id.into_owned(),
            traceparent: self.traceparent.map(Cow::into_owned),
            id,
            position,
            fact,
            written: Some(written),
        })
    }

    /// All of it or nothing: a fact that lost a part would be taken as one of no order, and nothing
    /// would follow from it.
    fn order(&self) -> Result<Option<OrderContext>, Unreadable> {
        let parts = [
            ("customerId", &self.customer_id),
            ("currency", &self.currency),
            ("totalAmount", &self.total_amount),
            ("placedAt", &self.placed_at),
        ];
        if parts.iter().all(|(_, part)| part.is_none()) {
            return Ok(None);
        }
        let [customer_id, currency, total_amount, placed_at] = parts.map(|(key, part)| {
            let missing = || Unreadable::Broken(format!("metadata {key} is missing"));
            part.as_ref().ok_or_else(missing)
        });
        let (customer_id, currency) = (customer_id?, currency?);
        let (total_amount, placed_at) = (total_amount?, placed_at?);
        let units: u64 = parse("totalAmount", total_amount)?;
        let wrong = |key: &'static str| {
            move |e: domain::values::Invalid| Unreadable::Broken(format!("{key} {e}"))
        };
        Ok(Some(OrderContext {
            customer_id: customer_id
                .clone()
                .into_owned()
                .try_into()
                .map_err(wrong("customerId"))?,
            currency: parse("currency", currency)?,
            total_amount: Amount::try_from(units).map_err(wrong("totalAmount"))?,
            placed_at: parse::<Timestamp>("placedAt", placed_at)?,
        }))
    }
}

/// What the placing of an order says about it, where its writer did not say it beside the payload.
fn placed(fact: &Fact, time: Timestamp) -> Option<OrderContext> {
    let Fact::Order(order::Event::Created {
        customer_id,
        currency,
        total_amount,
        ..
    }) = fact
    else {
        return None;
    };
    Some(OrderContext {
        customer_id: customer_id.clone(),
        currency: *currency,
        total_amount: *total_amount,
        placed_at: time,
    })
}

fn parse<T: std::str::FromStr>(key: &str, text: &str) -> Result<T, Unreadable>
where
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|e| Unreadable::Broken(format!("metadata {key}: {e}")))
}
