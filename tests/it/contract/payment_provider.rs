//! What every payment provider promises, and how one behaves that is to be played with.

mod document;
mod http;
mod outcomes;

use std::sync::Arc;

use async_trait::async_trait;
use infra::payment_provider::{
    Answer, Call, HttpProvider, PaymentProvider, ProviderError, Simulated, SimulatedProvider,
};

use crate::support::provider::StubProvider;

/// Providers that behave as they are told.
#[async_trait]
pub trait Providers: Send + Sync + 'static {
    /// One that has not been called before.
    async fn provider(&self, play: Simulated) -> Arc<dyn PaymentProvider>;
}

macro_rules! payment_provider_contract {
    ($adapter:ident, $start:path) => {
        contract! { $adapter, $start;
            outcomes:
                a_total_in_01_always_succeeds,
                a_total_in_02_is_always_declined,
                a_total_in_03_times_out_once_and_then_succeeds,
                a_total_in_04_is_authorized_and_its_capture_refused,
                voids_and_refunds_are_always_done,
                the_same_call_gets_the_same_answer,
                calls_made_at_once_get_the_same_answer,
                as_many_succeed_as_was_asked_for,
                seed_and_order_alone_decide,
                a_call_takes_as_long_as_it_was_told;
        }
    };
}

struct InProcess;

async fn simulated() -> InProcess {
    InProcess
}

#[async_trait]
impl Providers for InProcess {
    async fn provider(&self, play: Simulated) -> Arc<dyn PaymentProvider> {
        Arc::new(SimulatedProvider::new(play))
    }
}

payment_provider_contract!(in_process, simulated);

struct BehindHttp;

async fn behind_http() -> BehindHttp {
    BehindHttp
}

/// An adapter, and the server that it calls.
struct WithServer {
    adapter: HttpProvider,
    _server: StubProvider,
}

#[async_trait]
impl PaymentProvider for WithServer {
    async fn call(&self, call: &Call) -> Result<Answer, ProviderError> {
        self.adapter.call(call).await
    }
}

#[async_trait]
impl Providers for BehindHttp {
    async fn provider(&self, play: Simulated) -> Arc<dyn PaymentProvider> {
        let server = StubProvider::playing(play).await;
        Arc::new(WithServer {
            adapter: server.adapter(),
            _server: server,
        })
    }
}

payment_provider_contract!(over_http, behind_http);
