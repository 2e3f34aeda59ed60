//! Customers who do not give up: each command has a key and is sent until it is answered.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::support::Client;

pub const SKUS: u64 = 5;

/// A command that was answered.
#[derive(Debug, Clone)]
pub struct Answered {
    pub path: String,
    pub key: String,
    pub body: Value,
    pub status: u16,
    pub reply: Vec<u8>,
}

/// Everything that was answered.
pub type Journal = Arc<Mutex<Vec<Answered>>>;

/// Where the pipeline is to be found at the moment; `None` while it is down.
pub type Address = watch::Receiver<Option<Client>>;

/// One customer, until `enough`.
pub async fn customer(
    seed: u64,
    mut address: Address,
    journal: Journal,
    enough: watch::Receiver<bool>,
) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut orders: Vec<String> = vec![];
    let mut number = 0;
    while !*enough.borrow() {
        number += 1;
        let key = format!("customer-{seed}-{number}");
        let (path, body) = command(&mut random, &orders);
        let answered = send_until_answered(&mut address, &path, &key, &body).await;
        let reply: Value = serde_json::from_slice(&answered.reply).unwrap();
        if path == "/api/orders" {
            assert_eq!(answered.status, 201, "{reply}");
            orders.push(reply["orderId"].as_str().unwrap().to_owned());
        }
        journal.lock().unwrap().push(answered);
        // Customers think.
        sleep(Duration::from_millis(random.u64(0..60))).await;
    }
}

fn command(random: &mut fastrand::Rng, orders: &[String]) -> (String, Value) {
    let sku = format!("sku-{}", random.u64(0..SKUS));
    match random.u8(0..10) {
        0 => {
            let receipt = json!({ "quantity": random.u64(1..40) });
            (format!("/api/stock/{sku}/receipts"), receipt)
        }
        1 if !orders.is_empty() => {
            let order = &orders[random.usize(0..orders.len())];
            let reason = json!({ "reason": "changed my mind" });
            (format!("/api/orders/{order}/cancel"), reason)
        }
        _ => {
            // Of ten, seven succeed and one each is declined, times out, is not captured.
            let outcome = [1, 1, 1, 1, 1, 1, 1, 2, 3, 4][random.usize(0..10)];
            let item = json!({
                "sku": sku,
                "quantity": 1,
                "unitPrice": 100 * random.u64(1..100) + outcome,
            });
            let order = json!({"customerId": "customer", "currency": "EUR", "items": [item]});
            ("/api/orders".to_owned(), order)
        }
    }
}

/// Sends until there is an answer: what happened to a request without one is found out by its
/// key.
pub async fn send_until_answered(
    address: &mut Address,
    path: &str,
    key: &str,
    body: &Value,
) -> Answered {
    loop {
        let client = address
            .wait_for(Option::is_some)
            .await
            .unwrap()
            .clone()
            .unwrap();
        let url = format!("{}{path}", client.command);
        let headers = [("idempotency-key", key)];
        let sent = client
            .try_send(Method::POST, &url, Some(body.to_string()), &headers)
            .await;
        match sent {
            // Told to try again.
            Ok(reply) if reply.status.is_server_error() => {
                assert_eq!(reply.status, 503, "{}", reply.body);
            }
            Ok(reply) => {
                return Answered {
                    path: path.to_owned(),
                    key: key.to_owned(),
                    body: body.clone(),
                    status: reply.status.as_u16(),
                    reply: reply.bytes,
                };
            }
            Err(_) => {
                // Killed: nobody is there until the address changes, unless that was just now.
                drop(tokio::time::timeout(Duration::from_millis(20), address.changed()).await);
            }
        }
    }
}
