//! Orders on their whole way: placed over HTTP, and watched until they are in the view.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::ensure;
use domain::Service;
use serde::Deserialize;
use tokio::time::sleep;
use uuid::Uuid;

use crate::facts;
use crate::http::{self, Connection};
use crate::load::{self, Client};
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

/// Has customers place orders for `round`, each as soon as the one before was answered, and waits
/// until all deliveries are assigned in the view.
pub async fn push(pipeline: &Pipeline, addr: &str, round: Duration) -> anyhow::Result<Journey> {
    let (_, before) = pipeline.seen.counts();
    let begun = Instant::now();
    let ran = load::closed(customers(addr, CLIENTS).await?, round).await?;
    let placed: Vec<Uuid> = ran
        .clients
        .iter()
        .flat_map(|c| &c.placed)
        .map(|(id, _)| *id)
        .collect();
    until_assigned(pipeline, before + placed.len()).await?;
    let assigned = pipeline.seen.assigned();
    let last = last_of(&assigned, &placed)?;
    Ok(Journey {
        orders: ran.units,
        took: last.duration_since(begun),
    })
}

/// Waits until so many deliveries are assigned in the view.
pub async fn until_assigned(pipeline: &Pipeline, count: usize) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let (_, assigned) = pipeline.seen.counts();
        if assigned >= count {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < LIMIT,
            "{assigned} deliveries of {count} are assigned"
        );
        sleep(LOOK).await;
    }
}

/// When the last of `orders` was seen; all of them have to be there.
pub fn last_of(seen: &HashMap<Uuid, Instant>, orders: &[Uuid]) -> anyhow::Result<Instant> {
    let mut last = None;
    for order in orders {
        let Some(at) = seen.get(order) else {
            anyhow::bail!("{order} is not in the view");
        };
        last = last.max(Some(*at));
    }
    last.ok_or_else(|| anyhow::anyhow!("no orders were placed"))
}

/// How many facts there are of each service.
pub async fn facts(pipeline: &Pipeline) -> anyhow::Result<[u64; 4]> {
    let mut all = [0; 4];
    for service in Service::ALL {
        all[service as usize] = pipeline.services.store(service).last_position().await?;
    }
    Ok(all)
}
