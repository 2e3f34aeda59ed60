//! One process on an embedded store.

use std::path::Path;
use std::time::Duration;

use infra::clock;
use infra::config::Config;
use oracle::World;
use oracle::fact::{Fact, Stream};
use serde_json::json;
use waybill::adapters::Adapters;

use super::{
    APART, Book, ORDERS, audit, books, dump, expect_clean, expect_finding, paid, provider, settings,
};
use crate::crash::audit::open_work;
use crate::crash::process::{Process, folder};
use crate::servers::{Crowd, Directory, Habits};
use crate::support::eventually_within;
use crate::support::provider::StubProvider;

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
    // Twice in a row: a fact may be on its way from one log to the next as they are counted.
    let open = async || (open_work(&data_dir).await, open_work(&data_dir).await);
    eventually_within(ENDS_WITHIN, open, |open| *open == (0, 0)).await;
    process.terminate().await;

    look(&data_dir, &crowd.book, &provider).await
}

/// What is in a folder that no process has.
pub async fn look(data_dir: &Path, book: &Book, provider: &StubProvider) -> World {
    let mut world = World {
        journal: book.read(),
        ledger: Some(books::of(provider)),
        read_at: Some(clock::now().as_micros()),
        ..World::default()
    };
    let config = Config {
        data_dir: data_dir.to_owned(),
        ..Config::default()
    };
    dump::of(&Adapters::open(&config).unwrap(), &mut world).await;
    world
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
