//! What an order waits for, since when, and what would help.

use std::collections::BTreeMap;

use domain::inventory::reservation;
use domain::values::{OrderId, Timestamp};
use domain::{Category, Decider, Fact, Recorded, Service, StreamId, delivery, order, payment};
use infra::codec;
use infra::event_store::ParkedRow;
use serde::{Deserialize, Serialize};

use super::{ToolError, Tools};

/// Facts of one stream that are read: far more than any has.
const FACTS: usize = 1000;
/// Parked facts of an order that are listed.
const PARKED: usize = 100;

/// What an order waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Which.
    pub order: OrderId,
    /// True where nothing more will happen.
    pub over: bool,
    /// How far each of its streams is.
    pub streams: Vec<StreamAt>,
    /// The step that comes next; none for an order that is over.
    pub awaited: Option<Awaited>,
    /// Calls and timers that are open for it.
    pub tasks: Vec<OpenTask>,
    /// Its facts that could not be taken, and those that wait behind them.
    pub parked: Vec<Parked>,
    /// Its facts that cannot be read, and why; the rest is told without them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
    /// The command that would help; none where nothing is stuck.
    pub unblock: Option<String>,
}

/// How far a stream is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamAt {
    /// Which.
    pub stream: String,
    /// Its last fact.
    pub fact: String,
    /// What that is called.
    pub name: String,
    /// When it happened.
    pub time: Timestamp,
}

/// A step that is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Awaited {
    /// What.
    pub step: String,
    /// Since when: the time of the order's last fact.
    pub since: Timestamp,
}

/// An open call or timer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenTask {
    /// Of which order.
    pub order: OrderId,
    /// What.
    pub task: String,
    /// Since when.
    pub opened_at: Timestamp,
    /// When it runs, or runs again.
    pub not_before: Timestamp,
    /// How often it failed in a row.
    pub failures: u32,
    /// What went wrong the last time.
    pub problem: Option<String>,
    /// It runs no more until somebody looks.
    pub parked: bool,
}

/// A fact that a consumer group could not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parked {
    /// What `waybill dlq` knows it by.
    pub id: String,
    /// Which group.
    pub group: String,
    /// The fact.
    pub fact: String,
    /// What kind of failure.
    pub class: String,
    /// What went wrong.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

impl From<ParkedRow> for Parked {
    fn from(row: ParkedRow) -> Self {
        Self {
            id: row.id().to_string(),
            fact: row.fact.unwrap_or(row.key),
            group: row.group,
            class: row.class,
            reason: row.reason,
            since: row.parked_at,
        }
    }
}

impl Tools {
    pub(super) async fn explain(&self, order: OrderId) -> Result<Explanation, ToolError> {
        let History { facts, unreadable } = self.history(order).await?;
        if facts.is_empty() && unreadable.is_empty() {
            return Err(ToolError::new(
                "unknown-order",
                format!("there is no order {order}"),
            ));
        }
        let (mut tasks, mut parked) = (vec![], vec![]);
        for service in Service::ALL {
            let store = self.services.store(service);
            tasks.extend(store.due_of(order).await?.iter().map(OpenTask::from));
            let key = order.to_string();
            for (group, rows) in self.groups_of(service).await {
                parked.extend(rows.parked(&group, Some(&key), PARKED).await?);
            }
        }
        let parked: Vec<Parked> = parked.into_iter().map(Parked::from).collect();
        let states = States::of(&facts);
        let since = facts.iter().map(|fact| fact.time).max().unwrap_or_default();
        let awaited = states.awaited().map(|step| Awaited {
            step: step.to_owned(),
            since,
        });
        Ok(Explanation {
            order,
            over: states.order.is_over(),
            streams: last_facts(&facts),
            unblock: states.unblock(order, &tasks, &parked),
            awaited,
            tasks,
            parked,
            unreadable,
        })
    }

    /// The facts of an order's four streams.
    pub(super) async fn history(&self, order: OrderId) -> Result<History, ToolError> {
        let mut history = History::default();
        for category in Category::OF_ORDERS {
            let stream = StreamId::of(category, order);
            let store = self.services.store(category.service());
            for stored in store.read_stream(&stream, 0, FACTS).await? {
                match codec::decode(&stored) {
                    Ok(fact) => history.facts.push(fact),
                    Err(e) => history.unreadable.push(format!("{}: {e}", stored.id)),
                }
            }
        }
        Ok(history)
    }
}

