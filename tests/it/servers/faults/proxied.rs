//! Between each process and each server there is a proxy.

use std::ops::{Range, RangeInclusive};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::time::sleep;

use super::{Stage, stub};
use crate::servers::Fleet;
use crate::servers::own::{self, Own};
use crate::support::provider::StubProvider;
use crate::support::proxy::{Aim, Counts, Fault, Proxy};
use crate::support::{Addresses, Place, Role, eventually_within, torture};

const APART: Duration = Duration::from_millis(120);
/// How long a long run goes on; a short one does each thing to each once.
const LONG: Duration = Duration::from_secs(240);
/// The pause before each fault, and how long it lasts, in milliseconds.
const PAUSE_MS: Range<u64> = 0..150;
const LASTS_MS: Range<u64> = 100..600;
const DELAY_MS: Range<u64> = 10..150;
/// Answers that are lost one after the other.
const SWALLOWED: RangeInclusive<usize> = 1..=4;
/// The longest until a fault meets something: under load that is at once, but after a fault that all
/// wait for, which may take as long as an order may (I6).
const HITS_WITHIN: Duration = Duration::from_secs(60);
/// How long all connections are half-open: most that are kept are used meanwhile.
const HALF_OPEN: Duration = Duration::from_secs(4);
/// Every limit on one answer is 10 s or less; far less than the minute in which orders have to end.
const READY_WITHIN: Duration = Duration::from_secs(45);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Delays,
    Cuts,
    HalfOpens,
    Swallows,
}

const KINDS: [Kind; 4] = [Kind::Delays, Kind::Cuts, Kind::HalfOpens, Kind::Swallows];

