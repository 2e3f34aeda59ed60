//! A process that is killed while it waits for the payment provider.

use std::path::Path;

use infra::payment_provider::Operation;
use serde_json::Value;

use super::process::{Process, folder};
use crate::support::eventually;
use crate::support::provider::{Entry, Fault, StubProvider, When};

/// Places an order whose call to do `operation` is never answered, and kills the process during it.
async fn killed_during(
    provider: &StubProvider,
    data_dir: &Path,
    operation: Operation,
    when: When,
) -> String {
    let process = Process::start_with(
        data_dir,
        &provider.settings().each_ref().map(String::as_str),
    )
    .await;
    provider.fail(operation, when, Fault::Silence);
    process.client.receive("sku-1", 1).await;
    let id = process.client.place("sku-1", 1, 1950).await;
    let calls = || async {
        let requests = provider.requests();
        let calls = requests.iter().map(|request| request.operation());
        calls.filter(|call| *call == Some(operation)).count()
    };
    eventually(calls, |calls| *calls == 1).await;
    if when == When::After {
        let charged = || async { provider.ledger() };
        let last = |ledger: &Vec<_>| ledger.last().map(|entry: &Entry| entry.operation);
        eventually(charged, |ledger| last(ledger) == Some(operation)).await;
    }
    process.kill().await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_waits_for_the_provider_it_charges_once() {
    for operation in [Operation::Authorize, Operation::Capture] {
        for when in [When::Before, When::After] {
            let provider = StubProvider::start().await;
            let (_folder, data_dir) = folder();
            let id = killed_during(&provider, &data_dir, operation, when).await;
            let process = Process::start_with(
                &data_dir,
                &provider.settings().each_ref().map(String::as_str),
            )
            .await;
            process.client.order_in(&id, "COMPLETED").await;
            let captured = |order: &Value| order["payment"]["status"] == "CAPTURED";
            process.client.order_until(&id, captured).await;
            let done = provider.ledger().into_iter();
            let done: Vec<_> = done.map(|entry| entry.operation).collect();
            let once = [Operation::Authorize, Operation::Capture];
            assert_eq!(done, once, "{operation:?}, {when:?}");
            process.terminate().await;
        }
    }
}
