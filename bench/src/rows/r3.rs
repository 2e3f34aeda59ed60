//! From the commit of a fact to its acknowledgement by the brokers, at half of the load that
//! appending and relaying together sustain, beside a raw produce at the same load.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context;
use async_trait::async_trait;
use domain::Service;
use futures::FutureExt;
use infra::bus::{
    Ack, Acknowledged, BusError, Ends, KafkaPublisher, Published, Publisher, Record, Refused,
    Session,
};
use infra::event_store::EventStore;
use infra::ids;
use infra::relay::{RECHECK, Relay, RelayStatus};
use tokio_util::sync::CancellationToken;

use super::appends::{self, CLIENTS};
use super::relays;
use crate::facts::Template;
use crate::latency::Latency;
use crate::load::{self, Client};
use crate::place::Place;
use crate::raw::produce::One;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

/// Of what it does when it is pushed.
const HALF: f64 = 0.5;
/// Who waits for an answer of the brokers, at most: enough for none to wait for a free hand.
const RAW_CLIENTS: usize = 256;

type Times = Arc<Mutex<HashMap<u64, Instant>>>;

fn note(times: &Times, position: u64) {
    let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
    times.entry(position).or_insert_with(Instant::now);
}

/// A publisher that remembers when each fact was acknowledged.
struct Timed {
    publisher: KafkaPublisher,
    acknowledged: Times,
}

#[async_trait]
impl Publisher for Timed {
    fn topic(&self, service: Service) -> String {
        self.publisher.topic(service)
    }

    async fn ends(&self, service: Service) -> Result<Option<BTreeMap<i32, Ends>>, BusError> {
        self.publisher.ends(service).await
    }

    async fn newest(
        &self,
        service: Service,
        after: &BTreeMap<i32, i64>,
    ) -> Result<Vec<Published>, BusError> {
        self.publisher.newest(service, after).await
    }

    fn begin(&self, service: Service) -> Result<Box<dyn Session>, BusError> {
        Ok(Box::new(TimedSession {
            session: self.publisher.begin(service)?,
            acknowledged: self.acknowledged.clone(),
        }))
    }
}

struct TimedSession {
    session: Box<dyn Session>,
    acknowledged: Times,
}

impl Session for TimedSession {
    fn send(&mut self, record: &Record) -> Result<Ack, Refused> {
        let position = record.headers.iter().find(|(key, _)| key == "ce_position");
        let position =
            position.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok());
        let (ack, times) = (self.session.send(record)?, self.acknowledged.clone());
        let acknowledged = move |answer: &Result<Acknowledged, BusError>| {
            if let (Ok(_), Some(position)) = (answer, position) {
                note(&times, position);
            }
        };
        Ok(ack.inspect(acknowledged).boxed())
    }
}

/// Appends, and remembers when each fact was committed.
struct Commits {
    store: Arc<dyn EventStore>,
    template: Template,
    committed: Times,
}

impl Client for Commits {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        let position = self
            .store
            .append(self.template.append(ids::order(), 0))
            .await?;
        note(&self.committed, position);
        Ok(1)
    }
}

struct Sends {
    to: Arc<One>,
    template: Template,
}

impl Client for Sends {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        let key = ids::order().to_string();
        self.to
            .send(key.as_bytes(), self.template.bytes().0)
            .await?;
        Ok(1)
    }
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            let store = appends::store(place).await?;
            place.make_topics().await?;
            let template = Template::new()?;
            let rate = HALF * relayed(place, &store, &template, None, bench).await?.0;
            let rounds = bench.within_topics(async |raw| {
                let topic = raw.kafka().topic(Service::Order);
                let to = Arc::new(One::to(&bench.kafka, &topic)?);
                bench
                    .interleave(
                        async || {
                            let rate = Some(rate);
                            let (_, p99) = relayed(place, &store, &template, rate, bench).await?;
                            Ok(Round::of(p99))
                        },
                        async || {
                            let one = |_| Sends {
                                to: to.clone(),
                                template: template.clone(),
                            };
                            let clients = (0..RAW_CLIENTS).map(one).collect();
                            let ran = load::open(clients, rate, bench.round).await?;
                            Ok(Round::of(ran.latency.percentile_ms(99.0)))
                        },
                    )
                    .await
            });
            Ok(vec![rounds.await?.line("R3", 0)?])
        })
        .await
}

/// Appends at `rate`, or as fast as it can, with the relay running: the rate at which all of it was
/// appended and published, and the p99 from commit to acknowledgement.
async fn relayed(
    place: &Place,
    store: &Arc<dyn EventStore>,
    template: &Template,
    rate: Option<f64>,
    bench: &Bench,
) -> anyhow::Result<(f64, f64)> {
    let (committed, acknowledged) = (Times::default(), Times::default());
    let relay = Relay {
        store: store.clone(),
        publisher: Arc::new(Timed {
            publisher: KafkaPublisher::new(place.kafka()),
            acknowledged: acknowledged.clone(),
        }),
        status: RelayStatus::default(),
        recheck: RECHECK,
    };
    let (status, stop) = (relay.status.clone(), CancellationToken::new());
    let epoch = relays::lease(store).await?;
    let one = |_| Commits {
        store: store.clone(),
        template: template.clone(),
        committed: committed.clone(),
    };
    let clients = (0..CLIENTS).map(one).collect();
    let appending = async {
        relays::caught_up(store, &status).await?;
        let begun = Instant::now();
        let ran = match rate {
            Some(rate) => load::open(clients, rate, bench.round).await?,
            None => load::closed(clients, bench.round).await?,
        };
        relays::caught_up(store, &status).await?;
        stop.cancel();
        anyhow::Ok(ran.units as f64 / begun.elapsed().as_secs_f64())
    };
    let ((), rate) = tokio::join!(relay.run(epoch, stop.clone()), appending);
    let acknowledged = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
    let committed = committed.lock().unwrap_or_else(PoisonError::into_inner);
    let mut latency = Latency::new()?;
    for (position, at) in committed.iter() {
        let end = acknowledged.get(position);
        let end = end.with_context(|| format!("{position} was never acknowledged"))?;
        latency.record(end.saturating_duration_since(*at));
    }
    Ok((rate?, latency.percentile_ms(99.0)))
}
