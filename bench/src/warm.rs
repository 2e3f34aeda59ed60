//! Cassandra just started serves a third of what it does later: its code is not compiled yet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::view::order_view::SCHEMA;
use futures::{TryStreamExt, stream};
use tokio::sync::OnceCell;

use crate::place::Place;
use crate::raw::cells;
use crate::rows::q1;

/// For how long it is kept busy: its hot code is compiled by then.
const LASTS: Duration = Duration::from_secs(10);
/// Orders that are written, and read, again and again.
const ORDERS: usize = 2000;
/// Reads at once.
const CONCURRENCY: usize = 32;

static WARM: OnceCell<()> = OnceCell::const_new();

/// Warms Cassandra up, once, with rows and reads of the kind that are measured, in the keyspace of
/// `place`, which is left empty.
pub async fn up(place: &Place) -> anyhow::Result<()> {
    WARM.get_or_try_init(async || busy(place).await).await?;
    Ok(())
}

async fn busy(place: &Place) -> anyhow::Result<()> {
    let session = Arc::new(place.session().await?);
    let keyspace = place.servers.views()?.keyspace();
    let table = format!("{keyspace}.{}", SCHEMA.name);
    let (orders, rows) = q1::rows(ORDERS)?;
    let rows: Vec<_> = rows.into_iter().map(|row| (&SCHEMA, row)).collect();
    let writes = cells::prepare(&session, &keyspace, &rows).await?;
    let select = format!("SELECT * FROM {table} WHERE order_id = ?");
    let select = session.prepare(select).await?;
    let begun = Instant::now();
    while begun.elapsed() < LASTS {
        writes.send(&session).await?;
        stream::iter(orders.iter().map(Ok))
            .try_for_each_concurrent(CONCURRENCY, async |order| {
                session.execute_unpaged(&select, (order,)).await.map(drop)
            })
            .await?;
    }
    session
        .query_unpaged(format!("TRUNCATE {table}"), ())
        .await?;
    Ok(())
}
