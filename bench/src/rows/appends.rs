//! What the rows of appending share: who appends, and what has to be there afterwards.

use std::cell::Cell;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use domain::Service;
use domain::values::OrderId;
use infra::event_store::{Append, EventStore};
use infra::ids;
use sqlx::postgres::PgConnection;

use crate::cpu::Meter;
use crate::facts::Template;
use crate::load::{self, Client};
use crate::place::Place;
use crate::raw::append::RawWriter;
use crate::rounds::Round;

/// Clients at once.
pub const CLIENTS: usize = 64;

/// What takes appends: a store of ours, or the raw writer.
pub trait Takes: Clone + Send + 'static {
    fn append(&self, append: Append) -> impl Future<Output = anyhow::Result<()>> + Send;
}

impl Takes for Arc<dyn EventStore> {
    async fn append(&self, append: Append) -> anyhow::Result<()> {
        (**self).append(append).await?;
        Ok(())
    }
}

impl Takes for RawWriter {
    async fn append(&self, append: Append) -> anyhow::Result<()> {
        RawWriter::append(self, append).await
    }
}

/// Appends one fact after another.
pub struct Appends<T> {
    to: T,
    orders: Orders,
}

impl<T: Takes> Client for Appends<T> {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        self.to.append(self.orders.next()).await?;
        Ok(1)
    }
}

/// So many who place and complete orders, each with an idempotency row.
pub fn keyed<T: Takes>(to: &T, template: &Template, count: usize) -> Vec<Appends<T>> {
    clients(to, &Orders::keyed(template), count)
}

/// So many who only place them, without a reply.
pub fn plain<T: Takes>(to: &T, template: &Template, count: usize) -> Vec<Appends<T>> {
    clients(to, &Orders::plain(template), count)
}

fn clients<T: Takes>(to: &T, orders: &Orders, count: usize) -> Vec<Appends<T>> {
    let one = |_| Appends {
        to: to.clone(),
        orders: orders.clone(),
    };
    (0..count).map(one).collect()
}

/// Facts to append.
#[derive(Clone)]
pub struct Orders {
    template: Template,
    /// The order that is placed and not completed.
    open: Option<OrderId>,
    keyed: bool,
}

impl Orders {
    /// The first fact of a stream, whose version the primary key checks, and the second, whose
    /// version is looked up, by turns; each with an idempotency row.
    pub fn keyed(template: &Template) -> Self {
        Self {
            template: template.clone(),
            open: None,
            keyed: true,
        }
    }

    fn plain(template: &Template) -> Self {
        Self {
            keyed: false,
            ..Self::keyed(template)
        }
    }

    pub fn next(&mut self) -> Append {
        if !self.keyed {
            return self.template.append(ids::order(), 0);
        }
        match self.open.take() {
            Some(order) => self.template.append_once(order, 1),
            None => {
                let order = *self.open.insert(ids::order());
                self.template.append_once(order, 0)
            }
        }
    }
}

/// How many facts were appended so far, by whoever is counted with it.
pub type Appended = Cell<u64>;

/// Has clients append for a round, each as soon as it was answered.
pub async fn round<C: Client>(
    clients: Vec<C>,
    lasts: Duration,
    appended: &Appended,
) -> anyhow::Result<Round> {
    let meter = Meter::start()?;
    let ran = load::closed(clients, lasts).await?;
    appended.set(appended.get() + ran.units);
    Round::of(ran.rate()).metered(&meter, ran.units)
}

/// The event store of the order service, whose database is made now.
pub async fn store(place: &Place) -> anyhow::Result<Arc<dyn EventStore>> {
    place.make_database(Service::Order).await?;
    let store = place.store(Service::Order)?;
    let store: Arc<dyn EventStore> = Arc::new(store);
    store.ready().await?;
    Ok(store)
}

/// That there are as many facts and replies as were appended, and no stream has a hole.
pub async fn check(on: &mut PgConnection, facts: u64, replies: u64) -> anyhow::Result<()> {
    let (found, stored, holes): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM replies),
                (SELECT count(*) FROM (SELECT FROM events GROUP BY aggregate_type, aggregate_id
                 HAVING max(sequence) <> count(*)) AS holes)",
    )
    .fetch_one(on)
    .await?;
    ensure!(holes == 0, "{holes} streams have holes");
    ensure!(found as u64 == facts, "{found} facts are there of {facts}");
    ensure!(
        stored as u64 == replies,
        "{stored} replies are there of {replies}"
    );
    Ok(())
}

/// Has the server do now what it would do at some time: the other side is not to pay for it.
pub async fn settle(on: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::raw_sql("VACUUM (ANALYZE)").execute(&mut *on).await?;
    sqlx::raw_sql("CHECKPOINT").execute(on).await?;
    Ok(())
}
