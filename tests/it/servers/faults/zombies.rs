//! Processes that stand still (SIGSTOP) for longer than their leases and sessions last, and once for
//! longer than a consumer may be without a poll; then they go on (SIGCONT) and know of nothing. Others
//! have taken over meanwhile, which is asked of the servers and not of them.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use reqwest::Method;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor, Row};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::{Stage, stub};
use crate::support::{Addresses, Place, Role, eventually, torture};

/// Twice as long as leases and sessions last here.
const STANDS_STILL: Duration = Duration::from_secs(6);
/// And once for longer than the 15 s for which a consumer may be without a poll.
const STANDS_STILL_LONGER: Duration = Duration::from_secs(17);
/// How soon others have taken over, and how soon who comes back has found that out.
const WITHIN: Duration = Duration::from_secs(30);
const APART: Duration = Duration::from_millis(100);
/// What a process says of a lease, a relay or a call that is another's by now.
const LOGS: &str =
    "log=error,infra::lease=warn,infra::relay=warn,scylla=off,librdkafka=off,rdkafka=off";
const LOST: [&str; 2] = ["the lease was lost", "the lease was not renewed in time"];
const FENCED: &str = "relayed by somebody else";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_take_over_from_a_process_that_stands_still_and_it_does_nothing_twice() {
    let Some(at) = Addresses::shared() else {
        return;
    };
    let (provider, mut settings) = stub().await;
    settings.push(LOGS.to_owned());
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let place = Place::migrated_at(&at, &settings).await.heard();
    let stage = Stage::open(place, provider, APART).await;
    let mut taken = Duration::ZERO;
    for still in [STANDS_STILL, STANDS_STILL_LONGER] {
        // Who has the log of the payments has calls under way.
        let which = holder(&stage).await;
        let fleet = &stage.fleet;
        let (zombie, projectors) = (&fleet.commands[which], &fleet.projectors[which]);
        let before = lease(&fleet.place).await.expect("a holder");
        members(&fleet.place, 2).await;
        zombie.freeze();
        projectors.freeze();
        let begun = Instant::now();

        let after = eventually(|| lease(&fleet.place), |now| is_later(now, &before)).await;
        members(&fleet.place, 1).await;
        taken = taken.max(begun.elapsed());
        let customer = format!("customer-for-{}-s", still.as_secs());
        stage.completes(which + 1, &customer).await;
        // It is to miss all that it waits for.
        sleep(still.saturating_sub(begun.elapsed())).await;
        assert_ne!(
            after.unwrap().0,
            before.0,
            "a process that stands still has a lease"
        );

        zombie.thaw();
        projectors.thaw();
        stage.fault("a process that stood still goes on");
        let noticed = async || count(zombie, &LOST);
        eventually(noticed, |noticed| *noticed > 0).await;
        members(&fleet.place, 2).await;
    }
    let roles = stage.fleet.commands.iter();
    let [lost, fenced] = [&LOST[..], &[FENCED]].map(|words| {
        let said = roles.clone().map(|role| count(role, words));
        said.sum::<usize>()
    });
    let left = stage.finish().await;
    torture::report(
        "processes stand still and come back",
        &format!(
            "twice two, others had taken over within {taken:.1?}; back, they met {lost} leases that \
             were lost and {fenced} checkpoints that were refused; {left}"
        ),
    );
}

/// Which command API has the lease of the payments, as it says itself.
async fn holder(stage: &Stage) -> usize {
    let says = async |which: usize| {
        let client = stage.fleet.directory().client(which);
        let url = format!("{}/metrics", client.command);
        let metrics = client.try_send(Method::GET, &url, None, &[]).await.unwrap();
        let metrics = String::from_utf8(metrics.bytes).unwrap();
        let held = |line: &&str| line.starts_with("waybill_lease_held{service=\"payment\"}");
        metrics
            .lines()
            .find(held)
            .is_some_and(|line| line.ends_with(" 1"))
    };
    let held = async || [says(0).await, says(1).await];
    // One that has lost it may not know yet.
    let one = eventually(held, |held| held[0] != held[1]).await;
    usize::from(one[1])
}

/// Holder and epoch of the lease of the payments, where it is somebody's at the moment.
async fn lease(place: &Place) -> Option<(String, i64)> {
    let options: PgConnectOptions = place.at.postgres.parse().unwrap();
    let database = format!("{}payment_db", place.servers().prefix);
    let mut on = options.database(&database).connect().await.unwrap();
    let held = "SELECT holder, epoch FROM leases WHERE name = 'log' AND held_until > now()";
    let row = on.fetch_optional(held).await.unwrap()?;
    Some((row.get(0), row.get(1)))
}

fn is_later(now: &Option<(String, i64)>, before: &(String, i64)) -> bool {
    now.as_ref().is_some_and(|(_, epoch)| *epoch > before.1)
}

/// Waits until two groups, one of the command APIs and one of the projectors, have so many members.
async fn members(place: &Place, enough: usize) {
    let prefix = place.servers().prefix;
    for group in ["payment", "order_view-g1"] {
        let (brokers, group) = (place.at.kafka.clone(), format!("{prefix}{group}"));
        let count = async || {
            let (brokers, group) = (brokers.clone(), group.clone());
            spawn_blocking(move || members_of(&brokers, &group))
                .await
                .unwrap()
        };
        timeout(WITHIN, eventually(count, |count| *count == enough))
            .await
            .unwrap();
    }
}

fn members_of(brokers: &str, group: &str) -> usize {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", brokers);
    let client: BaseConsumer = client.create().unwrap();
    let list = client.fetch_group_list(Some(group), WITHIN).unwrap();
    list.groups()
        .iter()
        .map(|group| group.members().len())
        .sum()
}

/// How often it said one of these.
fn count(role: &Role, words: &[&str]) -> usize {
    let said = role.said();
    let lines = said.lines();
    lines
        .filter(|line| words.iter().any(|it| line.contains(it)))
        .count()
}
