//! A provider behind HTTP. The contract is in `docs/payment-provider.md`, and for programs in
//! `schemas/payment-provider.json`.
//!
//! A call is a POST under its idempotency key, which the provider carries out once. An answer is
//! what can be read, names this very call and says what became of it. All else leaves the outcome
//! unknown: no answer in time, a connection that breaks, an error of the server's, a reply that is
//! too large or makes no sense. A call that is known to be a repeat is asked for first, since a
//! provider may forget keys sooner than what it did under them; only what it has never heard of is
//! sent again. After a crash nobody knows that it is a repeat, and the key alone has to do.
//!
//! An error that blames the request (any 4xx but 408, 425 and 429, and a redirect, which is not
//! followed) is [`ProviderError::Rejected`]: never a decline. The task behind it stays, is tried
//! again and is shown in `status`, so that what a person mends, here or there, is found by itself.
//!
//! A provider that is overloaded and says for how long (429 or 503 with `Retry-After`) is left alone
//! until then: calls fail at once. Nothing is asked for readiness: orders are taken without a
//! provider, and one that fails shows in `status` as payments that wait.

mod place;
mod wire;

use std::error::Error;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect, retry};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::{Answer, Call, Operation, PaymentProvider, ProviderError};
use crate::telemetry::trace;
use wire::unavailable;

pub use place::{HttpPlace, InvalidPlace};

/// How long a connection may take to be made: a host that is gone does not answer at all.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a connection is kept that nobody uses. Many servers close theirs after a minute, and a
/// request that meets the close is an unknown outcome for nothing.
const IDLE: Duration = Duration::from_secs(30);
/// Calls that are made at once: at 200 ms each, more than 1000 a second, which providers refuse
/// sooner than they answer it.
const CONCURRENCY: usize = 256;
/// How long a call waits for its turn; then it is put off, and others go first. With an ask and a
/// call it is still within the 20 s that a call may take in all.
const TURN: Duration = Duration::from_secs(3);
/// The largest reply, some fifty times what one should have.
const MAX_REPLY: usize = 16 * 1024;
/// The longest that a provider is left alone, whatever it asks for: a mistake in a header must not
/// stop all payments.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// A provider behind HTTP.
pub struct HttpProvider {
    client: Client,
    place: HttpPlace,
    turns: Semaphore,
    /// Until when it wants to be left alone.
    resting: Mutex<Option<Instant>>,
}

impl HttpProvider {
    /// The provider at `place`, which is connected to when it is first called.
    ///
    /// # Errors
    /// [`InvalidPlace::Ca`] where there are no certificates that could be trusted.
    pub fn new(place: HttpPlace) -> Result<Self, InvalidPlace> {
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(place.timeout)
            .pool_idle_timeout(IDLE)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy();
        let client = if place.vouching.is_empty() && place.is_tls() {
            client
        } else {
            client.tls_certs_only(place.vouching.clone())
        };
        let client = client.build().map_err(|e| InvalidPlace::Ca(causes(e)))?;
        if place.key.is_some() && place.is_open() {
            tracing::warn!(
                ?place,
                "the payment provider's key goes over the network in the clear"
            );
        }
        Ok(Self {
            client,
            place,
            turns: Semaphore::new(CONCURRENCY),
            resting: Mutex::new(None),
        })
    }

    /// Makes the call, or repeats it.
    async fn make(&self, call: &Call) -> Result<Answer, ProviderError> {
        let operation = call.operation.task().name();
        let path = format!("/payments/{}/{operation}", call.payment_id);
        let request = self.client.post(self.place.at(&path));
        let request = request.header("idempotency-key", call.key());
        let request = request.json(&wire::Request::of(call));
        let (status, body) = self.send(request).await?;
        if !status.is_success() {
            return Err(failed(status, &body));
        }
        wire::answer(call, &body)
    }

    /// What became of the call; `None` where it is to be made, since it never arrived or may be
    /// decided anew.
    async fn ask(&self, call: &Call) -> Result<Option<Answer>, ProviderError> {
        let path = format!("/operations/{}", call.key());
        let request = self.client.get(self.place.at(&path));
        let (status, body) = self.send(request).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(failed(status, &body));
        }
        let answer = wire::answer(call, &body)?;
        let anew = is_open_to_change(call.operation, &answer);
        Ok((!anew).then_some(answer))
    }

    async fn send(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), ProviderError> {
        let request = match &self.place.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        let request = match trace::current() {
            Some(context) => request.header("traceparent", context),
            None => request,
        };
        let mut response = request.send().await.map_err(broken)?;
        let status = response.status();
        self.rest_if_asked(status, response.headers());
        Ok((status, read(&mut response).await?))
    }

    fn rest_if_asked(&self, status: StatusCode, headers: &HeaderMap) {
        let busy = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        let wanted = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        let wanted = wanted.and_then(|value| value.parse().ok());
        let (true, Some(seconds)) = (busy.contains(&status), wanted) else {
            return;
        };
        let until = Instant::now() + Duration::from_secs(seconds).min(LONGEST_REST);
        if let Ok(mut resting) = self.resting.lock() {
            *resting = Some(until);
        }
    }

    fn awake(&self) -> Result<(), ProviderError> {
        let until = self.resting.lock().ok().and_then(|resting| *resting);
        match until.map(|until| until.saturating_duration_since(Instant::now())) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(left) => Err(unavailable(format!(
                "it is busy, and is to be left alone for another {left:.1?}"
            ))),
        }
    }
}

#[async_trait]
impl PaymentProvider for HttpProvider {
    async fn call(&self, call: &Call) -> Result<Answer, ProviderError> {
        let _turn = match timeout(TURN, self.turns.acquire()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) | Err(_) => return Err(unavailable("too many calls are under way".into())),
        };
        self.awake()?;
        if call.repeated
            && let Some(answer) = self.ask(call).await?
        {
            return Ok(answer);
        }
        self.make(call).await
    }
}

/// Money that has to go back is asked for until it does.
fn is_open_to_change(operation: Operation, answer: &Answer) -> bool {
    match operation {
        Operation::Authorize | Operation::Capture => false,
        Operation::Void | Operation::Refund => *answer != Answer::Done,
    }
}

/// An answer without an outcome.
fn failed(status: StatusCode, body: &[u8]) -> ProviderError {
    let says = match wire::code(body) {
        Some(code) => format!("{status}, {code}"),
        None => status.to_string(),
    };
    let later = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    if status.is_server_error() || later.contains(&status) {
        unavailable(says)
    } else {
        ProviderError::Rejected(says)
    }
}

async fn read(response: &mut Response) -> Result<Vec<u8>, ProviderError> {
    let mut body = vec![];
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > MAX_REPLY {
            return Err(unavailable(format!(
                "its answer has more than {MAX_REPLY} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// No answer, or half of one. Nothing was sent where there was no connection.
fn broken(e: reqwest::Error) -> ProviderError {
    if e.is_timeout() && !e.is_connect() {
        return ProviderError::TimedOut;
    }
    unavailable(causes(e))
}

/// An error with what is behind it; without the address, which is the same for all.
fn causes(e: reqwest::Error) -> String {
    let e = e.without_url();
    let mut words = e.to_string();
    let mut cause = e.source();
    while let Some(e) = cause {
        words = format!("{words}: {e}");
        cause = e.source();
    }
    words
}
