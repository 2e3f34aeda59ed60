//! Three times as many orders as the command API can take: how many it takes all the same, how
//! late, and how soon the others are told.

use std::time::{Duration, Instant};

use anyhow::ensure;
use domain::Service;

use super::appends::{self, Appended};
use crate::child::Server;
use crate::facts;
use crate::http::{self, Connection};
use crate::latency::Latency;
use crate::load::{self, Client, Ran};
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
    accepted: Vec<Duration>,
    refused: Vec<Duration>,
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
                self.accepted.push(self.meant.elapsed());
                Ok(1)
            }
            // From the sending on: that the crowd had no hand free is not the server's doing.
            429 | 503 => {
                self.refused.push(sent.elapsed());
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
            let mut look = place.connect(Service::Order).await?;
            let ours = Server::bare(&place.args(&["orders"])).await?;
            let accepted = Appended::default();
            let peak = peak_of(&ours, bench, &accepted).await?;
            let mut refusals = vec![];
            let rounds = bench
                .interleave(
                    async || {
                        let crowd = at(peak * TIMES, CROWD, &ours, bench, &accepted).await?;
                        ensure!(crowd.refused.count() > 0, "nobody was refused");
                        refusals.push(crowd.refused.percentile_ms(50.0));
                        Ok(Round::many([
                            crowd.goodput,
                            crowd.accepted.percentile_ms(99.0),
                        ]))
                    },
                    async || {
                        let peak = peak_of(&ours, bench, &accepted).await?;
                        let calm = at(peak * USUAL, CLIENTS, &ours, bench, &accepted).await?;
                        Ok(Round::many([peak, calm.accepted.percentile_ms(99.0)]))
                    },
                )
                .await?;
            appends::check(&mut look, accepted.get(), 0).await?;
            ours.end().await?;
            Ok(vec![
                rounds.line("O1-goodput", 0)?,
                rounds.line("O1-p99", 1)?,
                // Those of the turn that warms up do not count.
                Outcome::alone("O1-refusal", median(refusals.split_off(1)))?,
            ])
        })
        .await
}

/// What became of a load.
struct Served {
    /// Orders that were accepted, a second.
    goodput: f64,
    accepted: Latency,
    refused: Latency,
}

/// The most orders a second that are accepted.
async fn peak_of(ours: &Server, bench: &Bench, accepted: &Appended) -> anyhow::Result<f64> {
    let customers = customers(ours, CLIENTS).await?;
    let ran = load::closed(customers, bench.round).await?;
    Ok(served(&ran, accepted)?.goodput)
}

/// Asks for so many orders a second, on so many connections.
async fn at(
    rate: f64,
    connections: usize,
    ours: &Server,
    bench: &Bench,
    accepted: &Appended,
) -> anyhow::Result<Served> {
    let customers = customers(ours, connections).await?;
    let ran = load::open(customers, rate, bench.round).await?;
    served(&ran, accepted)
}

fn served(ran: &Ran<Customer>, accepted: &Appended) -> anyhow::Result<Served> {
    accepted.set(accepted.get() + ran.units);
    let mut served = Served {
        goodput: ran.rate(),
        accepted: Latency::new()?,
        refused: Latency::new()?,
    };
    for customer in &ran.clients {
        let (accepted, refused) = (&customer.accepted, &customer.refused);
        accepted
            .iter()
            .for_each(|took| served.accepted.record(*took));
        refused.iter().for_each(|took| served.refused.record(*took));
    }
    Ok(served)
}

async fn customers(server: &Server, count: usize) -> anyhow::Result<Vec<Customer>> {
    let request = http::post("/api/orders", &facts::usual_body());
    let one = |connection| Customer {
        connection,
        request: request.clone(),
        meant: Instant::now(),
        accepted: vec![],
        refused: vec![],
    };
    let connections = Connection::many(&server.addr, count).await?;
    Ok(connections.into_iter().map(one).collect())
}
