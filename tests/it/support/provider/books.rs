//! What a provider knows: what was asked under each key, and what was carried out.

use std::collections::HashMap;
use std::sync::Mutex;

use domain::values::{Amount, Currency, OrderId, PaymentId};
use infra::payment_provider::{
    Answer, Call, Operation, PaymentProvider, ProviderError, Simulated, SimulatedProvider,
};
use serde_json::json;

use super::speech::{Reply, Request};

/// Something that was carried out: money moved, or was held, or was no longer held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub order: OrderId,
    pub operation: Operation,
    pub amount: Amount,
}

/// What a provider decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Approved,
    Refused(&'static str),
    Pending,
}

pub(super) struct Books {
    decide: SimulatedProvider,
    kept: Mutex<HashMap<String, Kept>>,
    entries: Mutex<Vec<Entry>>,
}

struct Kept {
    /// What it is kept under: whatever whoever called it by.
    key: String,
    call: Call,
    outcome: Outcome,
    /// Whoever makes the call hears nothing, and whoever asks does.
    silent: bool,
    /// A POST under its key is no longer known to be a repeat.
    forgotten: bool,
}

impl Books {
    pub fn new(play: Simulated) -> Self {
        Self {
            decide: SimulatedProvider::new(play),
            kept: Mutex::default(),
            entries: Mutex::default(),
        }
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }

    pub fn forget_keys(&self) {
        for kept in self.kept.lock().unwrap().values_mut() {
            kept.forgotten = true;
        }
    }

    pub async fn answer(&self, request: &Request, decided: Option<Outcome>) -> Option<Reply> {
        match (request.method.as_str(), &*request.parts()) {
            ("GET", ["operations", key]) => Some(self.find(key)),
            ("POST", ["payments", payment, _]) => match call_of(request, payment) {
                Some((key, call)) => self.carry_out(key, call, decided).await,
                None => Some(Reply::problem(400, "bad-request")),
            },
            _ => Some(Reply::problem(404, "no-such-path")),
        }
    }

    pub fn find(&self, key: &str) -> Reply {
        match self.kept.lock().unwrap().get(key) {
            Some(kept) => kept.reply(),
            None => Reply::problem(404, "unknown-operation"),
        }
    }

    async fn carry_out(&self, key: String, call: Call, decided: Option<Outcome>) -> Option<Reply> {
        let (outcome, silent) = match decided {
            Some(outcome) => (outcome, false),
            None => self.decide(&call).await,
        };
        let mut kept = self.kept.lock().unwrap();
        if let Some(known) = kept.get(&key).filter(|known| known.is_final()) {
            return match known {
                Kept { call: first, .. } if *first != call => {
                    Some(Reply::problem(409, "key-reused"))
                }
                Kept { silent: true, .. } => None,
                known => Some(known.reply()),
            };
        }
        let one = Kept {
            key: key.clone(),
            call,
            outcome,
            silent,
            forgotten: false,
        };
        self.enter(&one);
        let reply = one.reply();
        kept.insert(key, one);
        (!silent).then_some(reply)
    }

    /// Decides what was pending.
    pub fn conclude(&self, key: &str, outcome: Outcome) {
        let mut kept = self.kept.lock().unwrap();
        let one = kept.get_mut(key).unwrap();
        assert_eq!(one.outcome, Outcome::Pending);
        one.outcome = outcome;
        self.enter(one);
    }

    /// Decides all that is pending.
    pub fn conclude_all(&self, outcome: &Outcome) {
        let mut kept = self.kept.lock().unwrap();
        let pending = kept
            .values_mut()
            .filter(|one| one.outcome == Outcome::Pending);
        for one in pending {
            one.outcome = outcome.clone();
            self.enter(one);
        }
    }

    fn enter(&self, one: &Kept) {
        if one.outcome == Outcome::Approved {
            let Call {
                order,
                operation,
                amount,
                ..
            } = one.call;
            self.entries.lock().unwrap().push(Entry {
                order,
                operation,
                amount,
            });
        }
    }

    async fn decide(&self, call: &Call) -> (Outcome, bool) {
        match self.decide.call(call).await {
            Ok(Answer::Done) => (Outcome::Approved, false),
            Ok(Answer::Refused { .. }) if call.operation == Operation::Authorize => {
                (Outcome::Refused("card-declined"), false)
            }
            Ok(Answer::Refused { .. }) => (Outcome::Refused("capture-refused"), false),
            Err(ProviderError::TimedOut) => (Outcome::Approved, true),
            Err(e) => panic!("a simulated provider fails: {e}"),
        }
    }
}

impl Kept {
    /// A key is carried out once; what is pending, or a refusal to give money back, may change.
    fn is_final(&self) -> bool {
        let open = match (&self.outcome, self.call.operation) {
            (Outcome::Pending, _) => true,
            (Outcome::Refused(_), Operation::Void | Operation::Refund) => true,
            (Outcome::Refused(_), Operation::Authorize | Operation::Capture) => false,
            (Outcome::Approved, _) => false,
        };
        !open && !self.forgotten
    }

    fn reply(&self) -> Reply {
        let (word, reason) = match (&self.outcome, self.call.operation) {
            (Outcome::Approved, _) => ("approved", None),
            (Outcome::Refused(reason), Operation::Authorize) => ("declined", Some(reason)),
            (Outcome::Refused(reason), _) => ("refused", Some(reason)),
            (Outcome::Pending, _) => ("pending", None),
        };
        let mut reply = json!({
            "key": self.key,
            "amount": self.call.amount,
            "currency": self.call.currency,
            "outcome": word,
        });
        if let Some(reason) = reason {
            reply["reason"] = (*reason).into();
        }
        Reply::new(200, reply.to_string())
    }
}

/// The call that a request makes, and its key, which says nothing to a provider; none where it is not
/// as the contract says.
fn call_of(request: &Request, payment: &str) -> Option<(String, Call)> {
    let value = |name: &str| request.body.get(name).cloned();
    let order: OrderId = serde_json::from_value(value("orderId")?).ok()?;
    let amount: Amount = serde_json::from_value(value("amount")?).ok()?;
    let currency: Currency = serde_json::from_value(value("currency")?).ok()?;
    let call = Call {
        order,
        payment_id: PaymentId::of(order),
        operation: request.operation()?,
        amount,
        currency,
        repeated: false,
    };
    let named = payment == call.payment_id.to_string();
    let key = request.header("idempotency-key")?.to_owned();
    let plain = request.header("content-type") == Some("application/json");
    (named && plain).then_some((key, call))
}
