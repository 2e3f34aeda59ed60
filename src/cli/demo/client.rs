//! The demo's HTTP: the same calls that anybody's program would make.
//!
//! Every POST carries an `Idempotency-Key` and every read an `?after=`, so a call that got no
//! answer is made again as it was: a pipeline that is restarted meanwhile is not even noticed. One
//! that stays away is given up.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::script::{Order, Receipt};
use super::seen::{Seen, Stock};

/// The longest that one answer may take: past the wait of a read with `?after=`.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The longest that a call is made again and again: a pipeline restarts within a few seconds.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);
/// Between two tries, doubling.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// Both APIs of a pipeline.
pub struct Client {
    http: reqwest::Client,
    command: String,
    query: String,
}

/// An order that was placed.
pub struct Placed {
    /// Its id.
    pub order_id: String,
    /// The consistency token.
    pub token: String,
}

/// What became of a wish to cancel.
pub enum Asked {
    /// It was taken.
    Taken {
        /// The consistency token.
        token: String,
    },
    /// It came when the order was over, or had been refused before.
    Refused,
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    token: Option<String>,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Client {
    /// The APIs at these addresses.
    pub fn new(command: SocketAddr, query: SocketAddr) -> anyhow::Result<Self> {
        // The addresses are numbers: a proxy for names has nothing to do with them.
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN);
        // Nor have certificates, which the machine may not have.
        let http = http.tls_certs_only([]);
        Ok(Self {
            http: http.build()?,
            command: format!("http://{command}"),
            query: format!("http://{query}"),
        })
    }

    /// Where the command API is.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Whether something answers at the command API's address.
    pub async fn is_up(&self) -> bool {
        let url = format!("{}/healthz", self.command);
        let asked = self.http.get(url).timeout(LAST_PAUSE).send().await;
        !asked.is_err_and(|e| e.is_connect())
    }

    /// Waits until both APIs are ready.
    pub async fn ready(&self) -> anyhow::Result<()> {
        for api in [&self.command, &self.query] {
            let url = format!("{api}/readyz");
            let answer = self.call(&url, || self.http.get(&url)).await?;
            let ready: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            if ready.get("checks").is_none() {
                bail!("what answers at {api} is no pipeline");
            }
        }
        Ok(())
    }

    /// Puts goods in stock.
    pub async fn receive(&self, goods: &Receipt, key: &str) -> anyhow::Result<String> {
        let url = format!("{}/api/stock/{}/receipts", self.command, goods.sku);
        let body = json!({ "quantity": goods.quantity });
        let answer = self.call(&url, || self.post(&url, key, &body)).await?;
        answer.expect(&url, StatusCode::OK)?.token(&url)
    }

    /// The stock of a SKU; `None` where it is not as late as `after`.
    pub async fn stock(&self, sku: &str, after: &str) -> anyhow::Result<Option<Stock>> {
        let url = format!("{}/api/stock/{sku}?after={after}", self.command);
        self.read(&url).await
    }

    /// Places an order.
    pub async fn place(&self, order: &Order, key: &str) -> anyhow::Result<Placed> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            order_id: String,
        }
        let url = format!("{}/api/orders", self.command);
        let body = json!({
            "customerId": order.customer,
            "currency": "EUR",
            "items": order.lines,
        });
        let answer = self.call(&url, || self.post(&url, key, &body)).await?;
        let answer = answer.expect(&url, StatusCode::CREATED)?;
        let Body { order_id } = answer.read(&url)?;
        let token = answer.token(&url)?;
        Ok(Placed { order_id, token })
    }

    /// Asks to cancel an order.
    pub async fn cancel(&self, order: &str, reason: &str, key: &str) -> anyhow::Result<Asked> {
        let url = format!("{}/api/orders/{order}/cancel", self.command);
        let body = json!({ "reason": reason });
        let answer = self.call(&url, || self.post(&url, key, &body)).await?;
        if answer.status == StatusCode::CONFLICT {
            return Ok(Asked::Refused);
        }
        let token = answer.expect(&url, StatusCode::ACCEPTED)?.token(&url)?;
        Ok(Asked::Taken { token })
    }

    /// An order; `None` where what is seen of it is not as late as `after`.
    pub async fn order(&self, order: &str, after: &str) -> anyhow::Result<Option<Seen>> {
        let url = format!("{}/api/orders/{order}?after={after}", self.query);
        self.read(&url).await
    }

    async fn read<T: DeserializeOwned>(&self, url: &str) -> anyhow::Result<Option<T>> {
        let answer = self.call(url, || self.http.get(url)).await?;
        if answer.status == StatusCode::ACCEPTED {
            return Ok(None);
        }
        answer.expect(url, StatusCode::OK)?.read(url).map(Some)
    }

    fn post(&self, url: &str, key: &str, body: &Value) -> RequestBuilder {
        let request = self.http.post(url).header("idempotency-key", key);
        request.json(body)
    }

    /// Makes a call, again where there was no answer or one that says to try again.
    async fn call(
        &self,
        url: &str,
        request: impl Fn() -> RequestBuilder,
    ) -> anyhow::Result<Answer> {
        let give_up = Instant::now() + GIVE_UP_AFTER;
        let mut pause = FIRST_PAUSE;
        loop {
            let (trouble, asked_for) = match Answer::of(request()).await {
                Ok(answer) if !answer.says_try_again() => return Ok(answer),
                Ok(answer) => (anyhow!(answer.problem()), answer.retry_after),
                Err(e) => (e.without_url().into(), None),
            };
            let wait = asked_for.map_or(pause, |asked_for| asked_for.clamp(pause, LAST_PAUSE));
            if Instant::now() + wait > give_up {
                let (tried, call) = (GIVE_UP_AFTER.as_secs(), without_query(url));
                return Err(trouble.context(format!("{call} gave no answer within {tried} s")));
            }
            sleep(wait).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }
}

impl Answer {
    async fn of(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let seconds = header(RETRY_AFTER.as_str()).and_then(|text| text.parse().ok());
        Ok(Self {
            status: response.status(),
            token: header("waybill-token"),
            retry_after: seconds.map(Duration::from_secs),
            body: response.bytes().await?.to_vec(),
        })
    }

    fn says_try_again(&self) -> bool {
        matches!(self.status.as_u16(), 429 | 502 | 503 | 504)
    }

    fn expect(self, url: &str, status: StatusCode) -> anyhow::Result<Self> {
        if self.status != status {
            bail!("{} answered {}", without_query(url), self.problem());
        }
        Ok(self)
    }

    fn token(&self, url: &str) -> anyhow::Result<String> {
        let token = self.token.clone();
        token.with_context(|| format!("{url} answered without a token"))
    }

    fn read<T: DeserializeOwned>(&self, url: &str) -> anyhow::Result<T> {
        let read = serde_json::from_slice(&self.body);
        read.with_context(|| format!("{url} answered what is not understood ({})", self.status))
    }

    /// What the problem says, or else what there is of the body.
    fn problem(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let detail = match body.get("detail").and_then(Value::as_str) {
            Some(detail) => detail.to_owned(),
            None => String::from_utf8_lossy(&self.body)
                .chars()
                .take(200)
                .collect(),
        };
        format!("{}: {detail}", self.status)
    }
}

fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}
