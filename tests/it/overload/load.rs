//! Customers who come at their times.
//!
//! A request has a time at which it is meant to be sent, and what it took counts from there: who
//! has to wait to be sent waits too.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use infra::clock;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::connection::{Connection, Outcome};
use super::wrong::Wrong;
use crate::oracle::Book;
use crate::support::Reply;

/// Of so many commands one is an order. The others are goods that arrive: one fact each, so that
/// what follows from a second of load is done within seconds too.
const ORDERS: usize = 20;
/// SKUs that goods arrive of: far more than commands at once, so that few meet.
const SKUS: usize = 1000;
/// SKUs that orders are of.
const ORDERED: usize = 5;

/// Who sends commands to an API.
#[derive(Clone)]
pub struct Load(Arc<Shared>);

struct Shared {
    address: Mutex<String>,
    idle: Mutex<Vec<(String, Connection)>>,
    sent: AtomicUsize,
    book: Book,
}

/// A request, and what became of it.
#[derive(Debug)]
pub struct Sent {
    /// Its number.
    pub number: usize,
    /// From when it was meant to be sent.
    pub took: Duration,
    pub outcome: Outcome,
}

impl Sent {
    pub fn reply(&self) -> Option<&Reply> {
        match &self.outcome {
            Outcome::Answered(reply) => Some(reply),
            Outcome::NobodyThere | Outcome::NoAnswer | Outcome::Half => None,
        }
    }

    pub fn is_accepted(&self) -> bool {
        let taken = self.reply().is_some_and(|reply| reply.status.is_success());
        taken && Wrong::of(self.number).is_none()
    }

    /// It was wrong, and was told what is.
    pub fn is_told(&self) -> bool {
        let (wrong, reply) = (Wrong::of(self.number), self.reply());
        wrong
            .zip(reply)
            .is_some_and(|(wrong, reply)| wrong.is_said_by(reply))
    }

    /// It was told to try again.
    pub fn is_refused(&self) -> bool {
        self.reply().is_some_and(|reply| {
            let later = [429, 503].contains(&reply.status.as_u16());
            later && reply.header("retry-after").is_some()
        })
    }
}

impl Load {
    /// On an API at `url`.
    pub fn on(url: &str, book: &Book) -> Self {
        let shared = Shared {
            address: Mutex::new(address_of(url)),
            idle: Mutex::default(),
            sent: AtomicUsize::new(0),
            book: book.clone(),
        };
        Self(Arc::new(shared))
    }

    /// It is at `url` now.
    pub fn moves_to(&self, url: &str) {
        *self.0.address.lock().unwrap() = address_of(url);
    }

    /// Puts in stock what is ordered.
    pub async fn receive(&self) {
        for sku in 0..ORDERED {
            let path = format!("/api/stock/ordered-{sku}/receipts");
            let body = json!({"quantity": 1_000_000});
            let received = self.send(&path, &format!("receipt-{sku}"), &body).await;
            assert!(matches!(received, Outcome::Answered(reply) if reply.status == 200));
        }
    }

    /// What `clients` get done in a second who ask again as soon as they are answered.
    pub async fn saturates(&self, clients: usize, lasts: Duration) -> f64 {
        let begun = Instant::now();
        let mut asking = JoinSet::new();
        for _ in 0..clients {
            let load = self.clone();
            asking.spawn(async move {
                let mut accepted = 0_u32;
                while begun.elapsed() < lasts {
                    let sent = load.next(Instant::now()).await;
                    accepted += u32::from(sent.is_accepted());
                }
                accepted
            });
        }
        let accepted: u32 = asking.join_all().await.into_iter().sum();
        f64::from(accepted) / begun.elapsed().as_secs_f64()
    }

    /// So many a second, whatever becomes of them.
    pub async fn comes(&self, each_second: f64, lasts: Duration) -> Vec<Sent> {
        let begun = Instant::now();
        let count = (each_second * lasts.as_secs_f64()) as u32;
        let mut coming = JoinSet::new();
        for n in 0..count {
            let meant = begun + Duration::from_secs_f64(f64::from(n) / each_second);
            sleep_until(meant).await;
            let load = self.clone();
            coming.spawn(async move { load.next(meant).await });
        }
        coming.join_all().await
    }

