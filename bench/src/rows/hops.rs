//! Bare hops that more than one row is held against.

use std::time::{Duration, Instant};

use sqlx::Row;
use sqlx::postgres::PgConnection;

use crate::child::Server;
use crate::http::Connection;
use crate::load::{self, Client};

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

/// Sends one request again and again.
pub struct Sends {
    pub connection: Connection,
    pub request: Vec<u8>,
    pub expected: u16,
}

impl Client for Sends {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        let answer = self.connection.send(&self.request).await?;
        let (status, body) = (answer.status, answer.body);
        anyhow::ensure!(
            status == self.expected,
            "answered with {status}: {}",
            String::from_utf8_lossy(body)
        );
        Ok(1)
    }
}

/// A load on a server: so many connections that send `request`.
pub async fn senders(
    server: &Server,
    connections: usize,
    request: &[u8],
    expected: u16,
) -> anyhow::Result<Vec<Sends>> {
    let connections = Connection::many(&server.addr, connections).await?;
    let one = |connection| Sends {
        connection,
        request: request.to_vec(),
        expected,
    };
    Ok(connections.into_iter().map(one).collect())
}

/// The rate at which a server answers `request` on so many connections.
pub async fn http_rate(
    server: &Server,
    connections: usize,
    request: &[u8],
    expected: u16,
    round: Duration,
) -> anyhow::Result<(f64, u64)> {
    let clients = senders(server, connections, request, expected).await?;
    let ran = load::closed(clients, round).await?;
    Ok((ran.rate(), ran.units))
}
