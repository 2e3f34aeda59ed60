//! A pipeline that has been used for a while. Takes minutes: `make scale`.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::load::send_until_answered;
use super::process::{Process, folder};
use crate::support::{Moment, eventually, order_of, settled};

const ORDERS: u64 = 100_000;
const CUSTOMERS: u64 = 64;
/// What is left when it is killed takes seconds.
const RESTS_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make scale"]
async fn killed_with_a_hundred_thousand_orders_it_is_up_in_three_seconds_and_small() {
    let (_folder, data_dir) = folder();
    let process = Process::start(&data_dir).await;
    for _ in 0..ORDERS.div_ceil(1_000_000) {
        process.client.receive("sku-1", 1_000_000).await;
    }
    let (_address, at) = watch::channel(Some(process.client.clone()));
    let mut customers = JoinSet::new();
    for customer in 0..CUSTOMERS {
        let mut at = at.clone();
        customers.spawn(async move {
            for number in 0..=ORDERS / CUSTOMERS {
                let key = format!("{customer}-{number}");
                let body = order_of("sku-1", 1, 1901);
                let placed = send_until_answered(&mut at, "/api/orders", &key, &body).await;
                assert_eq!(placed.status, 201);
            }
        });
    }
    while let Some(customer) = customers.join_next().await {
        customer.unwrap();
    }
    // As long as it gets less: one wait is not long enough for all of it.
    let open = async || Moment::within(&data_dir).await.left().unwrap();
    let mut left = u64::MAX;
    while left > 0 {
        let before = left;
        left = eventually(open, |open| *open == 0 || *open < before).await;
    }
    process.kill().await;

    let process = Process::start(&data_dir).await;
    println!("up after {:?}", process.up_after);
    assert!(process.up_after < Duration::from_secs(3));
    settled(RESTS_WITHIN, || Moment::within(&data_dir)).await;
    let resident = process.resident_mb();
    println!("{resident} MB resident");
    assert!(resident < 150);
    process.terminate().await;
}