/// What is known of an order.
#[derive(Default)]
pub(super) struct History {
    /// What can be read, stream by stream.
    pub facts: Vec<Recorded>,
    /// What cannot, and why.
    pub unreadable: Vec<String>,
}

fn last_facts(facts: &[Recorded]) -> Vec<StreamAt> {
    let mut last: BTreeMap<Category, StreamAt> = BTreeMap::new();
    for recorded in facts {
        let at = StreamAt {
            stream: recorded.id.stream.category.name().to_owned(),
            fact: recorded.id.to_string(),
            name: recorded.fact.name().to_owned(),
            time: recorded.time,
        };
        last.insert(recorded.id.stream.category, at);
    }
    last.into_values().collect()
}

/// The four streams of an order, folded.
#[derive(Default)]
pub(super) struct States {
    pub order: order::State,
    pub reservation: reservation::State,
    pub payment: payment::State,
    pub delivery: delivery::State,
}

impl States {
    pub fn of(facts: &[Recorded]) -> Self {
        let mut states = Self::default();
        for recorded in facts {
            match &recorded.fact {
                Fact::Order(event) => states.order = order::Order::evolve(states.order, event),
                Fact::Reservation(event) => {
                    states.reservation = states.reservation.evolve(event);
                }
                Fact::Payment(event) => {
                    states.payment = payment::Payment::evolve(states.payment, event);
                }
                Fact::Delivery(event) => {
                    states.delivery = delivery::Delivery::evolve(states.delivery, event);
                }
                Fact::Stock(_) => {}
            }
        }
        states
    }

    /// The step that comes next: on the way back if the order is being undone, from its end; else
    /// on the way there.
    fn awaited(&self) -> Option<&'static str> {
        use delivery::State as Delivery;
        use payment::State as Payment;
        use reservation::State as Reservation;
        if self.order.is_over() {
            return None;
        }
        let back = match (&self.reservation, &self.payment, &self.delivery) {
            (Reservation::Rejected | Reservation::Released | Reservation::Returned, _, _) => {
                Some("the order service is to close the order")
            }
            (_, Payment::Failed | Payment::Voided | Payment::Refunded, _) => {
                Some("the inventory service is to give the stock back")
            }
            (_, Payment::Voiding { .. }, _) => Some("the provider is to release the money"),
            (_, Payment::Refunding { .. }, _) => Some("the provider is to refund the money"),
            (_, _, Delivery::Cancelled | Delivery::Failed { .. }) => {
                Some("the payment service is to give the money back")
            }
            _ if self.order == order::State::Asked => {
                Some("the delivery service is to decide the cancellation")
            }
            _ => None,
        };
        back.or(match (&self.delivery, &self.payment, &self.reservation) {
            (Delivery::Delivered { .. }, _, _) => {
                Some("the order service is to complete the order")
            }
            (Delivery::Dispatched { .. }, _, _) => Some("the courier is to deliver"),
            (Delivery::Assigned { .. }, _, _) => Some("the courier is to leave with the goods"),
            (Delivery::Requested { .. }, _, _) => Some("the courier is to assign a driver"),
            (_, Payment::Asked { .. }, _) => Some("the provider is to authorize the payment"),
            (_, Payment::None, Reservation::Held(_)) => {
                Some("the payment service is to request the payment")
            }
            (_, Payment::None, _) => Some("the inventory service is to hold the stock"),
            _ => Some("the delivery service is to request the delivery"),
        })
    }

    fn unblock(&self, order: OrderId, tasks: &[OpenTask], parked: &[Parked]) -> Option<String> {
        let refused = |name: &str| {
            let failing = |task: &&OpenTask| task.task == name && task.failures > 0;
            tasks.iter().find(failing).is_some()
        };
        let settle = |outcome| {
            Some(format!(
                "waybill settle {order} --outcome {outcome} --reason '..', once that is done by \
                 hand at the provider"
            ))
        };
        match &self.payment {
            payment::State::Voiding { .. } if refused("void") => settle("voided"),
            payment::State::Refunding { .. } if refused("refund") => settle("refunded"),
            _ if !parked.is_empty() || tasks.iter().any(|task| task.parked) => Some(format!(
                "waybill dlq redrive --order {order}, once what failed is mended"
            )),
            _ => None,
        }
    }
}
