use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::audit::audit;
use super::load::{Journal, customer, send_until_answered};
use super::process::{Process, folder};
use crate::support::{Moment, settled, torture};

const KILLS: usize = 30;
/// And in a long run.
const MANY_KILLS: usize = 300;
/// Commands that have to be answered meanwhile; on a busy machine that takes more kills.
const LOAD: usize = 1000;
const ENOUGH_WITHIN: Duration = Duration::from_secs(180);
const MANY_WITHIN: Duration = Duration::from_secs(1200);
const CUSTOMERS: u64 = 64;
/// Some 40,000 facts may be left to take after the last kill; far more than that takes.
const IDLE_WITHIN: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_under_load_it_loses_nothing_and_does_nothing_twice() {
    let mut random = torture::random();
    let (_folder, data_dir) = folder();
    let (address, at) = watch::channel(None);
    let (enough, is_enough) = watch::channel(false);
    let journal = Journal::default();
    let mut customers = JoinSet::new();
    for _ in 0..CUSTOMERS {
        let (at, is_enough) = (at.clone(), is_enough.clone());
        customers.spawn(customer(random.u64(..), at, journal.clone(), is_enough));
    }

    let within = torture::scaled(ENOUGH_WITHIN, MANY_WITHIN);
    let begun = Instant::now();
    let mut slowest = Duration::ZERO;
    let mut kills = 0;
    let most = torture::scaled(KILLS, MANY_KILLS);
    while kills < most || journal.lock().unwrap().len() <= LOAD {
        assert!(begun.elapsed() < within, "{kills} kills");
        let process = Process::start(&data_dir).await;
        slowest = slowest.max(process.up_after);
        address.send_replace(Some(process.client.clone()));
        // At any moment: this is the one wait that is for nothing.
        sleep(Duration::from_millis(random.u64(20..900))).await;
        address.send_replace(None);
        process.kill().await;
        kills += 1;
    }
    let took = begun.elapsed();

    let process = Process::start(&data_dir).await;
    address.send_replace(Some(process.client.clone()));
    enough.send_replace(true);
    while let Some(customer) = customers.join_next().await {
        customer.unwrap();
    }
    let answered = journal.lock().unwrap().clone();
    torture::report(
        "the embedded pipeline is killed under load",
        &format!(
            "{kills} kills in {took:.1?}, {} commands answered, up again within {slowest:.1?}",
            answered.len()
        ),
    );

    // The same key gets the byte-same answer, whatever happened in between.
    let mut at = at.clone();
    for one in answered
        .iter()
        .filter(|one| one.status < 300)
        .step_by(answered.len() / 200)
    {
        let again = send_until_answered(&mut at, &one.path, &one.key, &one.body).await;
        // A cancellation that found nothing to do is answered anew.
        if !one.path.ends_with("/cancel") {
            assert_eq!((again.status, again.reply), (one.status, one.reply.clone()));
        }
    }

    settled(IDLE_WITHIN, || Moment::within(&data_dir)).await;
    process.terminate().await;
    audit(&data_dir, &answered).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_its_very_first_start_it_starts_again() {
    let mut random = fastrand::Rng::new();
    for _ in 0..40 {
        let (_folder, data_dir) = folder();
        let begun = Process::begin(&data_dir);
        // At any moment, as above.
        sleep(Duration::from_micros(random.u64(0..60_000))).await;
        begun.kill().await;
        let process = Process::start(&data_dir).await;
        process.client.receive("sku-1", 1).await;
        process.kill().await;
    }
}
