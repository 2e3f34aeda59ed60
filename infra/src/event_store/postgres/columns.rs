//! What a batch writes, as the append functions take it: a list a column.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;

use super::batch::{Prepared, TaskRow};
use super::values::{JsonText, Micros, int};
use crate::event_store::{NewFact, StoredReply};

pub type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

/// The rows of a batch, each list behind the numbers of the requests that its rows belong to.
#[derive(Default)]
pub struct Columns<'a> {
    facts: (Vec<i32>, Vec<&'a NewFact>),
    replies: (Vec<i32>, Vec<&'a StoredReply>),
    settles: (Vec<i32>, Vec<&'a str>),
    opens: (Vec<i32>, Vec<&'a TaskRow>),
}

impl<'a> Columns<'a> {
    pub fn of(requests: &[&'a Prepared]) -> Self {
        let mut columns = Self::default();
        for (n, request) in (1..).zip(requests) {
            let append = &request.append;
            add(&mut columns.facts, n, &append.facts);
            add(&mut columns.replies, n, &append.reply);
            add(
                &mut columns.settles,
                n,
                append.settles.iter().map(String::as_str),
            );
            add(&mut columns.opens, n, &request.opens);
        }
        columns
    }

    /// Binds all columns; those that say whose a row is only `with_requests`.
    pub fn bind<'q>(self, query: Query<'q>, with_requests: bool) -> Query<'q>
    where
        'a: 'q,
    {
        let whose = |query: Query<'q>, whose| match with_requests {
            true => query.bind::<Vec<i32>>(whose),
            false => query,
        };
        let query = bind_facts(whose(query, self.facts.0), &self.facts.1);
        let query = bind_replies(whose(query, self.replies.0), &self.replies.1);
        let query = whose(query, self.settles.0).bind(self.settles.1);
        bind_tasks(whose(query, self.opens.0), &self.opens.1)
    }
}

fn add<T>(to: &mut (Vec<i32>, Vec<T>), request: i32, rows: impl IntoIterator<Item = T>) {
    to.1.extend(rows);
    to.0.resize(to.1.len(), request);
}

fn column<'q, R, T>(rows: &[&'q R], part: impl Fn(&'q R) -> T) -> Vec<T> {
    rows.iter().map(|row| part(row)).collect()
}

fn bind_facts<'q>(query: Query<'q>, facts: &[&'q NewFact]) -> Query<'q> {
    query
        .bind(column(facts, |fact| fact.stream.category.name()))
        .bind(column(facts, |fact| &*fact.stream.id))
        .bind(column(facts, |fact| int(fact.sequence)))
        .bind(column(facts, |fact| fact.name))
        .bind(column(facts, |fact| fact.version))
        .bind(column(facts, |fact| JsonText::of(&fact.payload)))
        .bind(column(facts, |fact| JsonText::of(&fact.metadata)))
}

fn bind_replies<'q>(query: Query<'q>, replies: &[&'q StoredReply]) -> Query<'q> {
    query
        .bind(column(replies, |reply| &*reply.scope))
        .bind(column(replies, |reply| &*reply.key))
        .bind(column(replies, |reply| &reply.hash[..]))
        .bind(column(replies, |reply| i32::from(reply.status)))
        .bind(column(replies, |reply| &*reply.body))
        .bind(column(replies, |reply| reply.location.as_deref()))
        .bind(column(replies, |reply| reply.token.as_deref()))
        .bind(column(replies, |reply| Micros::from(reply.stored_at)))
}

/// Binds the columns of the table of tasks.
pub fn bind_tasks<'q>(query: Query<'q>, rows: &[&'q TaskRow]) -> Query<'q> {
    query
        .bind(column(rows, |row| &*row.id))
        .bind(column(rows, |row| row.due_at))
        .bind(column(rows, |row| row.failures))
        .bind(column(rows, |row| JsonText::of(&row.task.0)))
}
