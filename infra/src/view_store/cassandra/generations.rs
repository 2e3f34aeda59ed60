//! How the generations of each view stand: a row a view.
//!
//! It is only ever changed by lightweight transactions, each of which names the version that it
//! replaces, and read with a consistency that sees the last of them. The driver sends none a second
//! time, which might find the work of the first and say that somebody else had done it: where the
//! outcome is not known, that is said, and whoever asked reads how they stand.

use std::fmt::Display;

use scylla::client::caching_session::CachingSession;
use scylla::client::session::Session;
use scylla::response::query_result::QueryResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::{Consistency, Statement};
use scylla::value::{CqlValue, Row};

use super::cql::idempotent;
use super::unavailable::Unavailable;
use super::{REQUEST, within};
use crate::view_store::{Generations, ViewError};

/// The table.
pub const TABLE: &str = "view_generations";

/// Those of a view in the table of a keyspace; `None` where there is no row.
pub async fn read(
    session: &Session,
    keyspace: &str,
    view: &str,
) -> Result<Option<Generations>, ViewError> {
    let mut select = idempotent(format!(
        "SELECT version, generations FROM {keyspace}.{TABLE} WHERE view_name = ?"
    ));
    select.set_consistency(Consistency::LocalSerial);
    let found = within(REQUEST, session.query_unpaged(select, (view,))).await?;
    let found = found.into_rows_result().map_err(|e| corrupt(view, &e))?;
    let row = found.maybe_first_row::<(i64, String)>();
    let Some((version, json)) = row.map_err(|e| corrupt(view, &e))? else {
        return Ok(None);
    };
    let version = u64::try_from(version).map_err(|e| corrupt(view, &e))?;
    let generations: Generations = serde_json::from_str(&json).map_err(|e| corrupt(view, &e))?;
    Ok(Some(Generations {
        version,
        ..generations
    }))
}

/// Puts those of a view in place of its row of their version; says whether that was there.
pub async fn replace(
    session: &CachingSession,
    keyspace: &str,
    view: &str,
    generations: &Generations,
) -> Result<bool, ViewError> {
    let json = serde_json::to_string(generations).map_err(|e| corrupt(view, &e))?;
    let seen = i64::try_from(generations.version).map_err(|e| corrupt(view, &e))?;
    if seen == 0 {
        let insert = format!(
            "INSERT INTO {keyspace}.{TABLE} (view_name, version, generations) VALUES (?, ?, ?) \
             IF NOT EXISTS"
        );
        return change(session, insert, (view, 1_i64, json), view).await;
    }
    let update = format!(
        "UPDATE {keyspace}.{TABLE} SET version = ?, generations = ? WHERE view_name = ? IF version = ?"
    );
    change(session, update, (seen + 1, json, view, seen), view).await
}

/// Runs a lightweight transaction once, and says whether it was carried out.
async fn change(
    session: &CachingSession,
    cql: String,
    values: impl SerializeRow,
    view: &str,
) -> Result<bool, ViewError> {
    let changed = session.execute_unpaged(Statement::new(cql), values);
    let changed = within(REQUEST, changed).await?;
    was_applied(changed).map_err(|e| corrupt(view, &e))
}

/// What a lightweight transaction answers first: `[applied]`.
pub fn was_applied(changed: QueryResult) -> Result<bool, Unavailable> {
    let unreadable = |e: &dyn Display| Unavailable::new(format!("the answer of a change: {e}"));
    let rows = changed.into_rows_result().map_err(|e| unreadable(&e))?;
    let row = rows.first_row::<Row>().map_err(|e| unreadable(&e))?;
    let applied = row.columns.first().and_then(Option::as_ref);
    Ok(applied.and_then(CqlValue::as_boolean) == Some(true))
}

fn corrupt(view: &str, e: &dyn Display) -> ViewError {
    ViewError::Corrupt(format!("the generations of {view}: {e}"))
}
