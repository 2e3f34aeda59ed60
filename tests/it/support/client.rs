use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::eventually;

/// What the API answered.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
    pub body: Value,
}

impl Reply {
    pub fn token(&self) -> &str {
        self.header("waybill-token").expect("a token")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self
    }

    /// Asserts a problem, and where there is one its field.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, code: &str, field: Option<&str>) {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.body["code"], code, "{}", self.body);
        assert_eq!(self.body["field"].as_str(), field, "{}", self.body);
        assert_eq!(self.body["type"], format!("urn:waybill:problem:{code}"));
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        assert!(
            self.body["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty())
        );
    }
}

/// Someone at the two APIs.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    pub command: String,
    pub query: String,
}

impl Client {
    pub fn new(command: String, query: String) -> Self {
        Self {
            http: reqwest::Client::new(),
            command,
            query,
        }
    }

    /// Sends a request; an error means that the outcome is not known.
    pub async fn try_send(
        &self,
        method: Method,
        url: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<Reply> {
        let mut request = self.http.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            if !headers.iter().any(|(name, _)| *name == "content-type") {
                request = request.header("content-type", "application/json");
            }
            request = request.body(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await?.to_vec();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Reply {
            status,
            headers,
            bytes,
            body,
        })
    }

    /// POSTs a JSON body to the command API.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.post_with(path, body.to_string(), &[]).await
    }

    /// POSTs bytes to the command API.
    pub async fn post_with(&self, path: &str, body: String, headers: &[(&str, &str)]) -> Reply {
        let url = format!("{}{path}", self.command);
        let sent = self.try_send(Method::POST, &url, Some(body), headers).await;
        sent.expect("an answer")
    }

    /// GETs from the command API.
    pub async fn get_command(&self, path: &str) -> Reply {
        let url = format!("{}{path}", self.command);
        self.try_send(Method::GET, &url, None, &[])
            .await
            .expect("an answer")
    }

    /// GETs from the query API.
    pub async fn get(&self, path: &str) -> Reply {
        let url = format!("{}{path}", self.query);
        self.try_send(Method::GET, &url, None, &[])
            .await
            .expect("an answer")
    }

    pub async fn receive(&self, sku: &str, quantity: u64) -> Reply {
        let path = format!("/api/stock/{sku}/receipts");
        self.post(&path, json!({ "quantity": quantity }))
            .await
            .expect(200)
    }

    /// Asserts the counters of a SKU.
    pub async fn expect_stock(&self, sku: &str, on_hand: u64, held: u64) {
        let stock = self
            .get_command(&format!("/api/stock/{sku}"))
            .await
            .expect(200)
            .body;
        assert_eq!(
            (&stock["onHand"], &stock["held"]),
            (&json!(on_hand), &json!(held)),
            "{stock}"
        );
        assert_eq!(stock["available"], on_hand - held);
    }

    /// Places an order of `quantity` units; returns its id.
    pub async fn place(&self, sku: &str, quantity: u64, unit_price: u64) -> String {
        let placed = self
            .post("/api/orders", order_of(sku, quantity, unit_price))
            .await;
        let placed = placed.expect(201);
        // Reading it after its token always shows it.
        let id = placed.body["orderId"].as_str().expect("an id").to_owned();
        self.get(&format!("/api/orders/{id}?after={}", placed.token()))
            .await
            .expect(200);
        id
    }

    pub async fn cancel(&self, id: &str, reason: &str) -> Reply {
        self.post(
            &format!("/api/orders/{id}/cancel"),
            json!({ "reason": reason }),
        )
        .await
    }

    /// Records a step of a delivery.
    pub async fn step(&self, id: &str, step: &str, body: Value) -> Reply {
        self.post(&format!("/api/deliveries/{id}/{step}"), body)
            .await
    }

    pub async fn order(&self, id: &str) -> Value {
        self.get(&format!("/api/orders/{id}")).await.body
    }

    /// Waits until the order looks as `enough` wants it.
    #[track_caller]
    pub fn order_until(
        &self,
        id: &str,
        enough: impl Fn(&Value) -> bool,
    ) -> impl Future<Output = Value> {
        eventually(
            move || {
                let (client, id) = (self.clone(), id.to_owned());
                async move { client.order(&id).await }
            },
            enough,
        )
    }

    /// Waits until the order's delivery is to be driven by somebody.
    #[track_caller]
    pub fn delivery_requested(&self, id: &str) -> impl Future<Output = Value> {
        self.order_until(id, |order| order["delivery"]["status"] == "REQUESTED")
    }

    /// Waits until the order's payment has that status.
    #[track_caller]
    pub fn payment_in(&self, id: &str, status: &'static str) -> impl Future<Output = Value> {
        self.order_until(id, move |order| order["payment"]["status"] == status)
    }

    /// Waits until the order has that status.
    #[track_caller]
    pub fn order_in(&self, id: &str, status: &'static str) -> impl Future<Output = Value> {
        self.order_until(id, move |order| order["status"] == status)
    }
}

/// The body of an order of one line.
pub fn order_of(sku: &str, quantity: u64, unit_price: u64) -> Value {
    json!({
        "customerId": "customer-7",
        "currency": "EUR",
        "items": [{ "sku": sku, "quantity": quantity, "unitPrice": unit_price }],
    })
}
