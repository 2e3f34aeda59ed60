//! From POST to the row in the view at 30 % of what the pipeline does when it is pushed, beside the
//! bare hops of one order after another in one thread: insert and commit, produce, consume, write.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use domain::Service;
use domain::view::order_view::SCHEMA;
use infra::ids;
use rdkafka::Message;
use rdkafka::consumer::BaseConsumer;
use scylla::client::session::Session;
use sqlx::postgres::PgConnection;

use super::appends;
use super::journeys::Shop;
use crate::facts::Template;
use crate::kafka;
use crate::latency::Latency;
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
            let shop = Shop::open(Pipeline::on(place)?).await?;
            let seen = &shop.pipeline.seen;
            seen.keep_rows(true);
            let rate = shop.push(bench.round).await?.rate() * LOAD;
            seen.keep_rows(false);
            let mut rows = seen.take_rows();
            rows.retain(|(schema, _)| schema.name == SCHEMA.name);
            let session = Arc::new(place.session().await?);
            let keyspace = place.servers.views()?.keyspace();
            let rows = cells::prepare(&session, &keyspace, &rows).await?;
            let rounds = bench.within_place(&["kafka_partitions=1"], async |bare| {
                let mut hops = Hops::new(bare).await?;
                bench
                    .interleave(
                        async || ours(&shop, rate, bench.round).await,
                        async || {
                            let latency = hops.run(&session, &rows, bench.round).await?;
                            Ok(both(&latency))
                        },
                    )
                    .await
            });
            let rounds = rounds.await?;
            shop.end().await?;
            Ok(vec![rounds.line("E1-p50", 0)?, rounds.line("E1-p99", 1)?])
        })
        .await
}

fn both(latency: &Latency) -> Round {
    Round::many([latency.percentile_ms(50.0), latency.percentile_ms(99.0)])
}

async fn ours(shop: &Shop, rate: f64, lasts: Duration) -> anyhow::Result<Round> {
    let ran = shop.place(rate, lasts).await?;
    let seen = shop.pipeline.seen.placed();
    let mut latency = Latency::new()?;
    for (order, meant) in ran.clients.iter().flat_map(|customer| &customer.placed) {
        let at = seen.get(order);
        let at = at.with_context(|| format!("{order} is not in the view"))?;
        latency.record(at.saturating_duration_since(*meant));
    }
    Ok(both(&latency))
}

/// One order after the other.
struct Hops {
    on: PgConnection,
    to: One,
    from: BaseConsumer,
    template: Template,
    next: usize,
}

impl Hops {
    /// At a place where topics have one partition.
    async fn new(place: &Place) -> anyhow::Result<Self> {
        appends::store(place).await?;
        place.make_topics().await?;
        let (brokers, topic) = (place.brokers(), place.kafka().topic(Service::Order));
        let from = kafka::reader(brokers)?;
        tokio::task::block_in_place(|| kafka::assign(&from, &topic))?;
        Ok(Self {
            on: place.connect(Service::Order).await?,
            to: One::to(brokers, &topic)?,
            from,
            template: Template::new()?,
            next: 0,
        })
    }

    async fn run(
        &mut self,
        session: &Session,
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
            tokio::task::block_in_place(|| {
                let found = self.from.poll(ARRIVES).context("no record arrives")??;
                let is_it = found.key() == Some(key.as_bytes());
                ensure!(is_it, "another record arrives than {key}");
                Ok(())
            })?;
            rows.send_one(session, self.next).await?;
            self.next += 1;
            latency.record(meant.elapsed());
        }
        Ok(latency)
    }
}
