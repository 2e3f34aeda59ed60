//! Customers who place orders at a steady rate, whoever answers, and do not give up: each command
//! has a key, and goes to the other process where one gives no answer.
//!
//! What they ask and are told is kept in a [`Book`], for the oracle to read.

use std::future::pending;
use std::ops::Range;
use std::pin::pin;
use std::time::Duration;

use infra::clock;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::fleet::Directory;
use crate::oracle::Book;
use crate::support::{Client, Reply};

/// SKUs; of the first there is not enough for everybody.
pub const SKUS: usize = 5;
/// How long a customer waits for an answer: longer than a healthy process ever takes.
const ANSWER: Duration = Duration::from_secs(4);
/// How long a command may take that needs none of what is missing. It takes milliseconds, and on two
/// cores with everything else beside it sometimes seconds; what waits for a server that is missing
/// takes as long as that is.
pub const TAKES_WITHIN: Duration = Duration::from_secs(8);
/// The pause before a customer asks again, at first and at most: in an outage there are hundreds who
/// do, and the pipeline is to be busy with more than them.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
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

/// Who the customers are.
#[derive(Clone)]
pub struct Crowd {
    directory: Directory,
    /// What they ask and are told.
    pub book: Book,
    /// What some of them do beside that.
    pub habits: Habits,
}

/// What some customers do, beside ordering and cancelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habits {
    /// Nothing.
    Plain,
    /// They hang up before they are answered, ask again for what they were told, say that the
    /// courier has failed, and look after their orders until these have ended.
    Difficult,
}

/// Of so many difficult customers one hangs up, one has a courier that fails, and one asks again.
const HANGS_UP: usize = 6;
const FAILS: usize = 8;
const ASKS_AGAIN: usize = 5;
/// Who hangs up does so after up to so many milliseconds: commands take some of that.
const SHORT_MS: usize = 16;
/// How long a customer looks after an order.
const LOOKS_FOR: Duration = Duration::from_secs(30);

/// Puts goods in stock.
pub async fn receive(directory: &Directory, first: u64, others: u64) {
    Crowd::plain(directory).receive(first, others).await;
}

