//! One process on an embedded store.

use std::time::Duration;

use oracle::World;
use oracle::fact::{Fact, Stream};
use serde_json::json;

use super::{APART, ORDERS, audit, expect_clean, expect_finding, look, paid, provider, settings};
use crate::crash::process::{Process, folder};
use crate::servers::{Crowd, Directory, Habits};
use crate::support::{Moment, settled};

/// Far more than 150 orders take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// What so many orders leave behind.
async fn left_by(orders: usize) -> World {
    let (_folder, data_dir) = folder();
    let provider = provider().await;
    let settings = settings(&provider);
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let process = Process::start_with(&data_dir, &settings).await;
    let directory = Directory::of([process.client.clone(), process.client.clone()]);
    let crowd = Crowd::new(&directory, Habits::Difficult);
    crowd.receive(10, 100).await;
    crowd.orders(0..orders, APART).await;
    settled(ENDS_WITHIN, || Moment::within(&data_dir)).await;
    process.terminate().await;

    look::in_folder(&data_dir, &crowd.book, Some(&provider)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_leaves_behind_is_as_promised() {
    let world = left_by(ORDERS).await;
    // There are no topics, no dead letters and no generations, and nothing was broken.
    expect_clean(&world, &["I3", "I9", "I11"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_to_what_one_process_leaves_behind_is_named() {
    let whole = left_by(30).await;
    expect_clean(&whole, &["I3", "I9", "I11"]);
    let order = paid(&whole)[0];

    let captured = format!("payment-{order}-4");
    let mut world = whole.clone();
    world.facts.retain(|fact| fact.id() != captured);
    let report = audit(&world);
    let unknown = "the provider did capture, and the log does not know";
    expect_finding(&report, "I4", order, unknown);
    expect_finding(&report, "I7", order, "payment_status is \"CAPTURED\"");

    let mut world = whole.clone();
    let mut tables = world.tables.iter_mut();
    let view = tables.find(|table| table.name == "order_view").unwrap();
    let row = view.rows.iter_mut().find(|row| row.key[0] == order);
    let name = row.unwrap().cells.get_mut("driver_name");
    name.unwrap().value = json!("Driver Who");
    expect_finding(&audit(&world), "I7", order, "driver_name is \"Driver Who\"");

    let mut world = whole.clone();
    let of_payment = |fact: &Fact| fact.order() == Some(order) && fact.stream() == Stream::Payment;
    world.facts.retain(|fact| !of_payment(fact));
    let held = format!("reservation-{order}-1");
    expect_finding(
        &audit(&world),
        "I8",
        &held,
        "payment has passed inventory.reserved",
    );
}
