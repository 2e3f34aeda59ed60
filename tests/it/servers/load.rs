//! Customers who place orders at a steady rate, whoever answers, and do not give up: each command
//! has a key, and goes to the other process where one gives no answer.

use std::ops::Range;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::fleet::Directory;
use crate::support::{Client, Reply};

/// SKUs; of the first there is not enough for everybody.
pub const SKUS: usize = 5;
/// How long a customer waits for an answer: longer than a healthy process ever takes.
const ANSWER: Duration = Duration::from_secs(4);
/// How long a command may take that needs none of what is missing. It takes milliseconds, and on two
/// cores with everything else beside it sometimes seconds; what waits for a server that is missing
/// takes as long as that is.
pub const TAKES_WITHIN: Duration = Duration::from_secs(8);
/// The pause before a customer asks again.
const PAUSE: Duration = Duration::from_millis(50);
/// Of so many customers one gives up where there is no answer, and one cancels.
const GIVES_UP: usize = 7;
const CANCELS: usize = 9;

/// An order that somebody tried to place.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Nobody else has this one.
    pub customer: String,
    /// Its id, where it was answered.
    pub order: Option<String>,
    /// Whether its cancellation was taken.
    pub cancelled: bool,
}

/// Puts goods in stock.
pub async fn receive(directory: &Directory, first: u64, others: u64) {
    for sku in 0..SKUS {
        let quantity = if sku == 0 { first } else { others };
        let path = format!("/api/stock/sku-{sku}/receipts");
        let body = json!({ "quantity": quantity });
        let received = until_answered(directory, sku, &path, &path, &body).await;
        assert_eq!(received.status, 200, "{}", received.body);
    }
}

/// Places an order for each number, one every `apart`.
pub async fn orders(directory: Directory, numbers: Range<usize>, apart: Duration) -> Vec<Sent> {
    let mut customers = JoinSet::new();
    let mut tick = interval(apart);
    // However long anybody waits for an answer, the next ones come.
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for n in numbers {
        tick.tick().await;
        customers.spawn(customer(directory.clone(), n));
    }
    customers.join_all().await
}

/// Places an order that is taken at once, whatever is missing.
pub async fn place(client: &Client, customer: &str) -> Sent {
    let item = json!({"sku": "sku-1", "quantity": 1, "unitPrice": 1901});
    let order = json!({"customerId": customer, "currency": "EUR", "items": [item]});
    let placed = timeout(TAKES_WITHIN, client.post("/api/orders", order));
    let placed = placed.await.unwrap().expect(201);
    Sent {
        customer: customer.to_owned(),
        order: placed.body["orderId"].as_str().map(ToOwned::to_owned),
        cancelled: false,
    }
}

async fn customer(directory: Directory, n: usize) -> Sent {
    let mut sent = Sent {
        customer: format!("customer-{n}"),
        order: None,
        cancelled: false,
    };
    // Of ten, seven succeed and one each is declined, times out, is not captured.
    let outcome = [1, 1, 1, 1, 1, 1, 1, 2, 3, 4][n % 10];
    let item = json!({
        "sku": format!("sku-{}", n / 10 % SKUS),
        "quantity": 1,
        "unitPrice": 1900 + outcome,
    });
    let body = json!({"customerId": sent.customer, "currency": "EUR", "items": [item]});
    let key = format!("order-{n}");
    let placed = if n.is_multiple_of(GIVES_UP) {
        try_once(&directory.client(n), "/api/orders", &key, &body).await
    } else {
        Some(until_answered(&directory, n, "/api/orders", &key, &body).await)
    };
    let Some(placed) = placed else { return sent };
    assert_eq!(placed.status, 201, "{}", placed.body);
    let order = placed.body["orderId"].as_str().unwrap().to_owned();
    see(&directory, n, &order, placed.token()).await;
    if n.is_multiple_of(CANCELS) {
        let path = format!("/api/orders/{order}/cancel");
        let reason = json!({"reason": "changed my mind"});
        let asked = until_answered(&directory, n, &path, &path, &reason).await;
        sent.cancelled = asked.status == 202;
        assert!(sent.cancelled || asked.status == 409, "{}", asked.body);
    }
    sent.order = Some(order);
    sent
}

/// Reads the order until what its token names is seen.
async fn see(directory: &Directory, n: usize, order: &str, token: &str) {
    for which in n.. {
        let client = directory.client(which);
        let url = format!("{}/api/orders/{order}?after={token}", client.query);
        let read = client.try_send(Method::GET, &url, None, &[]);
        match timeout(ANSWER, read).await {
            Ok(Ok(reply)) if reply.status == 200 => return,
            Ok(Ok(reply)) => {
                let later = reply.status == 202 || reply.status == 503;
                assert!(later, "{}: {}", reply.status, reply.body);
            }
            Ok(Err(_)) | Err(_) => {}
        }
        sleep(PAUSE).await;
    }
}

async fn until_answered(
    directory: &Directory,
    n: usize,
    path: &str,
    key: &str,
    body: &Value,
) -> Reply {
    for which in n.. {
        if let Some(reply) = try_once(&directory.client(which), path, key, body).await {
            return reply;
        }
        sleep(PAUSE).await;
    }
    unreachable!("an answer comes first")
}

/// None where nobody knows what came of it.
async fn try_once(client: &Client, path: &str, key: &str, body: &Value) -> Option<Reply> {
    let url = format!("{}{path}", client.command);
    // Keys are no paths.
    let key = key.replace('/', "-");
    let headers = [("idempotency-key", key.as_str())];
    let send = client.try_send(Method::POST, &url, Some(body.to_string()), &headers);
    let reply = timeout(ANSWER, send).await.ok()?.ok()?;
    match reply.status.is_server_error() {
        true => {
            assert_eq!(reply.status, 503, "{}", reply.body);
            None
        }
        false => Some(reply),
    }
}
