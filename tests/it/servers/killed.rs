//! Roles that are killed while customers order.

use std::ops::Range;
use std::time::{Duration, Instant};

use domain::Service;
use serde_json::Value;
use tokio::time::sleep;
use waybill::adapters::Adapters;

use super::faults::Stage;
use crate::support::{Client, Place, eventually_within, torture};

/// Quick, with calls under way at any moment, and leases that are soon somebody else's.
pub const PACE: [&str; 5] = [
    "payment_delay_ms=40",
    "courier_assign_ms=50",
    "courier_dispatch_ms=200",
    "courier_deliver_ms=100",
    "lease_ms=1000",
];

const APART: Duration = Duration::from_millis(60);
/// Two of every role.
const PROCESSES: usize = 6;
/// How often each of them is killed; and in a long run.
const KILLS: usize = 3;
const MANY_KILLS: usize = 20;
/// The pause before each, in milliseconds: most of them meet a process that has joined its groups,
/// and some do not.
const PAUSE_MS: Range<u64> = 100..1500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_replaced_under_load_two_of_every_role_see_every_order_to_its_end() {
    let mut random = torture::random();
    let Some(mut stage) = Stage::on_shared_servers(&[], APART).await else {
        return;
    };
    let begun = Instant::now();
    let (mut all, mut kills) = ([0, 1, 2, 3, 4, 5], 0);
    for _ in 0..torture::scaled(KILLS, MANY_KILLS) {
        random.shuffle(&mut all);
        for process in all {
            // At any moment: this is a wait for nothing.
            sleep(Duration::from_millis(random.u64(PAUSE_MS))).await;
            let role = stage.fleet.kill_one(process).await;
            stage.fault(&format!("{role} {} was killed", process % 2));
            kills += 1;
        }
    }
    let took = begun.elapsed();
    let left = stage.finish().await;
    torture::report(
        "roles on servers are killed under load",
        &format!(
            "{kills} kills, {} of each of six processes, in {took:.1?}, {left}",
            kills / PROCESSES
        ),
    );
}

/// Less than the 30 s for which a lock on a payment lives.
const SOON: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_whose_process_was_killed_during_the_call_goes_on_as_soon_as_another_has_the_lease()
 {
    let slowly = ["payment_delay_ms=2000", "lease_ms=1000", "courier=none"];
    let Some(place) = Place::migrated(&slowly).await else {
        return;
    };
    let mut first = place.start("command-api").await;
    let views = [
        place.start("projectors").await,
        place.start("query-api").await,
    ];
    let client = Client::new(first.url(), views[1].url());
    client.receive("sku-1", 1).await;
    let id = client.place("sku-1", 1, 1901).await;
    client
        .order_until(&id, |order| order["payment"]["status"] == "REQUESTED")
        .await;
    first.kill().await;
    let adapters = Adapters::open(&place.config()).unwrap();
    let log = adapters.store(Service::Payment).read_log(0, 100).await;
    let answered = log
        .unwrap()
        .iter()
        .any(|fact| fact.name == "payment.authorized");
    assert!(!answered, "the call had ended before the kill");
    let second = place.start("command-api").await;
    let paid = |order: &Value| order["payment"]["status"] == "AUTHORIZED";
    eventually_within(SOON, || client.order(&id), paid).await;
    for role in views.into_iter().chain([second]) {
        role.terminate().await;
    }
}
