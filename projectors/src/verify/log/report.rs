use domain::Position;
use infra::bus::BusError;
use infra::event_store::StoreError;
use serde::{Deserialize, Serialize};

use super::Finds;

/// What a topic showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicReport {
    /// Whose topic.
    pub service: String,
    /// What it is called.
    pub topic: String,
    /// Facts up to this position have to be on it.
    pub published: Position,
    /// How many these are.
    pub facts: u64,
    /// Records that were read.
    pub records: u64,
    /// Those of facts that had been published before, which is fine.
    pub repeats: u64,
    /// Facts that the topic no longer keeps, which is fine.
    pub older: u64,
    /// Groups of facts that differ and were not looked at one by one, since there are too many of
    /// them: more may be wrong than was found.
    pub unexamined: u64,
    /// What is wrong.
    pub finds: Finds,
}

/// Why a topic cannot be held against its log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TopicError {
    /// There is none.
    #[error("there is no topic {0}: run `waybill migrate`")]
    NoTopic(String),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The brokers do not answer.
    #[error(transparent)]
    Bus(#[from] BusError),
}
