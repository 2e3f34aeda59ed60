//! The live projector of the order view on a backlog, beside the raw driver that writes the same
//! cells of the same rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use domain::view::order_view::{OrderView, SCHEMA};
use domain::view::{Cells, Patch, Schema, Versions};
use domain::{Category, Recorded, Service, View};
use infra::bus::{KafkaBus, Membership};
use infra::envelope;
use infra::view_store::{CassandraViewStore, Table};
use projectors::Projector;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::cpu::Meter;
use crate::facts::{self, Story};
use crate::place::Place;
use crate::raw::{cells, produce};
use crate::report::Outcome;
use crate::rounds::{Bench, Round};
use crate::watched::Watched;

/// Orders of the backlog, with six facts each that the view takes.
const ORDERS: usize = 4000;
const FACTS: u64 = 6;
/// How long a backlog may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// The order view, which counts what it takes.
struct Counted;

static COUNTED: Counted = Counted;
static TAKEN: AtomicU64 = AtomicU64::new(0);

impl View for Counted {
    fn schema(&self) -> &'static Schema {
        OrderView.schema()
    }

    fn project(&self, fact: &Recorded) -> Option<Patch> {
        TAKEN.fetch_add(1, Ordering::AcqRel);
        OrderView.project(fact)
    }

    fn versions(&self, cells: &Cells) -> Option<Versions> {
        OrderView.versions(cells)
    }
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            place.make_topics().await?;
            place.make_keyspace().await?;
            publish(place, ORDERS).await?;
            let views = CassandraViewStore::new(&place.servers.views()?);
            let watched = Arc::new(Watched::new(Arc::new(views.clone())));
            let session = Arc::new(place.session().await?);
            let keyspace = place.servers.views()?.keyspace();
            // The first turn says which rows the projector makes of this backlog.
            let mut turn = 0;
            project(place, &views, &watched, turn, true).await?;
            let rows = watched.seen.take_rows();
            let raw = cells::prepare(&session, &keyspace, &rows).await?;
            let rounds = bench
                .interleave(
                    async || {
                        turn += 1;
                        project(place, &views, &watched, turn, false).await
                    },
                    async || Ok(Round::of(raw.send(&session).await?)),
                )
                .await?;
            Ok(vec![rounds.line("V1", 0)?])
        })
        .await
}

/// Puts the facts of so many orders on the topics.
pub async fn publish(place: &Place, orders: usize) -> anyhow::Result<()> {
    let usual = facts::usual_place()?;
    let mut by_service = Service::ALL.map(|_| vec![]);
    for _ in 0..orders {
        let story = Story::of(&usual);
        let all = [story.created()?, story.reserved()?].into_iter();
        for fact in all.chain(story.paid()).chain(story.assigned()?) {
            let category: Category = fact.id.stream.category;
            let record = envelope::record_of(&facts::stored(&fact, 1))?;
            by_service[category.service() as usize].push(record);
        }
    }
    for service in Service::ALL {
        let topic = place.kafka().topic(service);
        let brokers = place.brokers();
        let records = &by_service[service as usize];
        tokio::task::block_in_place(|| produce::all(brokers, &topic, records))?;
    }
    Ok(())
}

/// Projects the backlog as a group that is new, and says how many cells a second.
async fn project(
    place: &Place,
    views: &CassandraViewStore,
    watched: &Arc<Watched>,
    turn: usize,
    keep: bool,
) -> anyhow::Result<Round> {
    let projector = Projector {
        view: &COUNTED,
        table: Table {
            name: SCHEMA.name.to_owned(),
        },
        group: format!("turn-{turn}"),
        bus: Arc::new(KafkaBus::new(place.kafka(), Membership::default())),
        store: watched.clone(),
        parked: Arc::new(views.clone()),
        logs: vec![],
    };
    watched.seen.keep_rows(keep);
    let (taken, all) = (TAKEN.load(Ordering::Acquire), ORDERS as u64 * FACTS);
    let (cells, meter) = (watched.seen.cells(), Meter::start()?);
    let stop = CancellationToken::new();
    watched.seen.forget_times();
    let projecting = async {
        let begun = Instant::now();
        let mut quiet = 0;
        // Twice: between the last fact and its write there may be a look.
        while quiet < 2 && begun.elapsed() < LIMIT {
            sleep(LOOK).await;
            let done = TAKEN.load(Ordering::Acquire) - taken >= all && watched.seen.is_quiet();
            quiet = if done { quiet + 1 } else { 0 };
        }
        stop.cancel();
    };
    tokio::join!(projector.run(stop.clone()), projecting);
    let taken = TAKEN.load(Ordering::Acquire) - taken;
    ensure!(taken == all, "{taken} facts were projected of {all}");
    watched.seen.keep_rows(false);
    let written = watched.seen.cells() - cells;
    let rate = written as f64 / watched.seen.took().as_secs_f64();
    Round::of(rate).metered(&meter, all)
}
