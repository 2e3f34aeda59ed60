//! No fact overtakes one of its topic and key, whatever fails, is redriven or cut off meanwhile.

use std::time::Duration;

use domain::values::OrderId;
use infra::failure::Failure;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use super::bench::Bench;
use crate::support::eventually;
use crate::support::torture::seed;

/// Facts of each order.
const FACTS: u64 = 80;
const ORDERS: usize = 6;

/// Whether an attempt fails is a function of seed, fact and attempt.
fn draw(seed: u64, sequence: u64, attempt: usize) -> u64 {
    let mut of = fastrand::Rng::with_seed(seed ^ (sequence << 8) ^ attempt as u64);
    of.u64(0..100)
}

async fn in_order(bench: &Bench, orders: &[OrderId]) {
    let expected: Vec<u64> = (1..=FACTS).collect();
    for order in orders {
        let taken = || async { bench.take.first_taken_of(*order) };
        let taken = eventually(taken, |taken| taken.len() as u64 == FACTS).await;
        assert_eq!(taken, expected);
        bench.free(*order).await;
    }
}

/// Asks again and again that whatever is parked be taken up.
async fn operator(bench: &Bench, orders: &[OrderId], over: &CancellationToken) {
    let mut rounds = interval(Duration::from_millis(5));
    while !over.is_cancelled() {
        rounds.tick().await;
        for order in orders {
            for row in bench.rows(*order).await.iter().filter(|row| !row.waits()) {
                bench.ask(row).await;
            }
        }
    }
}

/// Appends to all orders in turn.
async fn traffic(bench: &Bench, orders: &[OrderId]) {
    let mut rounds = interval(Duration::from_millis(3));
    for last in 3..FACTS {
        rounds.tick().await;
        for order in orders {
            bench.append(*order, last, |_| {}).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn live_traffic_never_overtakes_what_is_redriven() {
    let seed = seed();
    let mut bench = Bench::new();
    let mut orders = vec![];
    for _ in 0..ORDERS {
        orders.push(bench.order().await);
    }
    bench.take.fail(move |fact, attempt| {
        let parks = draw(seed, fact.id.sequence, attempt) < 15;
        parks.then(|| Failure::permanent("invariant", "a die was cast"))
    });
    bench.consume();
    bench.redrive();
    let over = CancellationToken::new();
    let checked = async {
        tokio::join!(traffic(&bench, &orders), in_order(&bench, &orders));
        over.cancel();
    };
    tokio::join!(checked, operator(&bench, &orders, &over));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redriver_that_is_cut_off_anywhere_repeats_and_skips_nothing() {
    let seed = seed();
    let mut bench = Bench::new();
    let mut orders = vec![];
    for _ in 0..ORDERS {
        orders.push(bench.order().await);
    }
    bench.take.fail(move |fact, attempt| {
        let parks = draw(seed, fact.id.sequence, attempt) < 15;
        parks.then(|| Failure::permanent("invariant", "a die was cast"))
    });
    bench.consume();
    let over = CancellationToken::new();
    let killer = async {
        let mut rng = fastrand::Rng::with_seed(seed);
        while !over.is_cancelled() {
            let lives = Duration::from_micros(rng.u64(..20_000));
            let running = bench.redriver().run(CancellationToken::new());
            timeout(lives, running).await.ok();
        }
    };
    let checked = async {
        tokio::join!(traffic(&bench, &orders), in_order(&bench, &orders));
        over.cancel();
    };
    tokio::join!(checked, killer, operator(&bench, &orders, &over));
    bench.stop().await;
}
