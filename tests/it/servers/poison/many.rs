//! One fact of a hundred is broken on its way, in every way there is, while customers order.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use infra::bus::Record;

use super::between::{Between, Breaks};
use super::kinds::{Kind, text};
use super::shop::{Shop, declare, declare_stray};
use crate::dlq::stray;
use crate::oracle::{audit, expect_clean, provider};
use crate::support::{Addresses, torture};

/// Orders before anything is broken, and then in each round: of what is said of these, one of a
/// hundred is one of each kind, and one or two more.
const CALM: usize = 40;
const ORDERS: usize = 145;
/// Rounds of a long run.
const ROUNDS: usize = 10;
/// One fact of so many is broken.
const ONE_OF: u32 = 100;
/// What a machine that is busy with others may add to what orders take.
const BUSY: Duration = Duration::from_secs(8);
/// Of so many customers the last asks for a delivery again and again until there is one, as `load`
/// has it: their facts are left alone.
const IMPATIENT: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_facts_that_are_broken_in_every_way_each_is_set_aside_and_others_do_not_notice() {
    let Some(at) = Addresses::shared() else {
        return;
    };
    let begun = Instant::now();
    let provider = provider().await;
    let on = Arc::new(AtomicBool::new(false));
    let between = Between::start(&at.kafka, breaks(torture::random(), on.clone())).await;
    let shop = Shop::open(&at, &between, provider).await;
    shop.write_unreadably().await;
    let mut customers = vec![shop.come(0..CALM)];
    shop.others_end(CALM).await;
    let healed = shop.unreadable().await;
    let usual = shop.took(0..CALM, &BTreeSet::new()).await;

    let (mut next, mut broken) = (CALM, 0);
    for _ in 0..torture::scaled(1, ROUNDS) {
        let numbers = next..next + ORDERS;
        next = numbers.end;
        on.store(true, Ordering::Relaxed);
        customers.push(shop.come(numbers.clone()));
        let held = shop.others_end(next).await;
        on.store(false, Ordering::Relaxed);
        let took = shop.took(numbers, &held).await;
        println!("usual {usual:.1?}, beside poison {took:.1?}");
        assert!(
            took[1] < usual[1] * 3 + BUSY,
            "usually {usual:?}, now {took:?}"
        );
        broken = shop.expect_set_aside(&healed).await;
        shop.redrive(&healed).await;
        for customers in customers.drain(..) {
            customers.await.unwrap();
        }
        shop.fleet.settled().await;
    }
    let stray = shop.stray().await;
    shop.fleet.settled().await;
    let mut world = shop.look(&healed).await;
    declare(&mut world, &healed);
    declare_stray(&mut world, &stray);
    let aside = audit(&world);
    let aside = aside.check("I9").unwrap();
    assert_eq!(aside.findings, []);
    let world = stray::expect_named(world, &stray);
    expect_clean(&world, &["I11"]);
    shop.fleet.terminate().await;
    let (facts, orders) = (world.facts.len(), next);
    torture::report(
        "poison on servers",
        &format!(
            "{broken} of {facts} facts broken in {} ways, {} more in the log, one that breaks an \
             invariant, {orders} orders, {:.1?}",
            Kind::ALL.len(),
            healed.len(),
            begun.elapsed()
        ),
    );
}

/// Breaks one record of a hundred, in one way after the other, while that is `on`: the first about an
/// order from a random place of the hundred on. What is about stock is left alone, since all orders of
/// a SKU wait for one that is about its key.
fn breaks(mut random: fastrand::Rng, on: Arc<AtomicBool>) -> Breaks {
    let mut others: HashMap<String, (String, String)> = HashMap::new();
    let (mut kinds, mut wait) = (Kind::ALL.iter().cycle(), random.u32(..ONE_OF));
    let mut to_come = 0;
    Box::new(move |topic, record, room| {
        if !topic.contains("raw.") || !on.load(Ordering::Relaxed) {
            return false;
        }
        if wait == 0 {
            to_come += 1;
            wait = ONE_OF;
        }
        wait -= 1;
        let (key, fact) = (key_of(record), text(record, "ce_id"));
        let other = others.insert(topic.to_owned(), (key.clone(), fact.clone()));
        let Some((_, other)) = other.filter(|(other, _)| *other != key) else {
            return false;
        };
        let of_stock = fact.starts_with("stock-") || other.starts_with("stock-");
        if to_come == 0 || of_stock || is_impatient(record) {
            return false;
        }
        to_come -= 1;
        kinds.next().unwrap().apply(record, &other, room);
        true
    })
}

fn key_of(record: &Record) -> String {
    String::from_utf8(record.key.as_ref().unwrap().to_vec()).unwrap()
}

fn is_impatient(record: &Record) -> bool {
    let customer = text(record, "ce_customerid");
    let number = customer.strip_prefix("customer-").unwrap();
    number.parse::<usize>().unwrap() % IMPATIENT == IMPATIENT - 1
}