/// Places an order for each number, one every `apart`.
pub async fn orders(directory: Directory, numbers: Range<usize>, apart: Duration) -> Vec<Sent> {
    Crowd::plain(&directory).orders(numbers, apart).await
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

/// The pauses of one who asks again and again.
struct Patience(Duration);

impl Patience {
    fn new() -> Self {
        Self(PAUSES[0])
    }

    async fn wait(&mut self) {
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(PAUSES[1]);
    }
}

fn hangs_up_after(n: usize) -> Duration {
    Duration::from_millis((n % SHORT_MS) as u64)
}

impl Crowd {
    fn plain(directory: &Directory) -> Self {
        Self::new(directory, Habits::Plain)
    }

    pub fn new(directory: &Directory, habits: Habits) -> Self {
        Self {
            directory: directory.clone(),
            book: Book::default(),
            habits,
        }
    }

    pub async fn receive(&self, first: u64, others: u64) {
        for sku in 0..SKUS {
            let quantity = if sku == 0 { first } else { others };
            let path = format!("/api/stock/sku-{sku}/receipts");
            let body = json!({ "quantity": quantity });
            let received = self.until_answered(sku, &path, &path, &body).await;
            assert_eq!(received.status, 200, "{}", received.body);
        }
    }

    pub async fn orders(&self, numbers: Range<usize>, apart: Duration) -> Vec<Sent> {
        self.orders_until(numbers, apart, pending()).await
    }

    /// The same; who has not come by the time when it is `enough` stays away.
    pub async fn orders_until(
        &self,
        numbers: Range<usize>,
        apart: Duration,
        enough: impl Future<Output = ()>,
    ) -> Vec<Sent> {
        let mut enough = pin!(enough);
        let mut customers = JoinSet::new();
        let mut tick = interval(apart);
        // However long anybody waits for an answer, the next ones come.
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for n in numbers {
            tokio::select! {
                biased;
                () = &mut enough => break,
                _ = tick.tick() => {}
            }
            let crowd = self.clone();
            customers.spawn(async move { crowd.customer(n).await });
        }
        customers.join_all().await
    }

    /// Places one at one of the two, or else at the other, and returns its id.
    pub async fn order(&self, which: usize, customer: &str) -> String {
        let item = json!({"sku": "sku-1", "quantity": 1, "unitPrice": 1901});
        let body = json!({"customerId": customer, "currency": "EUR", "items": [item]});
        let key = format!("order-{customer}");
        let placed = self.until_answered(which, "/api/orders", &key, &body);
        let placed = placed.await.expect(201);
        placed.body["orderId"].as_str().unwrap().to_owned()
    }

    fn is_difficult(&self, n: usize, each: usize) -> bool {
        self.habits == Habits::Difficult && n % each == each - 1
    }

    async fn customer(&self, n: usize) -> Sent {
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
        if self.is_difficult(n, HANGS_UP) {
            let soon = hangs_up_after(n);
            self.try_for(soon, n, "/api/orders", &key, &body).await;
        }
        let placed = if n.is_multiple_of(GIVES_UP) {
            let patience = match self.habits {
                Habits::Plain => ANSWER,
                Habits::Difficult => hangs_up_after(n),
            };
            self.try_for(patience, n, "/api/orders", &key, &body).await
        } else {
            Some(self.until_answered(n, "/api/orders", &key, &body).await)
        };
        let Some(placed) = placed else { return sent };
        assert_eq!(placed.status, 201, "{}", placed.body);
        let order = placed.body["orderId"].as_str().unwrap().to_owned();
        self.see(n, &order, placed.token()).await;
        if self.is_difficult(n, FAILS) {
            self.courier_fails(n, &order).await;
        }
        if n.is_multiple_of(CANCELS) {
            let path = format!("/api/orders/{order}/cancel");
            let reason = json!({"reason": "changed my mind"});
            let asked = self.until_answered(n, &path, &path, &reason).await;
            sent.cancelled = asked.status == 202;
            assert!(sent.cancelled || asked.status == 409, "{}", asked.body);
        }
        if self.habits == Habits::Difficult {
            self.look_after(n, &order).await;
        }
        if self.is_difficult(n, ASKS_AGAIN) {
            self.until_answered(n, "/api/orders", &key, &body).await;
        }
        sent.order = Some(order);
        sent
    }

    /// The goods will not arrive; as soon as a courier was asked to bring them.
    async fn courier_fails(&self, n: usize, order: &str) {
        let path = format!("/api/deliveries/{order}/fail");
        let reason = json!({"reason": "no such street"});
        let (begun, mut patience) = (Instant::now(), Patience::new());
        // Whether it was asked in time is another's question, as below. Never in the middle of an
        // attempt, of which nobody would know then.
        while begun.elapsed() < LOOKS_FOR {
            let told = self.until_answered(n, &path, &path, &reason).await;
            if told.status != 404 {
                assert!([200, 409].contains(&told.status.as_u16()), "{}", told.body);
                return;
            }
            patience.wait().await;
        }
    }

    /// Reads the order until what its token names is seen.
    async fn see(&self, n: usize, order: &str, token: &str) {
        let mut patience = Patience::new();
        for which in n.. {
            match self.read(which, order, Some(token)).await {
                Some(reply) if reply.status == 200 => return,
                Some(reply) => {
                    let later = reply.status == 202 || reply.status == 503;
                    assert!(later, "{}: {}", reply.status, reply.body);
                }
                None => {}
            }
            patience.wait().await;
        }
    }

    /// Reads the order until it has ended, from everybody in turn.
    async fn look_after(&self, n: usize, order: &str) {
        let look = async {
            let mut patience = Patience::new();
            for which in n.. {
                let read = self.read(which, order, None).await;
                let status = read.map(|read| read.body["status"].clone());
                if status.is_some_and(|status| status == "COMPLETED" || status == "CANCELLED") {
                    return;
                }
                patience.wait().await;
            }
        };
        // Who has seen enough goes away; whether it ends is another's question.
        timeout(LOOKS_FOR, look).await.ok();
    }

    async fn read(&self, which: usize, order: &str, token: Option<&str>) -> Option<Reply> {
        let client = self.directory.client(which);
        let after = token.map_or_else(String::new, |token| format!("?after={token}"));
        let url = format!("{}/api/orders/{order}{after}", client.query);
        let asked_at = clock::now();
        let read = client.try_send(Method::GET, &url, None, &[]);
        let reply = timeout(ANSWER, read).await.ok()?.ok()?;
        self.book
            .saw(&format!("customer-{which}"), asked_at, &reply);
        Some(reply)
    }

    async fn until_answered(&self, n: usize, path: &str, key: &str, body: &Value) -> Reply {
        let mut patience = Patience::new();
        for which in n.. {
            if let Some(reply) = self.try_for(ANSWER, which, path, key, body).await {
                return reply;
            }
            patience.wait().await;
        }
        unreachable!("an answer comes first")
    }

    /// None where nobody knows what came of it.
    async fn try_for(
        &self,
        patience: Duration,
        which: usize,
        path: &str,
        key: &str,
        body: &Value,
    ) -> Option<Reply> {
        let client = self.directory.client(which);
        let url = format!("{}{path}", client.command);
        // Keys are no paths.
        let key = key.replace('/', "-");
        let headers = [("idempotency-key", key.as_str())];
        let asked_at = clock::now();
        let send = client.try_send(Method::POST, &url, Some(body.to_string()), &headers);
        let reply = timeout(patience, send).await.ok().and_then(Result::ok);
        self.book.asked(asked_at, path, &key, body, reply.as_ref());
        let reply = reply?;
        match reply.status.is_server_error() {
            true => {
                assert_eq!(reply.status, 503, "{}", reply.body);
                None
            }
            false => Some(reply),
        }
    }
}
