//! Bare hops that more than one row is held against.

use std::time::{Duration, Instant};

use sqlx::Row;
use sqlx::postgres::PgConnection;

use crate::child::Server;
use crate::facts;
use crate::http::{self, Connection};
use crate::load::{self, Client};
use crate::rounds::Round;

/// Facts of a page: as the relay reads them.
const PAGE: i64 = 2000;

/// Reads the whole log of a service in pages by position, and says how many facts a second.
pub async fn read_log(on: &mut PgConnection, facts: usize) -> anyhow::Result<f64> {
    let (begun, mut after, mut count, mut bytes) = (Instant::now(), 0_i64, 0, 0);
    loop {
        let page = sqlx::query(
            "SELECT aggregate_type, aggregate_id, sequence, position, event_type, event_version, \
             payload, metadata, recorded_at FROM events WHERE position > $1 ORDER BY position \
             LIMIT $2",
        )
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *on)
        .await?;
        for row in &page {
            after = row.try_get(3)?;
            let payload: crate::raw::sql::Json<'_> = row.try_get(6)?;
            bytes += payload.0.len();
        }
        count += page.len();
        if page.len() < PAGE as usize {
            break;
        }
    }
    anyhow::ensure!(
        count == facts && bytes > 0,
        "{count} facts were read of {facts}"
    );
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// Places the usual order again and again.
pub struct Places {
    connection: Connection,
    request: Vec<u8>,
}

impl Client for Places {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        let answer = self.connection.send(&self.request).await?;
        let (status, body) = (answer.status, answer.body);
        anyhow::ensure!(
            status == 201,
            "answered with {status}: {}",
            String::from_utf8_lossy(body)
        );
        Ok(1)
    }
}

/// So many who place orders with a server, each on a connection of its own.
pub async fn customers(server: &Server, count: usize) -> anyhow::Result<Vec<Places>> {
    let connections = Connection::many(&server.addr, count).await?;
    let one = |connection| Places {
        connection,
        request: http::post("/api/orders", &facts::usual_body()),
    };
    Ok(connections.into_iter().map(one).collect())
}

/// Has clients of `server` ask for a round, each as soon as it was answered, and says how often they
/// were. The CPU time is the server's.
pub async fn served<C: Client>(
    server: &Server,
    clients: Vec<C>,
    lasts: Duration,
) -> anyhow::Result<(Round, u64)> {
    let meter = server.meter()?;
    let ran = load::closed(clients, lasts).await?;
    let round = Round::of(ran.rate()).metered(&meter, ran.units)?;
    Ok((round, ran.units))
}
