//! The calls of the append functions, and what their answers mean for each request.

use std::collections::HashMap;

use domain::{Position, StreamId};
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::batch::Prepared;
use super::columns::{Columns, Query};
use super::errors::Trouble;
use super::values::number;
use super::{confirm, log};
use crate::event_store::{AppendError, StoreError, StoredReply};

/// What a caller is told.
pub type Answer = Result<Position, AppendError>;

/// Appends a batch, in one call where nothing in it is refused. `again`: it may have been appended
/// before, and what is there already as it is here counts as appended.
pub async fn append(
    on: &mut PgConnection,
    requests: &[&Prepared],
    careful: bool,
    again: bool,
) -> Result<Vec<Answer>, Trouble> {
    let as_a_whole = !careful && !again;
    if as_a_whole && let Some(last) = append_try(on, requests).await? {
        let mut positions = Positions::up_to(last, requests.iter().copied());
        let answers = requests.iter().map(|request| Ok(positions.of(request)));
        return Ok(answers.collect());
    }
    let mut answers = append_careful(on, requests).await?;
    if again {
        confirm::confirm(on, requests, &mut answers).await?;
    }
    Ok(answers)
}

/// The position of the last fact; none where anything is refused.
async fn append_try(
    on: &mut PgConnection,
    requests: &[&Prepared],
) -> Result<Option<Position>, Trouble> {
    let (mut types, mut ids, mut versions) = (vec![], vec![], vec![]);
    for request in requests {
        for (stream, expected, count) in request.streams() {
            // The primary key refuses a second fact number 1 by itself.
            if expected > 0 || count == 0 {
                types.push(stream.category.name());
                ids.push(&*stream.id);
                versions.push(expected);
            }
        }
    }
    let query = sqlx::query(
        "SELECT append_try($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
         $17, $18, $19, $20, $21, $22, $23)",
    );
    let query = query.bind(types).bind(ids).bind(versions);
    let row = Columns::of(requests)
        .bind(query, false)
        .fetch_one(on)
        .await?;
    let last: Option<i64> = row.try_get(0)?;
    Ok(last.map(number).transpose()?)
}

async fn append_careful(
    on: &mut PgConnection,
    requests: &[&Prepared],
) -> Result<Vec<Answer>, Trouble> {
    let named = Named::of(requests);
    let query = sqlx::query(
        "SELECT last_position, verdict, heads FROM append_careful($1, $2, $3, $4, $5, $6, $7, $8, \
         $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, \
         $27, $28, $29, $30, $31, $32)",
    );
    let row = Columns::of(requests)
        .bind(named.bind(query), true)
        .fetch_one(&mut *on)
        .await?;
    let last = number(row.try_get(0)?)?;
    let verdicts: Vec<i32> = row.try_get(1)?;
    let heads: Vec<i64> = row.try_get(2)?;

    let accepted = |verdict: &i32| *verdict == ACCEPTED;
    let of_accepted = requests.iter().zip(&verdicts);
    let of_accepted = of_accepted.filter_map(|(request, v)| accepted(v).then_some(*request));
    let mut positions = Positions::up_to(last, of_accepted);
    let mut versions: HashMap<&StreamId, i64> = named.streams.iter().copied().zip(heads).collect();
    let mut replies: HashMap<(&str, &str), &StoredReply> = HashMap::new();
    let mut answers = Vec::with_capacity(requests.len());
    for (request, verdict) in requests.iter().zip(verdicts) {
        answers.push(match verdict {
            ACCEPTED => {
                let after = request.streams();
                versions.extend(after.map(|(stream, expected, count)| (stream, expected + count)));
                let reply = request.append.reply.iter();
                replies.extend(reply.map(|reply| (key_of(reply), reply)));
                Ok(positions.of(request))
            }
            CONFLICT => Err(conflict(request, &versions)),
            _ => Err(repeated(on, request, &replies).await?),
        });
    }
    Ok(answers)
}

const ACCEPTED: i32 = 0;
const CONFLICT: i32 = 1;

fn conflict(request: &Prepared, versions: &HashMap<&StreamId, i64>) -> AppendError {
    let differs =
        |(stream, expected, _): &(&StreamId, i64, i64)| versions.get(stream) != Some(expected);
    match request.streams().find(differs) {
        Some((stream, ..)) => AppendError::Conflict(stream.clone()),
        None => AppendError::Invalid("its version was refused".into()),
    }
}

/// The reply under the key of `request`: one of this batch, or an older one.
async fn repeated(
    on: &mut PgConnection,
    request: &Prepared,
    replies: &HashMap<(&str, &str), &StoredReply>,
) -> Result<AppendError, Trouble> {
    let key = request.append.reply.as_ref().map_or(("", ""), key_of);
    let stored = match replies.get(&key) {
        Some(reply) => Some((*reply).clone()),
        None => log::reply(on, key.0, key.1).await?,
    };
    let gone = || StoreError::Unavailable("the reply was removed at this moment".into());
    let reply = stored.ok_or_else(|| Trouble::Lost(gone()))?;
    Ok(AppendError::Repeated(Box::new(reply)))
}

fn key_of(reply: &StoredReply) -> (&str, &str) {
    (&reply.scope, &reply.key)
}

/// Positions are given to the facts of a batch in order, without holes.
struct Positions(Position);

impl Positions {
    fn up_to<'a>(last: Position, requests: impl Iterator<Item = &'a Prepared>) -> Self {
        let facts: usize = requests.map(|request| request.append.facts.len()).sum();
        Self(last.saturating_sub(facts as Position))
    }

    /// That of the last fact of the next request; 0 where it has none.
    fn of(&mut self, request: &Prepared) -> Position {
        self.0 += request.append.facts.len() as Position;
        if request.append.facts.is_empty() {
            0
        } else {
            self.0
        }
    }
}

/// The streams and keys that a batch names, and what is expected of them.
#[derive(Default)]
struct Named<'a> {
    streams: Vec<&'a StreamId>,
    request: Vec<i32>,
    stream: Vec<i32>,
    version: Vec<i64>,
    facts: Vec<i64>,
    slot: Vec<i32>,
    slots: i32,
}

impl<'a> Named<'a> {
    fn of(requests: &[&'a Prepared]) -> Self {
        let mut named = Self::default();
        let (mut streams, mut slots) = (HashMap::new(), HashMap::new());
        for (n, request) in (1..).zip(requests) {
            for (stream, expected, count) in request.streams() {
                let next = streams.len() as i32 + 1;
                let number = *streams.entry(stream).or_insert_with(|| {
                    named.streams.push(stream);
                    next
                });
                named.request.push(n);
                named.stream.push(number);
                named.version.push(expected);
                named.facts.push(count);
            }
            let next = slots.len() as i32 + 1;
            let slot = request.append.reply.as_ref().map(key_of);
            named
                .slot
                .push(slot.map_or(0, |key| *slots.entry(key).or_insert(next)));
        }
        named.slots = slots.len() as i32;
        named
    }

    fn bind<'q>(&self, query: Query<'q>) -> Query<'q>
    where
        'a: 'q,
    {
        let types: Vec<_> = self.streams.iter().map(|s| s.category.name()).collect();
        let ids: Vec<&'a str> = self.streams.iter().map(|s| &*s.id).collect();
        query
            .bind(types)
            .bind(ids)
            .bind(self.request.clone())
            .bind(self.stream.clone())
            .bind(self.version.clone())
            .bind(self.facts.clone())
            .bind(self.slot.clone())
            .bind(self.slots)
    }
}
