//! What the driver's errors mean.

use std::time::Duration;

use scylla::errors::{
    ConnectionPoolError, DbError, ExecutionError, NewSessionError, NextRowError,
    PagerExecutionError, PrepareError, RequestAttemptError,
};

use crate::event_store::StoreError;
use crate::view_store::ViewError;

/// The longest cause that is told: the first lines of a server's message say what is wrong.
const CAUSE: usize = 240;

/// Why there was no answer. Trying again later may help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(String);

impl Unavailable {
    pub fn new(cause: impl Into<String>) -> Self {
        let mut cause = cause.into();
        if let Some((at, _)) = cause.char_indices().nth(CAUSE) {
            cause.truncate(at);
            cause.push_str("..");
        }
        Self(cause)
    }

    pub fn no_answer(within: Duration) -> Self {
        Self(format!("no answer within {within:?}"))
    }

    pub fn not_migrated(what: &str) -> Self {
        Self(format!("{what}: run `waybill migrate`"))
    }
}

impl From<Unavailable> for ViewError {
    fn from(Unavailable(cause): Unavailable) -> Self {
        Self::Unavailable(cause)
    }
}

impl From<Unavailable> for StoreError {
    fn from(Unavailable(cause): Unavailable) -> Self {
        Self::Unavailable(cause)
    }
}

impl From<ExecutionError> for Unavailable {
    fn from(e: ExecutionError) -> Self {
        match e {
            ExecutionError::RequestTimeout(within) => Self::no_answer(within),
            ExecutionError::LastAttemptError(e) => attempt(&e),
            ExecutionError::PrepareError(e) => e.into(),
            ExecutionError::ConnectionPoolError(e) => e.into(),
            ExecutionError::EmptyPlan => no_node(),
            other => Self::new(other.to_string()),
        }
    }
}

impl From<PrepareError> for Unavailable {
    fn from(e: PrepareError) -> Self {
        match e {
            PrepareError::ConnectionPoolError(e) => e.into(),
            PrepareError::AllAttemptsFailed { first_attempt } => attempt(&first_attempt),
            other => Self::new(other.to_string()),
        }
    }
}

impl From<PagerExecutionError> for Unavailable {
    fn from(e: PagerExecutionError) -> Self {
        match e {
            PagerExecutionError::PrepareError(e) => e.into(),
            other => Self::new(other.to_string()),
        }
    }
}

impl From<NewSessionError> for Unavailable {
    fn from(e: NewSessionError) -> Self {
        Self::new(e.to_string())
    }
}

impl From<NextRowError> for Unavailable {
    fn from(e: NextRowError) -> Self {
        Self::new(e.to_string())
    }
}

impl From<ConnectionPoolError> for Unavailable {
    fn from(e: ConnectionPoolError) -> Self {
        Self::new(e.to_string())
    }
}

/// The plan has the nodes of one datacenter only.
fn no_node() -> Unavailable {
    Unavailable::new("no node of the local datacenter is known")
}

fn attempt(e: &RequestAttemptError) -> Unavailable {
    match e {
        RequestAttemptError::DbError(DbError::Invalid | DbError::Unauthorized, cause)
            if is_missing(cause) =>
        {
            Unavailable::not_migrated(cause)
        }
        RequestAttemptError::DbError(kind, cause) => Unavailable::new(format!("{kind}: {cause}")),
        other => Unavailable::new(other.to_string()),
    }
}

/// What Cassandra and ScyllaDB say about a keyspace, table or column that is not there.
fn is_missing(cause: &str) -> bool {
    let said = cause.to_ascii_lowercase();
    [
        "does not exist",
        "unconfigured table",
        "undefined column",
        "unrecognized name",
    ]
    .iter()
    .any(|words| said.contains(words))
}
