//! What the driver's errors mean.

use std::io::ErrorKind;

use sqlx::Error;
use sqlx::error::DatabaseError;

use crate::event_store::{AppendError, StoreError};

/// The longest cause that is told: no server message of ours is longer, and none is repeated
/// whole.
const CAUSE: usize = 160;

/// What went wrong with a batch.
pub enum Trouble {
    /// One of its requests is to blame: each has to be sent by itself, and this is the answer for
    /// the one that it is.
    OfOne(AppendError),
    /// Nothing of it was done, and sending it again does not help.
    Refused(StoreError),
    /// It may have been done or not: it has to be sent again.
    Lost(StoreError),
}

impl From<Error> for Trouble {
    fn from(e: Error) -> Self {
        if is_lost(&e) {
            return Self::Lost(store_error(&e));
        }
        let Error::Database(database) = &e else {
            return Self::Refused(store_error(&e));
        };
        let code = database.code().unwrap_or_default();
        match (&*code, code.get(..2).unwrap_or_default()) {
            // Bad data, a limit that was passed, a rule that was broken.
            (_, "22" | "23" | "54") => Self::OfOne(AppendError::Invalid(cause(&**database))),
            // Somebody holds a row of one of them, or the log.
            ("55P03", _) => Self::OfOne(store_error(&e).into()),
            _ => Self::Refused(store_error(&e)),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(e: StoreError) -> Self {
        Self::Refused(e)
    }
}

/// True where the connection is gone, or the server gave the transaction up: what was asked may be
/// asked again.
pub fn is_lost(e: &Error) -> bool {
    match e {
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed => true,
        Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            // Connection, transaction given up, operator, system, internal.
            matches!(code.get(..2), Some("08" | "40" | "57" | "58" | "XX"))
        }
        _ => false,
    }
}

/// What callers are told. The whole error goes to the log, where it is one that a person should
/// see.
pub fn store_error(e: &Error) -> StoreError {
    match e {
        Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            let cause = cause(&**database);
            match code.get(..2).unwrap_or_default() {
                // Bad data, a limit that was passed, a rule that was broken.
                "22" | "23" | "54" => {
                    tracing::error!(error = %e, "the event store refuses what was asked");
                    StoreError::Corrupt(cause)
                }
                // No such table, or not for us: until somebody migrates.
                "42" => {
                    tracing::error!(error = %e, "the event store is not as it should be");
                    StoreError::Unavailable(cause)
                }
                _ => StoreError::Unavailable(cause),
            }
        }
        Error::PoolTimedOut => StoreError::Unavailable("no connection in time".into()),
        // A certificate that is not trusted: which one and why is not in the kind.
        Error::Io(io) if io.kind() == ErrorKind::InvalidData => {
            StoreError::Unavailable(format!("TLS failed: {io}"))
        }
        Error::Io(io) => StoreError::Unavailable(io.kind().to_string()),
        Error::Tls(e) => StoreError::Unavailable(format!("TLS failed: {e}")),
        Error::Protocol(_) => StoreError::Unavailable("the connection broke".into()),
        Error::PoolClosed | Error::WorkerCrashed => {
            StoreError::Unavailable("the connections are closed".into())
        }
        Error::Configuration(_) => StoreError::Unavailable("the configuration is wrong".into()),
        Error::Decode(_) | Error::ColumnDecode { .. } | Error::RowNotFound => {
            tracing::error!(error = %e, "the event store cannot read a row");
            StoreError::Corrupt("a row cannot be decoded".into())
        }
        e => {
            tracing::error!(error = %e, "the event store");
            StoreError::Corrupt("an unexpected answer".into())
        }
    }
}

/// The server's own words, which name no statement, with its code.
pub fn cause(e: &dyn DatabaseError) -> String {
    let message = e.message().lines().next().unwrap_or_default();
    let message: String = message.chars().take(CAUSE).collect();
    format!("{message} ({})", e.code().unwrap_or_default())
}
