//! Appending to the log and reading it.
//!
//! Others may write the table too. A fact of theirs without our metadata is read as if it had what
//! is known of it; rows of aggregates that are not ours are passed over.

use async_trait::async_trait;
use domain::values::Timestamp;
use domain::{Category, FactId, Position, Sequence, StreamId};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use tokio::sync::watch;

use super::looks::FEW;
use super::migrate::VERSION;
use super::values::{JsonText, Micros, corrupt, int, number, rows};
use super::{PostgresEventStore, ask, foreign};
use crate::event_store::{Append, AppendError, Log, StoreError, StoredFact, StoredReply};

/// Replies that are removed at once: none of them holds up appends for long.
const PURGE: i64 = 10_000;

macro_rules! select_facts {
    ($rest:literal) => {
        concat!(
            "SELECT aggregate_type, aggregate_id, sequence, position, event_type, event_version, \
             payload, metadata, recorded_at FROM events ",
            $rest
        )
    };
}
pub(super) use select_facts;

/// Where a row of [`select_facts`] has them.
const TYPE: usize = 0;
const POSITION: usize = 3;

const REPLY: &str = "SELECT scope, key, hash, status, body, location, token, stored_at \
                     FROM replies WHERE scope = $1 AND key = $2";

#[async_trait]
impl Log for PostgresEventStore {
    async fn append(&self, request: Append) -> Result<Position, AppendError> {
        self.shared.writer.append(request).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<StoredFact>, StoreError> {
        let mut facts = self.shared.next.at(stream, after).await?;
        if facts.len() < FEW || limit <= FEW {
            facts.truncate(limit);
            return Ok(facts);
        }
        let after = facts.last().map_or(after, |last| last.id.sequence);
        let found = ask(|| {
            sqlx::query(select_facts!(
                "WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 \
                     ORDER BY sequence LIMIT $4"
            ))
            .bind(stream.category.name())
            .bind(&stream.id)
            .bind(int(after))
            .bind(rows(limit - FEW))
            .fetch_all(self.pool())
        })
        .await?;
        facts.reserve(found.len());
        for row in &found {
            facts.push(fact(row)?);
        }
        Ok(facts)
    }

    async fn read_last(&self, stream: &StreamId) -> Result<Option<StoredFact>, StoreError> {
        Ok(self.shared.last.at(stream, 0).await?.pop())
    }

    async fn read_log(&self, after: Position, limit: usize) -> Result<Vec<StoredFact>, StoreError> {
        let (mut facts, mut after) = (vec![], int(after));
        let page = if crate::planted!("order-by-transaction") {
            select_facts!("WHERE position > $1 ORDER BY xmin::text::bigint, position LIMIT $2")
        } else {
            select_facts!("WHERE position > $1 ORDER BY position LIMIT $2")
        };
        loop {
            let wanted = limit - facts.len();
            let found = ask(|| {
                sqlx::query(page)
                    .bind(after)
                    .bind(rows(wanted))
                    .fetch_all(self.pool())
            })
            .await?;
            facts.reserve(found.len());
            for row in &found {
                after = get(row, POSITION)?;
                match Category::named(get(row, TYPE)?) {
                    Some(category) => facts.push(fact_of(category, row)?),
                    None => self.shared.strangers.met(get(row, TYPE)?, after),
                }
            }
            // A page of rows that are not ours is not the end of the log.
            if found.len() < wanted || facts.len() == limit {
                return Ok(facts);
            }
        }
    }

    async fn read_category(
        &self,
        category: Category,
        after: Option<&FactId>,
        limit: usize,
    ) -> Result<Vec<StoredFact>, StoreError> {
        // Both columns are of the primary key, whose bytes are the order.
        let (id, sequence) = after.map_or(("", 0), |after| (&after.stream.id, int(after.sequence)));
        let found = ask(|| {
            sqlx::query(select_facts!(
                "WHERE aggregate_type = $1 AND (aggregate_id, sequence) > ($2, $3) \
                     ORDER BY aggregate_id, sequence LIMIT $4"
            ))
            .bind(category.name())
            .bind(id)
            .bind(sequence)
            .bind(rows(limit))
            .fetch_all(self.pool())
        })
        .await?;
        found.iter().map(|row| fact_of(category, row)).collect()
    }

    async fn last_position(&self) -> Result<Position, StoreError> {
        let last = "SELECT position FROM events WHERE aggregate_type = ANY ($1) \
                    ORDER BY position DESC LIMIT 1";
        let found: Option<i64> = ask(|| {
            sqlx::query_scalar(last)
                .bind(Category::ALL.map(Category::name))
                .fetch_optional(self.pool())
        })
        .await?;
        number(found.unwrap_or(0))
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.shared.writer.ready()?;
        let state = "SELECT max(version), pg_is_in_recovery() FROM migrations";
        let (version, read_only): (Option<i32>, bool) =
            ask(|| sqlx::query_as(state).fetch_one(self.pool())).await?;
        let unavailable = |what: String| Err(StoreError::Unavailable(what));
        match version.unwrap_or(0) {
            version if version < VERSION => unavailable(format!(
                "its database has version {version} and needs {VERSION}: run `waybill migrate`"
            )),
            _ if read_only => unavailable("the server is a read-only replica".into()),
            _ => Ok(()),
        }
    }

    async fn stored_reply(
        &self,
        scope: &str,
        key: &str,
    ) -> Result<Option<StoredReply>, StoreError> {
        let found = ask(|| {
            sqlx::query(REPLY)
                .bind(scope)
                .bind(key)
                .fetch_optional(self.pool())
        })
        .await?;
        found.as_ref().map(read_reply).transpose()
    }

    async fn purge_replies(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut purged = 0;
        loop {
            let some = ask(|| {
                sqlx::query(
                    "DELETE FROM replies WHERE ctid = ANY (ARRAY(\
                         SELECT ctid FROM replies WHERE stored_at < $1 LIMIT $2))",
                )
                .bind(Micros::from(before))
                .bind(PURGE)
                .execute(self.pool())
            })
            .await?
            .rows_affected();
            purged += some;
            if int(some) < PURGE {
                return Ok(purged);
            }
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }
}

/// The reply under a key, as the writer's own connection sees it.
pub(super) async fn reply(
    on: &mut PgConnection,
    scope: &str,
    key: &str,
) -> Result<Option<StoredReply>, super::errors::Trouble> {
    let query = sqlx::query(REPLY).bind(scope).bind(key);
    let found = query.fetch_optional(on).await?;
    Ok(found.as_ref().map(read_reply).transpose()?)
}

/// A value of a row.
pub(super) fn get<'r, T>(row: &'r PgRow, n: usize) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(n).map_err(|e| super::store_error(&e))
}

