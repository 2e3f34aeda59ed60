//! What the rows of appending share: who appends, and what has to be there afterwards.

use std::sync::Arc;

use anyhow::ensure;
use domain::values::OrderId;
use domain::{Sequence, Service};
use infra::event_store::{Append, EventStore};
use infra::ids;
use sqlx::postgres::PgConnection;

use crate::facts::Template;
use crate::load::Client;
use crate::place::Place;
use crate::raw::append::RawWriter;

/// Clients at once.
pub const CLIENTS: usize = 64;

/// Orders that are placed and completed: the first fact of a stream, whose version the primary key
/// checks, and the second, whose version is looked up, by turns.
pub struct Orders {
    template: Template,
    order: OrderId,
    expected: Sequence,
}

impl Orders {
    pub fn new(template: &Template) -> Self {
        Self {
            template: template.clone(),
            order: ids::order(),
            // The first that is asked for begins a stream.
            expected: 1,
        }
    }

    /// The next, with an idempotency row.
    fn next(&mut self) -> Append {
        if self.expected == 1 {
            (self.order, self.expected) = (ids::order(), 0);
        } else {
            self.expected = 1;
        }
        self.template.append_once(self.order, self.expected)
    }
}

/// Appends through a store of ours.
pub struct Ours {
    store: Arc<dyn EventStore>,
    orders: Orders,
}

impl Client for Ours {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        self.store.append(self.orders.next()).await?;
        Ok(1)
    }
}

/// So many of them.
pub fn ours(store: &Arc<dyn EventStore>, template: &Template, count: usize) -> Vec<Ours> {
    let one = |_| Ours {
        store: store.clone(),
        orders: Orders::new(template),
    };
    (0..count).map(one).collect()
}

/// Appends through the raw writer.
pub struct Unchecked {
    writer: RawWriter,
    orders: Orders,
}

impl Client for Unchecked {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        self.writer.append(self.orders.next()).await?;
        Ok(1)
    }
}

/// So many of them.
pub fn unchecked(writer: &RawWriter, template: &Template, count: usize) -> Vec<Unchecked> {
    let one = |_| Unchecked {
        writer: writer.clone(),
        orders: Orders::new(template),
    };
    (0..count).map(one).collect()
}

/// Appends the first fact of a new order, without a reply, through a store of ours.
pub struct Plain {
    pub store: Arc<dyn EventStore>,
    pub template: Template,
}

impl Client for Plain {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        let append = self.template.append(ids::order(), 0);
        self.store.append(append).await?;
        Ok(1)
    }
}

/// So many of them.
pub fn plain(store: &Arc<dyn EventStore>, template: &Template, count: usize) -> Vec<Plain> {
    let one = |_| Plain {
        store: store.clone(),
        template: template.clone(),
    };
    (0..count).map(one).collect()
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
