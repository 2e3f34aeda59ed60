//! Orders from POST to the delivery assigned in the view, everything on this machine, beside the
//! bare hops, each as often as an order takes it.

use domain::{Service, view};
use infra::envelope;
use std::sync::Arc;
use tokio::task::JoinSet;

use super::appends::{self, CLIENTS};
use super::{hops, journeys};
use crate::child::Server;
use crate::facts::{self, Story, Template};
use crate::http;
use crate::load;
use crate::pipeline::Pipeline;
use crate::place::{self, Place};
use crate::raw::append::RawWriter;
use crate::raw::{cells, produce};
use crate::report::Outcome;
use crate::rounds::{Bench, Round, one_after_another};
use crate::{cpu, raw};

/// Records of the hops over Kafka: some tenths of a second of work.
const RECORDS: usize = 50_000;
/// Rows of the hop to the view: some seconds of work at most.
const ROWS: usize = 20_000;

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            place.migrate().await?;
            let pipeline = Pipeline::on(place)?;
            pipeline.run_all();
            let addr = pipeline.listen().await?.to_string();
            journeys::stock_up(&addr).await?;

            // The first turn says how often an order takes each hop.
            let facts = journeys::facts(&pipeline).await?;
            pipeline.seen.keep_rows(true);
            let journey = journeys::push(&pipeline, &addr, bench.round).await?;
            pipeline.seen.keep_rows(false);
            let now = journeys::facts(&pipeline).await?;
            let each = |n: usize| (now[n] - facts[n]) as f64 / journey.orders as f64;
            let hops = Hops::new(
                bench,
                place,
                &pipeline,
                [0, 1, 2, 3].map(each),
                journey.orders,
            );
            let hops = hops.await?;

            let rounds = bench
                .interleave(
                    async || {
                        let used = cpu::of_self()?;
                        let journey = journeys::push(&pipeline, &addr, bench.round).await?;
                        let used = cpu::of_self()?.saturating_sub(used);
                        Ok(Round::of(journey.rate()).with_cpu(used, journey.orders))
                    },
                    async || Ok(Round::of(hops.measure(bench).await?)),
                )
                .await?;
            pipeline.end().await?;
            hops.end().await?;
            Ok(vec![rounds.line("E2", 0)?])
        })
        .await
}

/// The hops of an order, and how often it takes each.
struct Hops {
    place: Place,
    nothing: Server,
    writer: RawWriter,
    template: Template,
    records: Vec<infra::bus::Record>,
    session: Arc<scylla::client::session::Session>,
    rows: raw::cells::Writes,
    /// Of an order: facts, records that are consumed, and cells.
    facts: f64,
    consumed: f64,
    cells: f64,
    _tasks: JoinSet<anyhow::Result<()>>,
}

impl Hops {
    async fn new(
        bench: &Bench,
        views: &Place,
        pipeline: &Pipeline,
        facts: [f64; 4],
        orders: u64,
    ) -> anyhow::Result<Self> {
        let place = Place::new(bench, &[])?;
        appends::store(&place).await?;
        let mut tasks = JoinSet::new();
        let writer = RawWriter::start(place.connect(Service::Order).await?, &mut tasks);
        let usual = facts::usual_place()?;
        let record = |_| {
            let created = Story::of(&usual).created()?;
            Ok(envelope::record_of(&facts::stored(&created, 1))?)
        };
        let records = (0..RECORDS).map(record).collect::<anyhow::Result<_>>()?;
        let mut kept = pipeline.seen.take_rows();
        let all_cells: usize = kept.iter().map(|(_, row)| row.cells.len()).sum();
        kept.truncate(ROWS);
        let session = Arc::new(views.session().await?);
        let keyspace = views.servers.views()?.keyspace();
        let rows = cells::prepare(&session, &keyspace, &kept).await?;
        let consumed = Service::ALL.map(|of| facts[of as usize] * readers_of(of));
        Ok(Self {
            nothing: Server::bare(&["nothing".to_owned()]).await?,
            template: Template::new()?,
            facts: facts.iter().sum(),
            consumed: consumed.iter().sum(),
            cells: all_cells as f64 / orders as f64,
            _tasks: tasks,
            place,
            writer,
            records,
            session,
            rows,
        })
    }

    /// Orders a second.
    async fn measure(&self, bench: &Bench) -> anyhow::Result<f64> {
        let half = bench.round / 2;
        let request = http::post("/api/orders", &facts::usual_body());
        let (http, _) = hops::http_rate(&self.nothing, CLIENTS, &request, 201, half).await?;
        let clients = super::h1::raw_plain(&self.writer, &self.template, CLIENTS);
        let inserted = load::closed(clients, half).await?.rate();
        let on = Place::new(bench, &[])?;
        on.make_topics().await?;
        let topic = on.kafka().topic(Service::Order);
        let (produced, consumed) = tokio::task::block_in_place(|| {
            let produced = produce::all(&bench.kafka, &topic, &self.records)?;
            anyhow::Ok((produced, produce::consume(&bench.kafka, &topic)?))
        })?;
        place::remove_topics(&bench.kafka, &on.kafka()).await?;
        let written = self.rows.send(&self.session).await?;
        Ok(one_after_another(&[
            http,
            inserted / self.facts,
            produced / self.facts,
            consumed / self.consumed,
            written / self.cells,
        ]))
    }

    async fn end(self) -> anyhow::Result<()> {
        self.nothing.end().await?;
        self.place.remove().await
    }
}

/// How many groups read a topic: services that react to it, and every view.
fn readers_of(topic: Service) -> f64 {
    let reacts = |of: &Service| command_api::topics_of(*of).contains(&topic);
    let services = Service::ALL.iter().filter(|of| reacts(of)).count();
    (services + view::ALL.len()) as f64
}
