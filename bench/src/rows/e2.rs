//! Orders from POST to the delivery assigned in the view, everything on this machine, beside the
//! bare hops, each as often as an order takes it.

use std::sync::Arc;

use domain::{Service, view};
use infra::bus::Record;
use infra::envelope;
use scylla::client::session::Session;
use sqlx::Connection;

use super::appends::{self, CLIENTS};
use super::hops;
use super::journeys::Shop;
use crate::child::Server;
use crate::cpu::Meter;
use crate::facts::{self, Story, Template};
use crate::load;
use crate::pipeline::Pipeline;
use crate::place::Place;
use crate::raw::append::RawWriter;
use crate::raw::cells::{self, Writes};
use crate::raw::produce;
use crate::report::Outcome;
use crate::rounds::{Bench, Round, one_after_another};

/// Records of the hops over Kafka: some tenths of a second of work.
const RECORDS: usize = 50_000;
/// Rows of the hop to the view: some seconds of work at most.
const ROWS: usize = 20_000;

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            place.migrate().await?;
            let shop = Shop::open(Pipeline::on(place)?).await?;
            let rounds = bench.within_place(&[], async |bare| {
                let hops = Hops::new(bench, bare, place, &shop).await?;
                let rounds = bench
                    .interleave(
                        async || {
                            let meter = Meter::start()?;
                            let journey = shop.push(bench.round).await?;
                            Round::of(journey.rate()).metered(&meter, journey.orders)
                        },
                        async || Ok(Round::of(hops.measure(bench).await?)),
                    )
                    .await?;
                hops.nothing.end().await?;
                Ok(rounds)
            });
            let rounds = rounds.await?;
            shop.end().await?;
            Ok(vec![rounds.line("E2", 0)?])
        })
        .await
}

/// The hops of an order, and how often it takes each.
struct Hops {
    nothing: Server,
    writer: RawWriter,
    template: Template,
    records: Vec<Record>,
    session: Arc<Session>,
    rows: Writes,
    /// Of an order: facts, records that are consumed, and cells.
    facts: f64,
    consumed: f64,
    cells: f64,
}

impl Hops {
    /// In the order log of `bare` and the views of `place`. A turn of the shop says how often an
    /// order takes each.
    async fn new(bench: &Bench, bare: &Place, place: &Place, shop: &Shop) -> anyhow::Result<Self> {
        let seen = &shop.pipeline.seen;
        let before = stored(place).await?;
        seen.keep_rows(true);
        let orders = shop.push(bench.round).await?.orders as f64;
        seen.keep_rows(false);
        let now = stored(place).await?;
        let facts = Service::ALL.map(|of| (now[of as usize] - before[of as usize]) as f64 / orders);

        appends::store(bare).await?;
        let writer = RawWriter::start(bare.connect(Service::Order).await?);
        let usual = facts::usual_place()?;
        let record = |_| {
            let created = Story::of(&usual).created()?;
            Ok(envelope::record_of(&facts::stored(&created, 1))?)
        };
        let records = (0..RECORDS).map(record).collect::<anyhow::Result<_>>()?;
        let mut kept = seen.take_rows();
        let all_cells: usize = kept.iter().map(|(_, row)| row.cells.len()).sum();
        kept.truncate(ROWS);
        let session = Arc::new(place.session().await?);
        let keyspace = place.servers.views()?.keyspace();
        let rows = cells::prepare(&session, &keyspace, &kept).await?;
        let consumed = Service::ALL.map(|of| facts[of as usize] * readers_of(of));
        Ok(Self {
            nothing: Server::bare(&["nothing".to_owned()]).await?,
            template: Template::new()?,
            facts: facts.iter().sum(),
            consumed: consumed.iter().sum(),
            cells: all_cells as f64 / orders,
            writer,
            records,
            session,
            rows,
        })
    }

    /// Orders a second.
    async fn measure(&self, bench: &Bench) -> anyhow::Result<f64> {
        let half = bench.round / 2;
        let customers = hops::customers(&self.nothing, CLIENTS).await?;
        let http = load::closed(customers, half).await?.rate();
        let clients = appends::plain(&self.writer, &self.template, CLIENTS);
        let inserted = load::closed(clients, half).await?.rate();
        let over_kafka = bench.within_topics(async |on| {
            let topic = on.kafka().topic(Service::Order);
            tokio::task::block_in_place(|| {
                let produced = produce::all(&bench.kafka, &topic, &self.records)?;
                anyhow::Ok((produced, produce::consume(&bench.kafka, &topic)?))
            })
        });
        let (produced, consumed) = over_kafka.await?;
        let written = self.rows.send(&self.session).await?;
        Ok(one_after_another(&[
            http,
            inserted / self.facts,
            produced / self.facts,
            consumed / self.consumed,
            written / self.cells,
        ]))
    }
}

/// How many facts there are of each service.
async fn stored(place: &Place) -> anyhow::Result<[u64; 4]> {
    let mut all = [0; 4];
    for service in Service::ALL {
        let mut on = place.connect(service).await?;
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM events")
            .fetch_one(&mut on)
            .await?;
        all[service as usize] = count as u64;
        on.close().await?;
    }
    Ok(all)
}

/// How many groups read a topic: services that react to it, and every view.
fn readers_of(topic: Service) -> f64 {
    let reacts = |of: &Service| command_api::topics_of(*of).contains(&topic);
    let services = Service::ALL.iter().filter(|of| reacts(of)).count();
    (services + view::ALL.len()) as f64
}