/// One before each server, and one before the provider.
struct Proxies([(&'static str, Proxy); 5]);

impl Proxies {
    async fn before(own: &Own, provider: &StubProvider) -> Self {
        let at = &own.addresses;
        let appends = Aim::Postgres("append_");
        let kafka = Proxy::at(own.broker.told, &own.broker.server, Aim::Kafka);
        Self([
            ("Postgres", before(&at.postgres, appends).await),
            ("Kafka", kafka.await),
            ("Cassandra", before(&at.cassandra, Aim::Cassandra).await),
            ("Redis", before(&at.redis, Aim::Redis).await),
            ("the provider", before(&provider.url(), Aim::Http).await),
        ])
    }

    /// What sends processes to them.
    fn detours(&self, at: &Addresses, provider: &StubProvider) -> Vec<String> {
        let [postgres, kafka, cassandra, redis, paying] = self.0.each_ref().map(|(_, it)| it);
        let through = |url: &str, proxy: &Proxy| url.replace(server_of(url), proxy.address());
        vec![
            format!("postgres_url={}", through(&at.postgres, postgres)),
            format!("kafka_brokers={}", kafka.address()),
            format!("cassandra_nodes={}", cassandra.address()),
            format!("redis_url={}", through(&at.redis, redis)),
            format!("payment_url={}", through(&provider.url(), paying)),
        ]
    }

    fn fail(&self, fault: Fault) {
        self.0.iter().for_each(|(_, proxy)| proxy.fail(fault));
    }

    fn mend(&self) {
        self.0.iter().for_each(|(_, proxy)| proxy.mend());
    }
}

async fn before(url: &str, aim: Aim) -> Proxy {
    Proxy::before(server_of(url), aim).await
}

/// `host:port` of `scheme://user@host:port/path`, or of what has only these.
fn server_of(url: &str) -> &str {
    let place = url.rsplit_once("://").map_or(url, |(_, place)| place);
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    place.split('/').next().unwrap()
}

async fn opened(own: &Own) -> (Stage, Proxies) {
    // Everything of Postgres is at one server, behind one proxy.
    let at = Addresses {
        inventory: None,
        ..own.addresses.clone()
    };
    let (provider, settings) = stub().await;
    let proxies = Proxies::before(own, &provider).await;
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let place = Place::migrated_at(&at, &settings).await;
    let place = place.sent_to(proxies.detours(&at, &provider));
    (Stage::open(place, provider, APART).await, proxies)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_end_whatever_connections_to_servers_do() {
    let mut random = torture::random();
    let Some(own) = own::servers().await else {
        return;
    };
    let (stage, proxies) = opened(own.as_ref().unwrap()).await;
    let begun = Instant::now();
    let all = (0..proxies.0.len()).flat_map(|at| KINDS.map(|kind| (at, kind)));
    let mut all: Vec<_> = all.collect();
    let mut times = 0;
    loop {
        random.shuffle(&mut all);
        for (at, kind) in &all {
            let (name, proxy) = &proxies.0[*at];
            goes_wrong(proxy, name, *kind, &mut random).await;
            stage.fault(&format!("{name}: {kind:?}"));
            times += 1;
        }
        if begun.elapsed() >= torture::scaled(Duration::ZERO, LONG) {
            break;
        }
    }
    let took = begun.elapsed();
    let left = stage.finish().await;
    for (name, proxy) in &proxies.0 {
        let counts = words(proxy.counts());
        torture::report(&format!("connections to {name} fail"), &counts);
    }
    torture::report(
        "connections to all servers fail, one after the other",
        &format!("{times} faults in {took:.1?}, {left}"),
    );
}

/// At any moment, for any time, and at least until it was met: these are waits for nothing.
async fn goes_wrong(proxy: &Proxy, name: &str, kind: Kind, random: &mut Rng) {
    sleep(Duration::from_millis(random.u64(PAUSE_MS))).await;
    let before = kind.count(proxy.counts());
    let mut times = 1;
    match kind {
        Kind::Delays => {
            proxy.fail(Fault::Delays(Duration::from_millis(random.u64(DELAY_MS))));
        }
        Kind::Cuts => proxy.fail(Fault::Cuts),
        Kind::HalfOpens => proxy.fail(Fault::HalfOpens),
        Kind::Swallows => {
            times = random.usize(SWALLOWED);
            proxy.swallow(times);
        }
    }
    if !matches!(kind, Kind::Swallows) {
        sleep(Duration::from_millis(random.u64(LASTS_MS))).await;
    }
    let met = async || kind.count(proxy.counts());
    let enough = eventually_within(HITS_WITHIN, met, |met| *met >= before + times);
    println!("{name}: {kind:?}, met {}", enough.await);
    proxy.mend();
}

impl Kind {
    fn count(self, counts: Counts) -> usize {
        match self {
            Self::Delays => counts.delayed,
            Self::Cuts => counts.cut,
            Self::HalfOpens => counts.half_open,
            Self::Swallows => counts.swallowed,
        }
    }
}

fn words(counts: Counts) -> String {
    format!(
        "{} pieces came later, {} connections were cut and {} half-open, and {} answers were lost \
         after the server had acted",
        counts.delayed, counts.cut, counts.half_open, counts.swallowed
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_all_connections_were_half_open_every_process_goes_on_by_itself() {
    let Some(own) = own::servers().await else {
        return;
    };
    let (stage, proxies) = opened(own.as_ref().unwrap()).await;
    stage.completes(0, "before").await;
    proxies.fail(Fault::HalfOpens);
    // Whatever is asked meanwhile is never answered: this is a wait for nothing.
    sleep(HALF_OPEN).await;
    proxies.mend();
    stage.fault("all connections were half-open");
    let mended = Instant::now();
    let ready = || ready(&stage.fleet);
    eventually_within(READY_WITHIN, ready, |ready| {
        ready.iter().all(|it| it == "ready")
    })
    .await;
    let after = mended.elapsed();
    stage.completes(0, "after").await;
    let completed = mended.elapsed();
    let half_open: usize = proxies.0.iter().map(|(_, it)| it.counts().half_open).sum();
    let left = stage.finish().await;
    torture::report(
        "all connections are half-open for 4 s",
        &format!(
            "{half_open} connections, all processes ready after {after:.1?}, an order completed \
             after {completed:.1?}, {left}"
        ),
    );
}

/// What every process says of itself, with what is missing.
async fn ready(fleet: &Fleet) -> Vec<String> {
    let says = async |role: &Role| {
        let body = role.readiness().await.body;
        match body["status"].as_str() {
            Some("ready") => "ready".to_owned(),
            _ => body.to_string(),
        }
    };
    let mut said = vec![];
    for role in fleet.roles() {
        said.push(says(role).await);
    }
    said
}
