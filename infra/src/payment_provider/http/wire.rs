//! What goes to the provider and what comes back: `schemas/payment-provider.json` in Rust.

use domain::values::{Amount, Currency, OrderId, Reason};
use serde::{Deserialize, Serialize};

use super::{Answer, Call, ProviderError};

/// The body of a call. Its payment and operation are in the path, its key in a header.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    order_id: OrderId,
    amount: Amount,
    currency: Currency,
}

impl Request {
    pub(super) fn of(call: &Call) -> Self {
        Self {
            order_id: call.order,
            amount: call.amount,
            currency: call.currency,
        }
    }
}

/// What became of a call. It names the call, so that an answer to another is not taken for its
/// own.
#[derive(Debug, Deserialize)]
struct Reply {
    key: String,
    amount: Amount,
    currency: Currency,
    outcome: Outcome,
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Approved,
    Declined,
    Refused,
    Pending,
}

/// Reads the reply to `call`.
pub(super) fn answer(call: &Call, body: &[u8]) -> Result<Answer, ProviderError> {
    let reply: Reply = serde_json::from_slice(body).map_err(|e| {
        let (line, column) = (e.line(), e.column());
        unavailable(format!("its answer makes no sense at {line}:{column}"))
    })?;
    if reply.key != call.key() {
        return Err(unavailable("it answered another call".into()));
    }
    if (reply.amount, reply.currency) != (call.amount, call.currency) {
        return Err(ProviderError::Rejected(format!(
            "it speaks of {} {} instead of {} {}",
            reply.amount, reply.currency, call.amount, call.currency
        )));
    }
    match reply.outcome {
        Outcome::Approved => Ok(Answer::Done),
        Outcome::Declined => Ok(refused(reply.reason, "declined")),
        Outcome::Refused => Ok(refused(reply.reason, "refused")),
        Outcome::Pending => Err(unavailable("it has not decided yet".into())),
    }
}

/// A no is a no, however badly it is put.
fn refused(words: Option<String>, without_words: &str) -> Answer {
    let words = words.unwrap_or_default();
    let words = words.chars().filter(|c| !c.is_control());
    let words: String = words.take(Reason::MAX_CHARS).collect();
    let reason = Reason::try_from(words)
        .or_else(|_| Reason::try_from(without_words.to_owned()))
        .unwrap_or_else(|_| Reason::payment_declined());
    Answer::Refused { reason }
}

/// What an error says of itself, where it says it in the way of the contract. Nothing else of it
/// is repeated: what stands between us and the provider may echo the request with its key.
#[derive(Debug, Deserialize)]
struct Problem {
    code: String,
}

/// The longest code of an error.
const MAX_CODE: usize = 64;

/// The code in the body of an error.
pub(super) fn code(body: &[u8]) -> Option<String> {
    let Problem { code } = serde_json::from_slice(body).ok()?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let known = !code.is_empty() && code.len() <= MAX_CODE && code.bytes().all(plain);
    known.then_some(code)
}

pub(super) fn unavailable(why: String) -> ProviderError {
    ProviderError::Unavailable(why)
}
