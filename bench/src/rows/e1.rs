//! From POST to the row in the view at 30 % of what the pipeline does when it is pushed, beside the
//! bare hops of one order after another in one thread: insert and commit, produce, consume, write.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use domain::Service;
use domain::view::order_view::SCHEMA;
use infra::ids;
use rdkafka::Message;
use rdkafka::consumer::BaseConsumer;
use sqlx::postgres::PgConnection;

use super::{appends, journeys};
use crate::facts::Template;
use crate::kafka;
use crate::latency::Latency;
use crate::load;
use crate::pipeline::Pipeline;
use crate::place::Place;
use crate::raw::cells::Writes;
use crate::raw::produce::One;
use crate::raw::{append, cells};
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

/// Of the rate at which it is pushed.
const LOAD: f64 = 0.3;
/// How long a record may take to arrive.
const ARRIVES: Duration = Duration::from_secs(10);

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            place.migrate().await?;
            let pipeline = Pipeline::on(place)?;
            pipeline.run_all();
            let addr = pipeline.listen().await?.to_string();
            journeys::stock_up(&addr).await?;
            pipeline.seen.keep_rows(true);
            let pushed = journeys::push(&pipeline, &addr, bench.round).await?;
            pipeline.seen.keep_rows(false);
            let rate = pushed.rate() * LOAD;
            let mut rows = pipeline.seen.take_rows();
            rows.retain(|(schema, _)| schema.name == SCHEMA.name);
            let session = Arc::new(place.session().await?);
            let keyspace = place.servers.views()?.keyspace();
            let rows = cells::prepare(&session, &keyspace, &rows).await?;
            let mut hops = Hops::new(bench).await?;
            let rounds = bench
                .interleave(
                    async || ours(&pipeline, &addr, rate, bench.round).await,
                    async || {
                        let latency = hops.run(&session, &rows, bench.round).await?;
                        Ok(both(&latency))
                    },
                )
                .await?;
            pipeline.end().await?;
            hops.place.remove().await?;
            Ok(vec![rounds.line("E1-p50", 0)?, rounds.line("E1-p99", 1)?])
        })
        .await
}

fn both(latency: &Latency) -> Round {
    Round::many([latency.percentile_ms(50.0), latency.percentile_ms(99.0)])
}

async fn ours(
    pipeline: &Pipeline,
    addr: &str,
    rate: f64,
    round: Duration,
) -> anyhow::Result<Round> {
    let (_, before) = pipeline.seen.counts();
    let customers = journeys::customers(addr, journeys::CLIENTS).await?;
    let ran = load::open(customers, rate, round).await?;
    let placed: Vec<_> = ran.clients.into_iter().flat_map(|c| c.placed).collect();
    // Until they are all through: the next round is not to pay for them.
    journeys::until_assigned(pipeline, before + placed.len()).await?;
    let seen = pipeline.seen.placed();
    let mut latency = Latency::new()?;
    for (order, meant) in placed {
        let at = seen
            .get(&order)
            .with_context(|| format!("{order} is not in the view"))?;
        latency.record(at.saturating_duration_since(meant));
    }
    Ok(both(&latency))
}

/// One order after the other.
struct Hops {
    place: Place,
    on: PgConnection,
    to: One,
    from: Option<BaseConsumer>,
    template: Template,
    next: usize,
}

impl Hops {
    async fn new(bench: &Bench) -> anyhow::Result<Self> {
        let place = Place::new(bench, &["kafka_partitions=1"])?;
        appends::store(&place).await?;
        place.make_topics().await?;
        let topic = place.kafka().topic(Service::Order);
        let from = kafka::reader(&bench.kafka)?;
        tokio::task::block_in_place(|| kafka::assign(&from, &topic))?;
        Ok(Self {
            on: place.connect(Service::Order).await?,
            to: One::to(&bench.kafka, &topic)?,
            from: Some(from),
            template: Template::new()?,
            next: 0,
            place,
        })
    }

    async fn run(
        &mut self,
        session: &scylla::client::session::Session,
        rows: &Writes,
        round: Duration,
    ) -> anyhow::Result<Latency> {
        let mut latency = Latency::new()?;
        let begun = Instant::now();
        while begun.elapsed() < round {
            let meant = Instant::now();
            let order = ids::order();
            let append = self.template.append(order, 0);
            append::insert(&mut self.on, std::iter::once(&append)).await?;
            let key = order.to_string();
            self.to
                .send(key.as_bytes(), self.template.bytes().0)
                .await?;
            let from = self.from.take().context("a consumer")?;
            let (from, found) = tokio::task::block_in_place(|| {
                let found = from
                    .poll(ARRIVES)
                    .map(|found| found.map(|m| m.key() == Some(key.as_bytes())));
                (from, found.context("no record arrives"))
            });
            self.from = Some(from);
            anyhow::ensure!(found??, "another record arrives than {key}");
            rows.send_one(session, self.next).await?;
            self.next += 1;
            latency.record(meant.elapsed());
        }
        Ok(latency)
    }
}
