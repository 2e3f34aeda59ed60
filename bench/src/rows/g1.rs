//! The same with 10 million events and a million orders stored as with 10,000.
//!
//! Appends come first, while nothing reacts to them: the orders that they leave are not to be in the
//! way of what is measured behind them.

use std::sync::Arc;

use anyhow::ensure;
use domain::Service;
use infra::event_store::{Checkpoint, EventStore};
use infra::relay;
use uuid::Uuid;

use super::appends::{self, Appended, CLIENTS};
use super::journeys::Shop;
use super::{hops, q1};
use crate::child::Server;
use crate::cpu::Meter;
use crate::facts::Template;
use crate::pipeline::Pipeline;
use crate::place::Place;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

/// What is stored: events in the logs of all services together, and orders in the view.
const MANY: (u64, usize) = (10_000_000, 1_000_000);
const FEW: (u64, usize) = (10_000, 10_000);
/// Events of one insert: what fits into memory with ease.
const PAGE: u64 = 500_000;

/// Streams of two events each, in the shape of ours; `$3` is the category.
const FILL: &str = "INSERT INTO events
    (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
    SELECT $3, lpad(to_hex($1 + n / 2), 8, '0') || '-0000-7000-8000-000000000000', 1 + n % 2,
           $4, '1', $5::json, $6::json
    FROM generate_series(0, $2 - 1) AS n";

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |many| {
            let beside = bench.within_place(&[], async |few| {
                let many = Grown::new(many, MANY).await?;
                let few = Grown::new(few, FEW).await?;
                compare(many, few, bench).await
            });
            beside.await
        })
        .await
}

async fn compare(many: Grown<'_>, few: Grown<'_>, bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    let template = Template::new()?;
    let appended = bench
        .interleave(
            async || many.append(&template, bench).await,
            async || few.append(&template, bench).await,
        )
        .await?;
    let read = bench
        .interleave(
            async || many.read(bench).await,
            async || few.read(bench).await,
        )
        .await?;
    let (many, few) = (many.open().await?, few.open().await?);
    let pushed = bench
        .interleave(
            async || push(&many, bench).await,
            async || push(&few, bench).await,
        )
        .await?;
    many.end().await?;
    few.end().await?;
    Ok(vec![
        appended.line("G1-A1", 0)?,
        pushed.line("G1-E2", 0)?,
        read.line("G1-Q1", 0)?,
    ])
}

/// A place that has grown.
struct Grown<'a> {
    place: &'a Place,
    store: Arc<dyn EventStore>,
    queries: Server,
    orders: Arc<Vec<Uuid>>,
}

impl<'a> Grown<'a> {
    async fn new(place: &'a Place, (events, orders): (u64, usize)) -> anyhow::Result<Self> {
        place.migrate().await?;
        for service in Service::ALL {
            fill(place, service, events / Service::ALL.len() as u64).await?;
        }
        Ok(Self {
            store: Arc::new(place.store(Service::Order)?),
            orders: Arc::new(q1::fill(place, orders).await?),
            queries: Server::waybill(&place.args(&["query-api"])).await?,
            place,
        })
    }

    async fn append(&self, template: &Template, bench: &Bench) -> anyhow::Result<Round> {
        let (before, appended) = (self.store.last_position().await?, Appended::default());
        let clients = appends::keyed(&self.store, template, CLIENTS);
        let round = appends::round(clients, bench.round, &appended).await?;
        let (there, appended) = (self.store.last_position().await? - before, appended.get());
        ensure!(there == appended, "{there} facts are there of {appended}");
        Ok(round)
    }

    async fn read(&self, bench: &Bench) -> anyhow::Result<Round> {
        let clients = q1::readers(&self.queries, &self.orders).await?;
        Ok(hops::served(&self.queries, clients, bench.round).await?.0)
    }

    /// Ends what reads, and takes orders.
    async fn open(self) -> anyhow::Result<Shop> {
        self.queries.end().await?;
        for service in Service::ALL {
            skip(self.place, service).await?;
        }
        Shop::open(Pipeline::on(self.place)?).await
    }
}

async fn push(shop: &Shop, bench: &Bench) -> anyhow::Result<Round> {
    let meter = Meter::start()?;
    let journey = shop.push(bench.round).await?;
    Round::of(journey.rate()).metered(&meter, journey.orders)
}

/// Fills the log of a service.
async fn fill(place: &Place, service: Service, events: u64) -> anyhow::Result<()> {
    let template = Template::new()?;
    let (payload, metadata) = template.bytes();
    let mut on = place.connect(service).await?;
    let mut done = 0;
    while done < events {
        let some = (events - done).min(PAGE);
        sqlx::query(FILL)
            .bind(i64::try_from(done)?)
            .bind(i64::try_from(some)?)
            // No reaction and no view ever reads these.
            .bind(if service == Service::Inventory {
                "reservation"
            } else {
                service.name()
            })
            .bind(template.name().0)
            .bind(std::str::from_utf8(payload)?)
            .bind(std::str::from_utf8(metadata)?)
            .execute(&mut on)
            .await?;
        done += some;
    }
    appends::settle(&mut on).await
}

/// Has the relay of a service begin behind all that is there.
async fn skip(place: &Place, service: Service) -> anyhow::Result<()> {
    let store = place.store(service)?;
    let store: &dyn EventStore = &store;
    let behind = Checkpoint {
        position: store.last_position().await?,
        ..Checkpoint::default()
    };
    store
        .set_checkpoint(relay::CHECKPOINT, &behind, None)
        .await?;
    Ok(())
}
