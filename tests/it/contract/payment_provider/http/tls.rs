//! To whom the key is shown.

use infra::payment_provider::{Answer, HttpPlace, HttpProvider, Operation, PaymentProvider};

use super::{assert_unknown, call, once};
use crate::support::provider::{KEY, StubProvider, authority, other_authority};

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_for_whom_the_authority_vouches_is_called_by_tls() {
    let server = StubProvider::with_tls().await;
    let place = server.place().with_ca_file(&authority()).unwrap();
    let provider = HttpProvider::new(place).unwrap();
    let call = call(Operation::Authorize);
    assert_eq!(provider.call(&call).await, Ok(Answer::Done));
    assert_eq!(server.ledger(), once(&call));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_for_whom_nobody_vouches_is_told_nothing() {
    let server = StubProvider::with_tls().await;
    let foreign = server.place().with_ca_file(&other_authority()).unwrap();
    // Not in the certificate, though it is the same machine.
    let other_name = server.url().replace("127.0.0.1", "localhost");
    let other_name = HttpPlace::new(&other_name).unwrap();
    let other_name = other_name.with_ca_file(&authority()).unwrap();
    for place in [server.place(), foreign, other_name] {
        let provider = HttpProvider::new(place.with_key(KEY).unwrap()).unwrap();
        let told = assert_unknown(provider.call(&call(Operation::Authorize)).await);
        assert!(told.contains("certificate"), "{told}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_without_tls_is_told_nothing_where_tls_was_asked_for() {
    let server = StubProvider::start().await;
    let place = HttpPlace::new(&server.url().replace("http:", "https:")).unwrap();
    let provider = HttpProvider::new(place.with_key(KEY).unwrap()).unwrap();
    assert_unknown(provider.call(&call(Operation::Authorize)).await);
    assert_eq!(server.requests().len(), 0);
}