    async fn next(&self, meant: Instant) -> Sent {
        let number = self.0.sent.fetch_add(1, Ordering::Relaxed);
        self.request(number, meant).await
    }

    /// The request of a number, once more.
    pub async fn again(&self, number: usize) -> Sent {
        self.request(number, Instant::now()).await
    }

    async fn request(&self, number: usize, meant: Instant) -> Sent {
        let key = format!("command-{number}");
        let outcome = match Wrong::of(number) {
            Some(wrong) => self.mistake(wrong, &key).await,
            None => self.command(number, &key).await,
        };
        Sent {
            number,
            took: meant.elapsed(),
            outcome,
        }
    }

    /// Nobody writes down that it was asked for: it is no command, and nothing may come of it.
    async fn mistake(&self, wrong: Wrong, key: &str) -> Outcome {
        let request = post(wrong.path(), key, &wrong.body());
        match wrong {
            // It may be answered before all of it is read, and then the connection is closed.
            Wrong::TooLarge => match Connection::open(&self.address()).await {
                Ok(connection) => connection.ask(&request).await.0,
                Err(outcome) => outcome,
            },
            Wrong::NoJson | Wrong::NoRoute => self.ask(&request).await,
        }
    }

    async fn command(&self, number: usize, key: &str) -> Outcome {
        if !number.is_multiple_of(ORDERS) {
            let path = format!("/api/stock/sku-{}/receipts", number % SKUS);
            return self.send(&path, key, &json!({"quantity": 1})).await;
        }
        let sku = format!("ordered-{}", number / ORDERS % ORDERED);
        let item = json!({"sku": sku, "quantity": 1, "unitPrice": 1901});
        let customer = format!("customer-{number}");
        let order = json!({"customerId": customer, "currency": "EUR", "items": [item]});
        self.send("/api/orders", key, &order).await
    }

    async fn send(&self, path: &str, key: &str, body: &Value) -> Outcome {
        let request = post(path, key, &body.to_string());
        let asked_at = clock::now();
        let outcome = self.ask(&request).await;
        let reply = match &outcome {
            Outcome::Answered(reply) => Some(reply),
            Outcome::NobodyThere | Outcome::NoAnswer | Outcome::Half => None,
        };
        self.0.book.asked(asked_at, path, key, body, reply);
        outcome
    }

    async fn ask(&self, request: &[u8]) -> Outcome {
        let address = self.address();
        let idle = self.idle_at(&address);
        let connection = match idle {
            Some(connection) => connection,
            None => match Connection::open(&address).await {
                Ok(connection) => connection,
                Err(outcome) => return outcome,
            },
        };
        let (outcome, kept) = connection.ask(request).await;
        let mut idle = self.0.idle.lock().unwrap();
        idle.extend(kept.map(|connection| (address, connection)));
        outcome
    }

    fn address(&self) -> String {
        self.0.address.lock().unwrap().clone()
    }

    fn idle_at(&self, address: &str) -> Option<Connection> {
        let mut idle = self.0.idle.lock().unwrap();
        idle.retain(|(at, _)| at == address);
        idle.pop().map(|(_, connection)| connection)
    }
}

fn post(path: &str, key: &str, body: &str) -> Vec<u8> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: waybill\r\ncontent-type: application/json\r\n\
         idempotency-key: {key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    request.into_bytes()
}

fn address_of(url: &str) -> String {
    url.trim_start_matches("http://").to_owned()
}

/// What half of them took, and 99 of a hundred.
pub fn percentiles<'a>(sent: impl Iterator<Item = &'a Sent>) -> [Duration; 2] {
    let mut took: Vec<_> = sent.map(|sent| sent.took).collect();
    took.sort_unstable();
    let at = |percent: usize| took.get(took.len().saturating_sub(1) * percent / 100);
    [50, 99].map(|percent| at(percent).copied().unwrap_or_default())
}
