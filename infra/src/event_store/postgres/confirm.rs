//! After a connection was lost at the commit: whether what is refused now had been appended.

use std::collections::HashMap;

use domain::Position;
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::append::Answer;
use super::batch::Prepared;
use super::errors::Trouble;
use super::values::{JsonText, int, number};
use crate::event_store::{AppendError, NewFact};

type Key<'a> = (&'a str, &'a str, i64);

/// Turns refusals into successes where every fact of the request stands where it should, byte for
/// byte: the metadata has the command's id and the time at which it was decided, so nobody else
/// wrote it. A request without facts is known by its reply.
pub async fn confirm(
    on: &mut PgConnection,
    requests: &[&Prepared],
    answers: &mut [Answer],
) -> Result<(), Trouble> {
    let refused = |answer: &Answer| {
        matches!(
            answer,
            Err(AppendError::Conflict(_) | AppendError::Repeated(_))
        )
    };
    let doubtful = requests.iter().zip(&*answers);
    let doubtful = doubtful.filter_map(|(request, answer)| refused(answer).then_some(*request));
    let facts: Vec<&NewFact> = doubtful.flat_map(|request| &request.append.facts).collect();
    let stored = stored(on, &facts).await?;
    for (request, answer) in requests.iter().zip(answers) {
        if !refused(answer) {
            continue;
        }
        let its = request.append.facts.iter();
        let positions: Option<Vec<Position>> = its.map(|fact| position(&stored, fact)).collect();
        let reply_is_ours = match answer {
            Err(AppendError::Repeated(reply)) => request.append.reply.as_ref() == Some(&**reply),
            _ => false,
        };
        match positions.as_deref() {
            Some([.., last]) => *answer = Ok(*last),
            Some([]) if reply_is_ours => *answer = Ok(0),
            _ => {}
        }
    }
    Ok(())
}

struct Stored {
    position: Position,
    payload: JsonText<'static>,
    metadata: JsonText<'static>,
}

/// What stands where `facts` should.
async fn stored<'a>(
    on: &mut PgConnection,
    facts: &[&'a NewFact],
) -> Result<HashMap<Key<'a>, Stored>, Trouble> {
    if facts.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<Key<'a>> = facts.iter().map(|fact| key(fact)).collect();
    let rows = sqlx::query(
        "SELECT k.n, e.position, e.payload, e.metadata \
         FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS k (t, i, s, n) \
         JOIN events e ON e.aggregate_type = k.t AND e.aggregate_id = k.i AND e.sequence = k.s",
    )
    .bind(keys.iter().map(|key| key.0).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.1).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.2).collect::<Vec<_>>())
    .fetch_all(on)
    .await?;
    let mut stored = HashMap::with_capacity(rows.len());
    for row in rows {
        let n = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0);
        let Some(key) = keys.get(n.wrapping_sub(1)) else {
            continue;
        };
        let found = Stored {
            position: number(row.try_get(1)?)?,
            payload: row.try_get(2)?,
            metadata: row.try_get(3)?,
        };
        stored.insert(*key, found);
    }
    Ok(stored)
}

fn key(fact: &NewFact) -> Key<'_> {
    let stream = &fact.stream;
    (stream.category.name(), &stream.id, int(fact.sequence))
}

fn position(stored: &HashMap<Key<'_>, Stored>, fact: &NewFact) -> Option<Position> {
    let there = stored.get(&key(fact))?;
    let same = *there.payload.0 == *fact.payload && *there.metadata.0 == *fact.metadata;
    same.then_some(there.position)
}
