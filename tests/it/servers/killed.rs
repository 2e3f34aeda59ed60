//! Roles that are killed, or stand still for a while, while customers order.

use std::time::Duration;

use domain::Service;
use serde_json::Value;
use tokio::time::sleep;
use waybill::adapters::Adapters;

use super::fleet::Fleet;
use super::load;
use crate::support::{Client, Place, eventually_within, torture};

/// Quick, with calls under way at any moment, and leases that are soon somebody else's.
pub const PACE: [&str; 5] = [
    "payment_delay_ms=40",
    "courier_assign_ms=50",
    "courier_dispatch_ms=200",
    "courier_deliver_ms=100",
    "lease_ms=1000",
];

const ORDERS: usize = 2000;
const APART: Duration = Duration::from_millis(20);
/// How often one of every role is killed.
const KILLS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_replaced_under_load_two_of_every_role_see_every_order_to_its_end() {
    let mut random = torture::random();
    let Some(place) = Place::migrated(&PACE).await else {
        return;
    };
    let mut fleet = Fleet::start(place).await;
    load::receive(&fleet.directory(), 200, 1000).await;
    let customers = tokio::spawn(load::orders(fleet.directory(), 0..ORDERS, APART));
    for kill in 0..KILLS {
        // At any moment: this is a wait for nothing.
        sleep(Duration::from_millis(random.u64(3000..6000))).await;
        fleet.kill_and_replace(kill % 2).await;
    }
    assert!(
        !customers.is_finished(),
        "the last was not killed under load"
    );
    let sent = customers.await.unwrap();
    fleet.finish(&sent).await;
}

/// Long enough for its partitions and its leases to be somebody else's.
const STANDS_STILL: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_take_over_from_a_process_that_stands_still_and_it_does_nothing_twice() {
    let Some(place) = Place::migrated(&PACE).await else {
        return;
    };
    let fleet = Fleet::start(place).await;
    load::receive(&fleet.directory(), 40, 1000).await;
    let customers = tokio::spawn(load::orders(fleet.directory(), 0..400, APART));
    let mut sent = vec![];
    for (which, customer) in ["the first", "the second"].into_iter().enumerate() {
        let frozen = [&fleet.commands[which], &fleet.projectors[which]];
        frozen.iter().for_each(|role| role.freeze());
        // Others take over what it had.
        let client = fleet.directory().client(which + 1);
        let completed = async {
            let placed = load::place(&client, customer).await;
            let id = placed.order.as_deref().unwrap();
            client.order_in(id, "COMPLETED").await;
            placed
        };
        let (placed, ()) = tokio::join!(completed, sleep(STANDS_STILL));
        sent.push(placed);
        frozen.iter().for_each(|role| role.thaw());
    }
    sent.extend(customers.await.unwrap());
    fleet.finish(&sent).await;
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
