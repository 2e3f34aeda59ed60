//! What the clauses append, and how they read it back.

use std::collections::HashSet;

use domain::values::{OrderId, Timestamp};
use domain::{Category, FactId, OrderContext, Sequence, Service, StreamId, Task};
use infra::Origin;
use infra::event_store::{
    Append, AppendError, DueRow, EventStore, NewFact, ParkedRow, StoredFact, StoredReply,
};
use infra::ids;

/// Larger than anything that a clause appends.
pub const ALL: usize = 100_000;

/// A stream that nobody else has.
pub fn stream() -> StreamId {
    StreamId::of(Category::Payment, ids::order())
}

/// A stream of a SKU.
pub fn stock(sku: &str) -> StreamId {
    StreamId {
        category: Category::Stock,
        id: sku.to_owned(),
    }
}

/// A fact that can be told from others by its payload.
pub fn fact(stream: &StreamId, sequence: Sequence) -> NewFact {
    fact_saying(stream, sequence, &ids::unique().to_string())
}

/// A fact that says something.
pub fn fact_saying(stream: &StreamId, sequence: Sequence, what: &str) -> NewFact {
    NewFact {
        stream: stream.clone(),
        sequence,
        name: "payment.requested",
        version: "1",
        payload: format!(r#"{{"type":"payment.requested","note":"{what}"}}"#).into(),
        metadata: r#"{"time":"-","correlationId":"none","causationId":"none"}"#.into(),
    }
}

/// Appends `count` facts to a stream at `version`.
pub fn to(stream: &StreamId, version: Sequence, count: u64) -> Append {
    Append {
        expect: vec![(stream.clone(), version)],
        facts: (1..=count).map(|n| fact(stream, version + n)).collect(),
        ..Append::default()
    }
}

/// Both requests as one.
pub fn both(one: Append, other: Append) -> Append {
    Append {
        expect: [one.expect, other.expect].concat(),
        facts: [one.facts, other.facts].concat(),
        reply: one.reply.or(other.reply),
        opens: [one.opens, other.opens].concat(),
        settles: [one.settles, other.settles].concat(),
    }
}

/// A request that opens tasks and appends a fact to a stream of its own.
pub fn opening<'a>(rows: impl IntoIterator<Item = &'a DueRow>) -> Append {
    Append {
        opens: rows.into_iter().cloned().collect(),
        ..to(&stream(), 0, 1)
    }
}

/// A request that settles tasks and appends a fact to a stream of its own.
pub fn settling<'a>(rows: impl IntoIterator<Item = &'a DueRow>) -> Append {
    Append {
        settles: rows.into_iter().map(DueRow::id).collect(),
        ..to(&stream(), 0, 1)
    }
}

/// A request with an idempotency key, with a fact on a stream of its own.
pub fn keyed(scope: &str, key: &str) -> Append {
    Append {
        reply: Some(reply(scope, key, second(1))),
        ..to(&stream(), 0, 1)
    }
}

/// A reply that can be told from others by its body.
pub fn reply(scope: &str, key: &str, stored_at: Timestamp) -> StoredReply {
    StoredReply {
        scope: scope.to_owned(),
        key: key.to_owned(),
        hash: [7; 32],
        status: 201,
        body: ids::unique().as_bytes().to_vec(),
        location: None,
        token: None,
        stored_at,
    }
}

/// A task of the payment service for an order of its own, due at `not_before`.
pub fn task(not_before: Timestamp) -> DueRow {
    task_of(ids::order(), Task::Authorize, not_before)
}

/// A task for an order.
pub fn task_of(order: OrderId, task: Task, not_before: Timestamp) -> DueRow {
    let at = second(0);
    DueRow {
        order,
        task,
        opened_at: at,
        not_before,
        failures: 0,
        attempts: 0,
        problem: None,
        parked: false,
        origin: Origin::of_person(ids::unique(), order.to_string(), at),
    }
}

/// An order that a task's origin may name.
pub fn order_context() -> OrderContext {
    OrderContext {
        customer_id: "customer-7".to_owned().try_into().unwrap(),
        currency: "EUR".parse().unwrap(),
        total_amount: 5901.try_into().unwrap(),
        placed_at: second(-1),
    }
}

/// A fact that could not be taken.
pub fn parked_fact(group: &str, topic: Service, key: &str, offset: i64) -> ParkedRow {
    ParkedRow {
        group: group.to_owned(),
        topic: topic.name().to_owned(),
        key: key.to_owned(),
        partition: 0,
        offset,
        fact: Some(format!("{topic}-{key}-1")),
        class: "invariant".to_owned(),
        reason: "it broke".to_owned(),
        attempts: 1,
        parked_at: second(2),
        original: None,
        replacement: None,
        redrive: None,
        ended: None,
        revision: 0,
    }
}

/// A moment, in seconds from one in 2026; the clauses need no clock.
pub fn second(n: i64) -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_000 + n * 1_000_000)
}

/// What a fact should look like once it is stored, but for its position.
pub fn stored(fact: &NewFact) -> StoredFact {
    StoredFact {
        id: fact.stream.fact(fact.sequence),
        position: 0,
        name: fact.name.to_owned(),
        version: fact.version.to_owned(),
        payload: fact.payload.clone(),
        metadata: fact.metadata.clone(),
    }
}

/// The same facts without their positions, for comparing with [`stored`].
pub fn without_positions(facts: &[StoredFact]) -> Vec<StoredFact> {
    let bare = |fact: &StoredFact| StoredFact {
        position: 0,
        ..fact.clone()
    };
    facts.iter().map(bare).collect()
}

/// All facts of a stream.
pub async fn facts_of(store: &dyn EventStore, stream: &StreamId) -> Vec<StoredFact> {
    store.read_stream(stream, 0, ALL).await.unwrap()
}

/// All facts of the log.
pub async fn log_of(store: &dyn EventStore) -> Vec<StoredFact> {
    store.read_log(0, ALL).await.unwrap()
}

/// The ids of facts.
pub fn ids_of(facts: &[StoredFact]) -> Vec<FactId> {
    facts.iter().map(|fact| fact.id.clone()).collect()
}

/// A list of one.
pub fn only<T: Clone>(one: &T) -> Vec<T> {
    vec![one.clone()]
}

/// The tasks that are due, in order.
pub async fn due_at(store: &dyn EventStore, now: Timestamp) -> Vec<DueRow> {
    store.due(now, ALL, &HashSet::new()).await.unwrap()
}

/// Asserts that a request was refused because `stream` is at another version.
#[track_caller]
pub fn assert_conflict<T: std::fmt::Debug>(answer: Result<T, AppendError>, stream: &StreamId) {
    match answer {
        Err(AppendError::Conflict(at)) if at == *stream => {}
        other => panic!("a conflict on {stream} was expected: {other:?}"),
    }
}

/// Asserts that a request is one that no store takes.
#[track_caller]
pub fn assert_invalid<T: std::fmt::Debug>(answer: Result<T, AppendError>, what: &str) {
    match answer {
        Err(AppendError::Invalid(_)) => {}
        other => panic!("{what} was expected to be invalid: {other:?}"),
    }
}

/// The reply that a repeated request is given back.
#[track_caller]
pub fn repeated<T: std::fmt::Debug>(answer: Result<T, AppendError>) -> StoredReply {
    match answer {
        Err(AppendError::Repeated(reply)) => *reply,
        other => panic!("the key was expected to be used: {other:?}"),
    }
}
