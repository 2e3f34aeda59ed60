//! Customers whose orders take every road that there is, and who do not give up.

use std::time::Duration;

use futures::future::{join, join_all};
use infra::payment_provider::Simulated;
use reqwest::Method;
use serde_json::{Value, json};

use super::super::load::{Address, Answered, Journal, send_until_answered};
use crate::support::eventually;

/// Decides by the price; slow enough for calls to be under way.
pub const PLAY: Simulated = Simulated {
    success_rate: 100,
    delay: Duration::from_millis(20),
    seed: 0,
};

/// What becomes of an order, as far as who places it has a say.
#[derive(Debug, Clone, Copy)]
enum Road {
    /// With a price whose last two digits are these.
    Priced(u64),
    /// Of a SKU of which there are too few.
    Scarce,
    /// Cancelled at once.
    Regretted,
    /// Cancelled when the courier has been asked.
    CalledOff,
}

/// One is declined, one is not answered at first, one is not captured.
const ROADS: [Road; 12] = [
    Road::CalledOff,
    Road::Priced(1),
    Road::Priced(1),
    Road::Priced(2),
    Road::Priced(3),
    Road::Priced(4),
    Road::Scarce,
    Road::Scarce,
    Road::Scarce,
    Road::Regretted,
    Road::Regretted,
    Road::CalledOff,
];

/// Goods come in, and customers order at once.
pub async fn visit(at: Address, journal: Journal) {
    for (sku, quantity) in [("scarce", 2), ("plenty", 100)] {
        let path = format!("/api/stock/{sku}/receipts");
        let one = Customer::new(&at, &journal, format!("receipt-of-{sku}"));
        one.sends(&path, json!({ "quantity": quantity })).await;
    }
    let customers = ROADS.iter().enumerate().map(|(n, road)| {
        let one = Customer::new(&at, &journal, format!("customer-{n}"));
        one.walks(*road)
    });
    join_all(customers).await;
}

struct Customer {
    at: Address,
    journal: Journal,
    name: String,
}

impl Customer {
    fn new(at: &Address, journal: &Journal, name: String) -> Self {
        let (at, journal) = (at.clone(), journal.clone());
        Self { at, journal, name }
    }

    async fn walks(self, road: Road) {
        let (sku, price) = match road {
            Road::Priced(last) => ("plenty", 1900 + last),
            Road::Scarce => ("scarce", 1901),
            Road::Regretted | Road::CalledOff => ("plenty", 1901),
        };
        let item = json!({"sku": sku, "quantity": 1, "unitPrice": price});
        let order = json!({"customerId": self.name, "currency": "EUR", "items": [item]});
        let placed = self.sends("/api/orders", order).await;
        let order = placed["orderId"].as_str().unwrap().to_owned();
        match road {
            Road::Priced(_) | Road::Scarce => return,
            Road::Regretted => {}
            Road::CalledOff => self.is_on_its_way(&order).await,
        }
        let path = format!("/api/orders/{order}/cancel");
        self.sends(&path, json!({"reason": "changed my mind"}))
            .await;
    }

    /// Sends a command twice under one key; what is stored for it is answered the same.
    async fn sends(&self, path: &str, body: Value) -> Value {
        let key = format!("{}-{}", self.name, path.rsplit('/').next().unwrap());
        let (mut at, mut later) = (self.at.clone(), self.at.clone());
        let first = send_until_answered(&mut at, path, &key, &body);
        let second = send_until_answered(&mut later, path, &key, &body);
        let (one, again) = join(first, second).await;
        // A cancellation that found nothing to do is answered anew.
        if one.status < 300 && !path.ends_with("/cancel") {
            assert_eq!((one.status, &one.reply), (again.status, &again.reply));
        }
        self.keep(one)
    }

    fn keep(&self, answered: Answered) -> Value {
        let reply = serde_json::from_slice(&answered.reply).unwrap();
        self.journal.lock().unwrap().push(answered);
        reply
    }

    /// Waits until the courier has been asked, or the order has ended.
    async fn is_on_its_way(&self, order: &str) {
        let look = async || {
            let client = self.at.borrow().clone()?;
            let url = format!("{}/api/orders/{order}", client.query);
            let read = client.try_send(Method::GET, &url, None, &[]).await;
            Some(read.ok()?.body)
        };
        let on_its_way = |order: &Option<Value>| {
            let Some(order) = order else { return false };
            let ended = ["COMPLETED", "CANCELLED"].map(Value::from);
            order["delivery"]["status"] == "ASSIGNED" || ended.contains(&order["status"])
        };
        eventually(look, on_its_way).await;
    }
}
