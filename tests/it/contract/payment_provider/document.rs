//! The contract as files: what the adapter sends and reads is what `schemas/payment-provider.json`
//! and `docs/payment-provider.md` say.

use std::collections::BTreeSet;
use std::path::Path;

use infra::payment_provider::{Answer, Operation, PaymentProvider, ProviderError};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::http::{ALL, again, call};
use crate::support::provider::{Fault, Outcome, Reply, StubProvider, When};

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

fn document() -> Value {
    serde_json::from_str(&read("schemas/payment-provider.json")).unwrap()
}

/// What holds for a value that the document calls `name`.
fn schema(name: &str) -> Validator {
    let of = format!("#/components/schemas/{name}");
    let schema = json!({ "$ref": of, "components": document()["components"] });
    jsonschema::validator_for(&schema).unwrap()
}

#[track_caller]
fn assert_valid(name: &str, value: &Value) {
    let wrong: Vec<_> = schema(name)
        .iter_errors(value)
        .map(|e| e.to_string())
        .collect();
    assert!(wrong.is_empty(), "{name} {value}: {wrong:?}");
}

/// The path of the document that `path` is one of.
fn template(path: &str) -> String {
    let parts: Vec<_> = path.trim_start_matches("/v1/").split('/').collect();
    match *parts {
        ["payments", _, operation] => format!("/payments/{{paymentId}}/{operation}"),
        ["operations", _] => "/operations/{key}".into(),
        _ => panic!("{path} is not in the document"),
    }
}

fn paths() -> BTreeSet<(String, String)> {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let methods = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().keys();
        methods.map(|method| (method.to_uppercase(), path.clone()))
    });
    methods.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_adapter_sends_is_what_the_document_has_and_all_of_it() {
    let server = StubProvider::start().await;
    let provider = server.adapter();
    let mut keys = BTreeSet::new();
    for operation in ALL {
        let call = call(operation);
        keys.insert(format!("{}:{}", call.order, operation.task()));
        provider.call(&call).await.unwrap();
        provider.call(&again(&call)).await.unwrap();
    }
    let mut sent = BTreeSet::new();
    for request in server.requests() {
        match request.header("idempotency-key") {
            Some(key) => {
                assert!(keys.contains(key), "{key} of {keys:?}");
                assert_valid("Key", &key.into());
                assert_valid("Call", &request.body);
            }
            None => assert_eq!(request.method, "GET"),
        }
        sent.insert((request.method.clone(), template(&request.path)));
    }
    assert_eq!(sent, paths());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_stub_answers_is_what_the_document_has() {
    let server = StubProvider::start().await;
    let provider = server.adapter();
    for operation in ALL {
        for outcome in [Outcome::Approved, Outcome::Refused("no"), Outcome::Pending] {
            let call = call(operation);
            server.fail(operation, When::After, Fault::Decides(outcome));
            provider.call(&call).await.ok();
            let kept = server.answer_under(&call.key());
            assert_valid("Reply", &serde_json::from_str(&kept).unwrap());
        }
    }
}

/// What the adapter makes of an answer to `operation`.
async fn understood(operation: Operation, reply: &Value) -> Result<Answer, ProviderError> {
    let server = StubProvider::start().await;
    let call = call(operation);
    let mut reply = reply.clone();
    if reply.get("key").is_some() {
        reply["key"] = call.key().into();
    }
    let instead = Fault::Instead(Reply::new(200, reply.to_string()));
    server.fail(operation, When::Before, instead);
    server.adapter().call(&call).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_outcome_of_the_document_is_understood_with_every_operation() {
    let document = document();
    let outcomes = &document["components"]["schemas"]["Reply"]["properties"]["outcome"]["enum"];
    let outcomes = outcomes.as_array().unwrap();
    assert_eq!(outcomes.len(), 4);
    for outcome in outcomes {
        for operation in ALL {
            let reply = json!({"key": "", "amount": 5901, "currency": "EUR", "outcome": outcome});
            let answer = understood(operation, &reply).await;
            match outcome.as_str().unwrap() {
                "approved" => assert_eq!(answer, Ok(Answer::Done)),
                "declined" | "refused" => {
                    assert!(matches!(answer, Ok(Answer::Refused { .. })), "{answer:?}");
                }
                "pending" => {
                    let told = answer.unwrap_err().to_string();
                    assert!(told.contains("has not decided"), "{told}");
                }
                other => panic!("{other}: what does it mean?"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_document_calls_no_reply_is_no_answer() {
    let good = json!({"key": "", "amount": 5901, "currency": "EUR", "outcome": "approved"});
    let document = document();
    let reply = &document["components"]["schemas"]["Reply"];
    for name in reply["required"].as_array().unwrap() {
        let mut without = good.clone();
        without
            .as_object_mut()
            .unwrap()
            .remove(name.as_str().unwrap());
        assert!(!schema("Reply").is_valid(&without), "{without}");
        assert!(
            understood(Operation::Capture, &without).await.is_err(),
            "{without}"
        );
    }
}

#[test]
fn the_examples_of_the_document_and_of_the_page_are_valid() {
    let document = document();
    let mut replies = 0;
    for path in document["paths"].as_object().unwrap().values() {
        let answers = &path["post"]["responses"]["200"]["content"]["application/json"];
        for example in answers["examples"].as_object().into_iter().flatten() {
            assert_valid("Reply", &example.1["value"]);
            replies += 1;
        }
    }
    assert_eq!(replies, 12, "three an operation");

    let mut shown = BTreeSet::new();
    let page = read("docs/payment-provider.md");
    for block in page.split("```http\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        let first = block.lines().next().unwrap();
        if let [method @ ("GET" | "POST"), path, _] = *first.split(' ').collect::<Vec<_>>() {
            shown.insert((method.to_owned(), template(path)));
        }
        let Some((_, body)) = block.split_once("\n\n") else {
            continue;
        };
        let body: Value = serde_json::from_str(body).unwrap();
        let name = match &body {
            body if first.starts_with("POST") => {
                assert!(body.get("orderId").is_some());
                "Call"
            }
            body if body.get("outcome").is_some() => "Reply",
            _ => "Problem",
        };
        assert_valid(name, &body);
    }
    assert_eq!(shown, paths(), "the page shows every call");
}
