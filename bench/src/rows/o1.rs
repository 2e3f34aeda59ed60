//! Three times as many orders as the command API can take: how many it takes all the same, how
//! late, and how soon the others are told.

use std::time::Instant;

use super::{appends, hops};
use crate::child::Server;
use crate::facts;
use crate::http::{self, Connection};
use crate::latency::Latency;
use crate::load::{self, Client};
use crate::report::Outcome;
use crate::rounds::{Bench, Round, median};

/// Connections that saturate it, and those of the crowd: more than it answers at once.
const CLIENTS: usize = 256;
const CROWD: usize = 4096;
/// How much more than the peak is asked for, and the load that the p99 is held against.
const TIMES: f64 = 3.0;
const USUAL: f64 = 0.8;

/// Places orders and is turned away at times.
struct Customer {
    connection: Connection,
    request: Vec<u8>,
    meant: Instant,
    accepted: Latency,
    refused: Latency,
}

impl Client for Customer {
    fn meant(&mut self, at: Instant) {
        self.meant = at;
    }

    async fn ask(&mut self) -> anyhow::Result<u64> {
        let sent = Instant::now();
        let status = self.connection.send(&self.request).await?.status;
        match status {
            201 => {
                self.accepted.record(self.meant.elapsed());
                Ok(1)
            }
            // From the sending on: that the crowd had no hand free is not the server's doing.
            429 | 503 => {
                self.refused.record(sent.elapsed());
                Ok(0)
            }
            other => anyhow::bail!("answered with {other}"),
        }
    }
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            appends::store(place).await?;
            let ours = Server::bare(&place.args(&["orders"])).await?;
            let request = http::post("/api/orders", &facts::usual_body());
            let (peak, _) = hops::http_rate(&ours, CLIENTS, &request, 201, bench.round).await?;
            let mut refusals = vec![];
            let rounds = bench
                .interleave(
                    async || {
                        let clients = crowd(&ours, CROWD, &request).await?;
                        let ran = load::open(clients, peak * TIMES, bench.round).await?;
                        let goodput = ran.rate();
                        let (mut accepted, mut refused) = (Latency::new()?, Latency::new()?);
                        for client in &ran.clients {
                            accepted.add(&client.accepted)?;
                            refused.add(&client.refused)?;
                        }
                        if refused.count() > 0 {
                            refusals.push(refused.percentile_ms(50.0));
                        }
                        Ok(Round::many([goodput, accepted.percentile_ms(99.0)]))
                    },
                    async || {
                        let (peak, _) =
                            hops::http_rate(&ours, CLIENTS, &request, 201, bench.round).await?;
                        let clients = crowd(&ours, CLIENTS, &request).await?;
                        let ran = load::open(clients, peak * USUAL, bench.round).await?;
                        Ok(Round::many([peak, ran.latency.percentile_ms(99.0)]))
                    },
                )
                .await?;
            ours.end().await?;
            Ok(vec![
                rounds.line("O1-goodput", 0)?,
                rounds.line("O1-p99", 1)?,
                Outcome::alone("O1-refusal", median(refusals))?,
            ])
        })
        .await
}

async fn crowd(server: &Server, count: usize, request: &[u8]) -> anyhow::Result<Vec<Customer>> {
    let one = |connection| {
        Ok(Customer {
            connection,
            request: request.to_vec(),
            meant: Instant::now(),
            accepted: Latency::new()?,
            refused: Latency::new()?,
        })
    };
    let connections = Connection::many(&server.addr, count).await?;
    connections.into_iter().map(one).collect()
}
