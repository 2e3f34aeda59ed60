//! How a relay is, for status, readiness and metrics.

use domain::values::Timestamp;
use domain::{FactId, Position, Service};
use serde::Deserialize;
use tokio::sync::watch;

use crate::clock;

/// Why a relay has stopped until a person has looked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// Records that were acknowledged are gone.
    #[error(
        "partition {partition} of {topic} ends at offset {end}, but offset {acknowledged} was \
         acknowledged: the topic lost its tail or was created anew; {}", mend(*.service)
    )]
    LostTail {
        /// Whose log.
        service: Service,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The last offset that was acknowledged.
        acknowledged: i64,
        /// The offset that its next record will have, or a new record got.
        end: i64,
    },
    /// The topic is gone.
    #[error("the topic {topic} is gone: run `waybill migrate`, then {}", mend(*.service))]
    NoTopic {
        /// Whose log.
        service: Service,
        /// The topic.
        topic: String,
    },
    /// Keys are mapped to other partitions than before.
    #[error("{topic} had {known} partitions and has {found}; {}", mend(*.service))]
    Partitions {
        /// Whose log.
        service: Service,
        /// The topic.
        topic: String,
        /// Partitions that there were.
        known: usize,
        /// Partitions that there are.
        found: usize,
    },
    /// The topic has facts that the log does not have.
    #[error(
        "offset {offset} of partition {partition} of {topic} is {published} at position \
         {position}, where the log has {stored}: its database was restored from a backup; {}",
        mend(*.service)
    )]
    Ahead {
        /// Whose log.
        service: Service,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
        /// The fact there.
        published: FactId,
        /// Its position.
        position: Position,
        /// What the log has at that position, in words.
        stored: String,
    },
    /// A fact that no topic takes.
    #[error(
        "the fact {fact} at position {position} cannot be published to {topic}: {cause}; {}",
        mend(*.service)
    )]
    Refused {
        /// Whose log.
        service: Service,
        /// The topic.
        topic: String,
        /// The fact.
        fact: FactId,
        /// Its position.
        position: Position,
        /// What the brokers or their client said.
        cause: String,
    },
    /// A row that is no fact. It is not passed over by itself: it may be one that was damaged.
    #[error(
        "the log cannot be read after position {after}: {cause}; {} from behind that row",
        mend(*.service)
    )]
    Unreadable {
        /// Whose log.
        service: Service,
        /// The last position that can be read.
        after: Position,
        /// What is wrong.
        cause: String,
    },
}

fn mend(service: Service) -> String {
    format!("find out why, then run `waybill replay --to-kafka --service {service}`")
}

/// How a relay is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RelayState {
    /// The last position that is acknowledged, with all before it.
    pub position: Position,
    /// The last position of the log, as last seen.
    pub last: Position,
    /// Why it has stopped.
    pub halted: Option<Halt>,
    /// Why it is trying again.
    pub problem: Option<String>,
}

/// Where a relay says how it is, and others look.
#[derive(Debug, Clone)]
pub struct RelayStatus(watch::Sender<RelayState>);

impl Default for RelayStatus {
    fn default() -> Self {
        Self(watch::Sender::new(RelayState::default()))
    }
}

impl RelayStatus {
    /// How it is now.
    pub fn now(&self) -> RelayState {
        self.0.borrow().clone()
    }

    pub(super) fn runs(&self, service: Service, position: Position, last: Position) {
        self.0.send_replace(RelayState {
            position,
            last,
            halted: None,
            problem: None,
        });
        gauge("waybill_relay_halted", service, 0.0);
        lag(service, position, last);
    }

    pub(super) fn is_at(&self, service: Service, position: Position, last: Position) {
        self.0.send_modify(|state| {
            state.position = position;
            state.last = last.max(position);
            state.problem = None;
        });
        lag(service, position, last);
    }

    /// As it is found while nothing is relayed: why that is stays as it was.
    pub(super) fn is_behind(&self, service: Service, position: Position, last: Position) {
        self.0.send_modify(|state| {
            state.position = position;
            state.last = last;
        });
        lag(service, position, last);
    }

    pub(super) fn halts(&self, service: Service, halt: Halt) {
        self.0.send_modify(|state| state.halted = Some(halt));
        gauge("waybill_relay_halted", service, 1.0);
    }

    /// Another process may relay the log now: what it says counts.
    pub(super) fn ends(&self, service: Service) {
        self.0.send_replace(RelayState::default());
        gauge("waybill_relay_halted", service, 0.0);
        gauge("waybill_relay_lag_events", service, 0.0);
        gauge("waybill_relay_lag_seconds", service, 0.0);
    }

    pub(super) fn failed(&self, problem: String) {
        self.0.send_modify(|state| state.problem = Some(problem));
    }
}

fn lag(service: Service, position: Position, last: Position) {
    let events = last.saturating_sub(position);
    gauge("waybill_relay_lag_events", service, events as f64);
    if events == 0 {
        gauge("waybill_relay_lag_seconds", service, 0.0);
    }
}

/// The oldest fact that is not acknowledged has this metadata.
pub(super) fn is_behind(service: Service, metadata: Option<&[u8]>) {
    #[derive(Deserialize)]
    struct Time {
        time: Timestamp,
    }
    let read = |metadata| serde_json::from_slice(metadata).ok();
    let since = metadata.and_then(read).map(|Time { time }| time);
    let age = since.map_or(0, |time| clock::now().ms_since(time));
    gauge("waybill_relay_lag_seconds", service, age as f64 / 1000.0);
}

fn gauge(name: &'static str, service: Service, value: f64) {
    metrics::gauge!(name, "service" => service.name()).set(value);
}
