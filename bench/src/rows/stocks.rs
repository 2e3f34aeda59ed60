//! Reservations by the inventory service, from the topic of orders to its log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use domain::Service;
use infra::envelope;
use infra::event_store::EventStore;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::time::sleep;

use crate::cpu::Meter;
use crate::facts::{self, Story};
use crate::pipeline::Pipeline;
use crate::place::Place;
use crate::raw::{append, produce};
use crate::rounds::Round;

/// Orders of a round: a second or two of work.
const ORDERS: usize = 20_000;
/// Units that there are of each SKU: the most that one receipt may have.
const UNITS: u64 = 1_000_000;
/// Facts of an order of one line: the reservation and the stock.
const FACTS: u64 = 2;
/// How long a round may take.
const LIMIT: Duration = Duration::from_secs(120);
/// Between two looks at the log.
const LOOK: Duration = Duration::from_millis(5);
/// Measuring begins once so many of a hundred are done: by then everybody has joined.
const BEGUN_PERCENT: u64 = 10;

/// The log and topics, and so many SKUs with goods.
pub async fn prepare(place: &Place, skus: &[String]) -> anyhow::Result<Arc<dyn EventStore>> {
    place.make_database(Service::Inventory).await?;
    place.make_topics().await?;
    let mut on = place.connect(Service::Inventory).await?;
    receive(&mut on, skus).await?;
    on.close().await?;
    Ok(Arc::new(place.store(Service::Inventory)?))
}

async fn receive(on: &mut PgConnection, skus: &[String]) -> anyhow::Result<()> {
    let mut appends = vec![];
    for sku in skus {
        appends.push(facts::append_of(&facts::received(sku, UNITS)?));
    }
    append::insert(on, appends.iter()).await
}

/// Has so many inventory processes reserve one unit for each of many orders, of these SKUs by
/// turns: reservations a second.
pub async fn reserve(
    place: &Place,
    log: &Arc<dyn EventStore>,
    skus: &[String],
    processes: usize,
) -> anyhow::Result<Round> {
    let mut records = Vec::with_capacity(ORDERS);
    for sku in skus.iter().cycle().take(ORDERS) {
        let story = Story::of(&facts::place_of(&[(sku, 1901)])?);
        records.push(envelope::record_of(&facts::stored(&story.created()?, 1))?);
    }
    let topic = place.kafka().topic(Service::Order);
    let brokers = place.brokers();
    tokio::task::block_in_place(|| produce::all(brokers, &topic, &records))?;

    let before = log.last_position().await?;
    let mut look = place.connect(Service::Inventory).await?;
    let meter = Meter::start()?;
    let mut running = vec![];
    for _ in 0..processes {
        let pipeline = Pipeline::on(place)?.without_relays();
        pipeline.run(Service::Inventory);
        running.push(pipeline);
    }
    let facts = ORDERS as u64 * FACTS;
    let rate = watch(log, &mut look, before, facts).await? / FACTS as f64;
    let round = Round::of(rate).metered(&meter, ORDERS as u64)?;
    for pipeline in running {
        pipeline.end().await?;
    }
    check(&mut look, before).await?;
    look.close().await?;
    Ok(round)
}

/// Waits until so many facts were appended behind `before`, and says how many a second.
pub async fn watch(
    log: &Arc<dyn EventStore>,
    on: &mut PgConnection,
    before: u64,
    facts: u64,
) -> anyhow::Result<f64> {
    let (begun, mut first) = (Instant::now(), None);
    loop {
        // No more than so many: an append that conflicted may have used positions up.
        let most = log.last_position().await?.saturating_sub(before);
        if (first.is_none() && most * 100 >= facts * BEGUN_PERCENT) || most >= facts {
            let now = Instant::now();
            let done = behind(on, before).await?;
            let (at, had) = *first.get_or_insert((now, done));
            if done >= facts {
                ensure!(done == facts, "{done} facts were appended, and not {facts}");
                ensure!(done > had, "it was over before it could be looked at");
                return Ok((done - had) as f64 / now.duration_since(at).as_secs_f64());
            }
        }
        ensure!(
            begun.elapsed() < LIMIT,
            "at most {most} of {facts} facts were appended"
        );
        sleep(LOOK).await;
    }
}

/// How many facts there are behind a position.
async fn behind(on: &mut PgConnection, position: u64) -> anyhow::Result<u64> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE position > $1")
        .bind(position as i64)
        .fetch_one(on)
        .await?;
    Ok(count as u64)
}

/// That the orders of the round, those behind `before`, were reserved once each, that one unit is
/// held for each order of all rounds, and that none was turned away.
async fn check(on: &mut PgConnection, before: u64) -> anyhow::Result<()> {
    let (held, reserved, rejected, now): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT coalesce(sum((payload->>'held')::bigint), 0)::bigint FROM (
                    SELECT DISTINCT ON (aggregate_id) payload FROM events
                    WHERE aggregate_type = 'stock'
                    ORDER BY aggregate_id, sequence DESC) AS last),
                (SELECT count(*) FROM events WHERE event_type = 'inventory.reserved'),
                (SELECT count(*) FROM events WHERE event_type = 'inventory.rejected'),
                (SELECT count(*) FROM events WHERE event_type = 'inventory.reserved'
                    AND position > $1)",
    )
    .bind(before as i64)
    .fetch_one(on)
    .await?;
    ensure!(rejected == 0, "{rejected} orders were turned away");
    ensure!(
        held == reserved,
        "{held} units are held by {reserved} orders"
    );
    ensure!(
        now as u64 == ORDERS as u64,
        "{now} of {ORDERS} orders were reserved"
    );
    Ok(())
}
