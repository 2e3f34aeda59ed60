//! What the rows of relaying share.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use domain::Service;
use infra::bus::{KafkaPlace, KafkaPublisher, Record};
use infra::event_store::EventStore;
use infra::relay::{LEASE, RECHECK, Relay, RelayStatus};
use infra::{codec, envelope, ids};
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::time::{Instant, sleep};

use crate::facts::{self, Story};
use crate::place::Place;
use crate::raw;

/// How long a relay may take to publish all there is.
const CATCHES_UP: Duration = Duration::from_secs(60);
/// Longer than any round: nobody else asks for it.
const LASTS: Duration = Duration::from_secs(3600);
/// Between two looks at how far a relay is.
const LOOK: Duration = Duration::from_millis(2);
/// Appends of one statement while a backlog is made.
const PAGE: usize = 1000;

/// A relay of the order log onto the topics of `place`.
pub fn relay(store: &Arc<dyn EventStore>, place: KafkaPlace) -> Relay {
    Relay {
        store: store.clone(),
        publisher: Arc::new(KafkaPublisher::new(place)),
        status: RelayStatus::default(),
        recheck: RECHECK,
    }
}

/// The right to relay.
pub async fn lease(store: &Arc<dyn EventStore>) -> anyhow::Result<u64> {
    let lease = store.acquire(LEASE, "bench", LASTS).await?;
    Ok(lease.context("the lease is somebody else's")?.epoch)
}

/// Waits until all there is has been published.
pub async fn caught_up(store: &Arc<dyn EventStore>, status: &RelayStatus) -> anyhow::Result<()> {
    let last = store.last_position().await?;
    until(status, last).await.map(drop)
}

/// Waits until all up to `last` has been published, and says when the first and the last of it
/// were seen to be, with their positions.
pub async fn until(
    status: &RelayStatus,
    last: u64,
) -> anyhow::Result<((Instant, u64), (Instant, u64))> {
    let (begun, mut first) = (Instant::now(), None);
    loop {
        let now = status.now();
        anyhow::ensure!(
            now.halted.is_none(),
            "the relay has halted: {:?}",
            now.halted
        );
        if now.position > 0 {
            first.get_or_insert((Instant::now(), now.position));
        }
        if now.position >= last {
            let end = (Instant::now(), now.position);
            return Ok((first.unwrap_or(end), end));
        }
        anyhow::ensure!(
            begun.elapsed() < CATCHES_UP,
            "{} of {last} are published",
            now.position
        );
        sleep(LOOK).await;
    }
}

/// Fills the order log with two facts of each of so many orders, and returns their records.
pub async fn backlog(place: &Place, orders: usize) -> anyhow::Result<Vec<Record>> {
    place.make_database(Service::Order).await?;
    let mut on = place.connect(Service::Order).await?;
    let usual = facts::usual_place()?;
    let mut records = Vec::with_capacity(2 * orders);
    let mut left = orders;
    while left > 0 {
        let mut appends = Vec::with_capacity(PAGE);
        for _ in 0..left.min(PAGE / 2) {
            let story = Story::of(&usual);
            for fact in [story.created()?, story.completed()] {
                let position = records.len() as u64 + 1;
                records.push(envelope::record_of(&facts::stored(&fact, position))?);
                let mut append = facts::append_of(&fact);
                append.facts = vec![codec::encode(&fact, ids::unique())];
                appends.push(append);
            }
        }
        left -= appends.len() / 2;
        raw::append::insert(&mut on, appends.iter()).await?;
    }
    super::appends::settle(&mut on).await?;
    on.close().await?;
    Ok(records)
}

/// As if nothing of the log had ever been published.
pub async fn forget(on: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::raw_sql("DELETE FROM checkpoints").execute(on).await?;
    Ok(())
}