/// A fact of a stream that was asked for.
pub(super) fn fact(row: &PgRow) -> Result<StoredFact, StoreError> {
    let category: &str = get(row, TYPE)?;
    let category = Category::named(category);
    fact_of(
        category.ok_or_else(|| corrupt("the type of a stream"))?,
        row,
    )
}

fn fact_of(category: Category, row: &PgRow) -> Result<StoredFact, StoreError> {
    let stream = StreamId {
        category,
        id: get(row, 1)?,
    };
    let id = stream.fact(number(get(row, 2)?)?);
    let metadata = get::<JsonText>(row, 7)?.into_bytes();
    let recorded_at = || get::<Micros>(row, 8);
    Ok(StoredFact {
        position: number(get(row, POSITION)?)?,
        name: get(row, 4)?,
        version: get(row, 5)?,
        payload: get::<JsonText>(row, 6)?.into_bytes(),
        metadata: foreign::completed(metadata, &id, recorded_at)?,
        id,
    })
}

fn read_reply(row: &PgRow) -> Result<StoredReply, StoreError> {
    let hash: Vec<u8> = get(row, 2)?;
    let status: i32 = get(row, 3)?;
    Ok(StoredReply {
        scope: get(row, 0)?,
        key: get(row, 1)?,
        hash: hash
            .try_into()
            .map_err(|_| corrupt("the hash of a reply"))?,
        status: u16::try_from(status).map_err(|_| corrupt("the status of a reply"))?,
        body: get(row, 4)?,
        location: get(row, 5)?,
        token: get(row, 6)?,
        stored_at: get::<Micros>(row, 7)?.into(),
    })
}
