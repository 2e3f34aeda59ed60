//! Handlers that take 0 to 5 ms, for 20 keys in one partition, beside the same handlers one at a
//! time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use async_trait::async_trait;
use domain::{Recorded, Service};
use infra::bus::{KafkaBus, Membership};
use infra::consumer::{Consumer, Take};
use infra::envelope;
use infra::failure::Failure;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::appends;
use crate::facts::{self, Story};
use crate::place::Place;
use crate::raw::produce;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

const KEYS: usize = 20;
/// Facts of each key.
const FACTS: u64 = 40;
/// The longest that a handler takes, in milliseconds.
const LONGEST_MS: u64 = 5;
/// How long all of them may take together.
const LIMIT: Duration = Duration::from_secs(30);

/// How long a fact takes: 0 to 5 ms, the same on both sides.
fn takes(key: usize, sequence: u64) -> Duration {
    let drawn = fastrand::Rng::with_seed(key as u64 * FACTS + sequence).u64(0..=LONGEST_MS);
    Duration::from_millis(drawn)
}

/// What was taken: the last sequence of each key, and when.
#[derive(Default)]
struct Taken {
    last: HashMap<String, u64>,
    first_at: Option<Instant>,
    last_at: Option<Instant>,
    count: u64,
    out_of_order: u64,
}

struct Handlers {
    keys: HashMap<String, usize>,
    taken: Mutex<Taken>,
}

#[async_trait]
impl Take for Handlers {
    async fn take(&self, fact: &Recorded) -> Result<(), Failure> {
        let (id, sequence) = (&fact.id.stream.id, fact.id.sequence);
        let now = Instant::now();
        self.taken().first_at.get_or_insert(now);
        sleep(takes(self.keys.get(id).copied().unwrap_or(0), sequence)).await;
        let mut taken = self.taken();
        let before = taken.last.insert(id.clone(), sequence).unwrap_or(1);
        taken.out_of_order += u64::from(sequence != before + 1);
        taken.count += 1;
        taken.last_at = Some(Instant::now());
        Ok(())
    }
}

impl Handlers {
    fn taken(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&["kafka_partitions=1"], async |place| {
            let parked = appends::store(place).await?;
            place.make_topics().await?;
            let usual = facts::usual_place()?;
            let stories: Vec<_> = (0..KEYS).map(|_| Story::of(&usual)).collect();
            let mut records = vec![];
            for n in 0..FACTS {
                for story in &stories {
                    // The decider is not asked: any fact of the stream does.
                    let fact = story.nth(n + 2);
                    records.push(envelope::record_of(&facts::stored(&fact, 1))?);
                }
            }
            let topic = place.kafka().topic(Service::Order);
            tokio::task::block_in_place(|| produce::all(&bench.kafka, &topic, &records))?;
            let keys = stories.iter().enumerate();
            let keys: HashMap<_, _> = keys.map(|(n, s)| (s.order.to_string(), n)).collect();
            let mut turn = 0;
            let rounds = bench
                .interleave(
                    async || {
                        turn += 1;
                        ours(place, &parked, keys.clone(), turn).await
                    },
                    async || {
                        let begun = Instant::now();
                        for sequence in 2..FACTS + 2 {
                            for key in 0..KEYS {
                                sleep(takes(key, sequence)).await;
                            }
                        }
                        let count = KEYS as f64 * FACTS as f64;
                        Ok(Round::of(count / begun.elapsed().as_secs_f64()))
                    },
                )
                .await?;
            Ok(vec![rounds.line("C2", 0)?])
        })
        .await
}

async fn ours(
    place: &Place,
    parked: &Arc<dyn infra::event_store::EventStore>,
    keys: HashMap<String, usize>,
    turn: usize,
) -> anyhow::Result<Round> {
    let handlers = Arc::new(Handlers {
        keys,
        taken: Mutex::default(),
    });
    // A group that is new begins with the first record.
    let consumer = Consumer {
        group: format!("turn-{turn}"),
        topics: vec![Service::Order],
        bus: Arc::new(KafkaBus::new(place.kafka(), Membership::default())),
        store: parked.clone(),
        take: handlers.clone(),
    };
    let all = KEYS as u64 * FACTS;
    let stop = CancellationToken::new();
    let taking = async {
        let begun = Instant::now();
        while handlers.taken().count < all && begun.elapsed() < LIMIT {
            sleep(Duration::from_millis(1)).await;
        }
        stop.cancel();
    };
    tokio::join!(consumer.run(stop.clone()), taking);
    let taken = handlers.taken();
    ensure!(
        taken.count == all,
        "{} facts were taken of {all}",
        taken.count
    );
    ensure!(
        taken.out_of_order == 0,
        "{} facts came out of order",
        taken.out_of_order
    );
    let took = taken.first_at.zip(taken.last_at);
    let took = took.map_or(Duration::ZERO, |(first, last)| last.duration_since(first));
    Ok(Round::of(all as f64 / took.as_secs_f64()))
}
