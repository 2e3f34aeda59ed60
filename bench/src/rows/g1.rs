//! The same with 10 million events and a million orders stored as with 10,000.

use std::sync::Arc;

use domain::Service;
use infra::event_store::{Checkpoint, EventStore};
use infra::relay;

use super::appends::{self, CLIENTS};
use super::{journeys, q1};
use crate::child::Server;
use crate::facts::Template;
use crate::load;
use crate::pipeline::Pipeline;
use crate::place::Place;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

/// What is stored: events in the logs of all services together, and orders in the view.
const MANY: (u64, usize) = (10_000_000, 1_000_000);
const FEW: (u64, usize) = (10_000, 10_000);
/// Events of one insert, and orders of one write: what fits into memory with ease.
const PAGE: u64 = 500_000;
const ORDERS: usize = 50_000;

/// Streams of two events each, in the shape of ours; `$3` is the category.
const FILL: &str = "INSERT INTO events
    (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
    SELECT $3, lpad(to_hex($1 + n / 2), 8, '0') || '-0000-7000-8000-000000000000', 1 + n % 2,
           $4, '1', $5::json, $6::json
    FROM generate_series(0, $2 - 1) AS n";

/// A place that has grown, and what runs there.
struct Grown {
    place: Place,
    store: Arc<dyn EventStore>,
    pipeline: Pipeline,
    addr: String,
    queries: Server,
    orders: Arc<Vec<uuid::Uuid>>,
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    let many = Grown::new(bench, MANY).await?;
    let few = Grown::new(bench, FEW).await?;
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
    let pushed = bench
        .interleave(
            async || many.push(bench).await,
            async || few.push(bench).await,
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

impl Grown {
    async fn new(bench: &Bench, (events, orders): (u64, usize)) -> anyhow::Result<Self> {
        let place = Place::new(bench, &[])?;
        place.migrate().await?;
        for service in Service::ALL {
            fill(&place, service, events / 4).await?;
        }
        let mut all = Vec::with_capacity(orders);
        while all.len() < orders {
            let some = (orders - all.len()).min(ORDERS);
            all.extend(q1::fill(&place, some).await?);
        }
        let pipeline = Pipeline::on(&place)?;
        pipeline.run_all();
        let addr = pipeline.listen().await?.to_string();
        journeys::stock_up(&addr).await?;
        Ok(Self {
            store: Arc::new(place.store(Service::Order)?),
            queries: Server::waybill(&place.args(&["query-api"])).await?,
            orders: Arc::new(all),
            pipeline,
            addr,
            place,
        })
    }

    async fn append(&self, template: &Template, bench: &Bench) -> anyhow::Result<Round> {
        let clients = appends::ours(&self.store, template, CLIENTS);
        Ok(Round::of(load::closed(clients, bench.round).await?.rate()))
    }

    async fn read(&self, bench: &Bench) -> anyhow::Result<Round> {
        let clients = q1::readers(&self.queries, &self.orders).await?;
        Ok(Round::of(load::closed(clients, bench.round).await?.rate()))
    }

    async fn push(&self, bench: &Bench) -> anyhow::Result<Round> {
        let journey = journeys::push(&self.pipeline, &self.addr, bench.round).await?;
        Ok(Round::of(journey.rate()))
    }

    async fn end(self) -> anyhow::Result<()> {
        self.queries.end().await?;
        self.pipeline.end().await?;
        self.place.remove().await
    }
}

/// Fills the log of a service, and has its relay go on behind that.
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
            // No reaction and no view ever reads these: they lie behind every checkpoint.
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
    appends::settle(&mut on).await?;
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
