//! Orders on their whole way: placed over HTTP, and watched until they are in the view.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::Deserialize;
use tokio::time::sleep;
use uuid::Uuid;

use crate::facts;
use crate::http::{self, Connection};
use crate::load::{self, Client, Ran};
use crate::pipeline::Pipeline;

/// Connections on which orders are placed.
pub const CLIENTS: usize = 64;
/// Units that are received of each SKU, the most at once, so often.
const UNITS: u64 = 1_000_000;
const RECEIPTS: usize = 5;
/// How long all orders of a round may take.
const LIMIT: Duration = Duration::from_secs(120);
/// Between two looks at the view.
const LOOK: Duration = Duration::from_millis(5);

/// A pipeline that takes orders, with goods for all rounds.
pub struct Shop {
    pub pipeline: Pipeline,
    addr: String,
}

/// What became of the orders of a round.
pub struct Journey {
    pub orders: u64,
    /// From the first request to the last assignment in the view.
    pub took: Duration,
}

impl Journey {
    pub fn rate(&self) -> f64 {
        self.orders as f64 / self.took.as_secs_f64()
    }
}

impl Shop {
    /// Runs all of a pipeline, and receives goods.
    pub async fn open(pipeline: Pipeline) -> anyhow::Result<Self> {
        pipeline.run_all();
        let addr = pipeline.listen().await?.to_string();
        stock_up(&addr).await?;
        Ok(Self { pipeline, addr })
    }

    /// Has customers place orders for a round, each as soon as the one before was answered, until
    /// all deliveries are assigned in the view.
    pub async fn push(&self, lasts: Duration) -> anyhow::Result<Journey> {
        let begun = Instant::now();
        let customers = customers(&self.addr, CLIENTS).await?;
        let ran = self.served(load::closed(customers, lasts)).await?;
        let last = self.last_assigned(&ran)?;
        Ok(Journey {
            orders: ran.units,
            took: last.duration_since(begun),
        })
    }

    /// Has them place so many a second, until all are through: the next round is not to pay for
    /// them.
    pub async fn place(&self, rate: f64, lasts: Duration) -> anyhow::Result<Ran<Customer>> {
        let customers = customers(&self.addr, CLIENTS).await?;
        self.served(load::open(customers, rate, lasts)).await
    }

    async fn served(
        &self,
        load: impl Future<Output = anyhow::Result<Ran<Customer>>>,
    ) -> anyhow::Result<Ran<Customer>> {
        let seen = &self.pipeline.seen;
        let (_, before) = seen.counts();
        let ran = load.await?;
        let (begun, all) = (Instant::now(), before + usize::try_from(ran.units)?);
        loop {
            let (_, assigned) = seen.counts();
            if assigned >= all {
                return Ok(ran);
            }
            ensure!(
                begun.elapsed() < LIMIT,
                "{assigned} deliveries of {all} are assigned"
            );
            sleep(LOOK).await;
        }
    }

    /// When the delivery of the last order was assigned in the view; all of them have to be there.
    fn last_assigned(&self, ran: &Ran<Customer>) -> anyhow::Result<Instant> {
        let assigned = self.pipeline.seen.assigned();
        let mut last = None;
        for (order, _) in ran.clients.iter().flat_map(|customer| &customer.placed) {
            let at = assigned.get(order);
            let at = at.with_context(|| format!("the delivery of {order} is not assigned"))?;
            last = last.max(Some(*at));
        }
        last.context("no orders were placed")
    }

    pub async fn end(self) -> anyhow::Result<()> {
        self.pipeline.end().await
    }
}

/// Places orders, and remembers when each was meant to be placed.
pub struct Customer {
    connection: Connection,
    request: Vec<u8>,
    meant: Instant,
    pub placed: Vec<(Uuid, Instant)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Placed {
    order_id: Uuid,
}

impl Client for Customer {
    fn meant(&mut self, at: Instant) {
        self.meant = at;
    }

    async fn ask(&mut self) -> anyhow::Result<u64> {
        let answer = self.connection.send(&self.request).await?;
        ensure!(
            answer.status == 201,
            "answered with {}: {}",
            answer.status,
            String::from_utf8_lossy(answer.body)
        );
        let placed: Placed = serde_json::from_slice(answer.body)?;
        self.placed.push((placed.order_id, self.meant));
        Ok(1)
    }
}

/// So many customers of the API at `addr`.
pub async fn customers(addr: &str, count: usize) -> anyhow::Result<Vec<Customer>> {
    let request = http::post("/api/orders", &facts::usual_body());
    let one = |connection| Customer {
        connection,
        request: request.clone(),
        meant: Instant::now(),
        placed: vec![],
    };
    let connections = Connection::many(addr, count).await?;
    Ok(connections.into_iter().map(one).collect())
}

/// Receives more goods than all rounds take.
pub async fn stock_up(addr: &str) -> anyhow::Result<()> {
    let mut connection = Connection::to(addr).await?;
    let body = format!(r#"{{"quantity":{UNITS}}}"#);
    for sku in ["sku-1", "sku-2"] {
        for _ in 0..RECEIPTS {
            let request = http::post(&format!("/api/stock/{sku}/receipts"), &body);
            let answer = connection.send(&request).await?;
            ensure!(answer.status == 200, "answered with {}", answer.status);
        }
    }
    Ok(())
}
