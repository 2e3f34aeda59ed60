use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Fast, Pipeline, order_of};

/// An order with one thing changed.
fn with(path: &str, value: Value) -> Value {
    let mut order = order_of("sku-1", 1, 1901);
    *order.pointer_mut(path).unwrap() = value;
    order
}

fn without(field: &str) -> Value {
    let mut order = order_of("sku-1", 1, 1901);
    order.as_object_mut().unwrap().remove(field);
    order
}

fn of_lines(lines: impl IntoIterator<Item = (String, u64)>) -> Value {
    let lines = lines
        .into_iter()
        .map(|(sku, unit_price)| json!({"sku": sku, "quantity": 1, "unitPrice": unit_price}));
    with("/items", lines.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_wrong_names_the_field_and_appends_nothing() {
    let pipeline = Pipeline::start(Fast::default()).await;
    let many = (0..101).map(|n| (format!("sku-{n}"), 1));
    let twice = ["a", "b", "a"].map(|sku| (sku.to_owned(), 1));
    let dear = ["a", "b"].map(|sku| (sku.to_owned(), (1 << 53) - 1));
    let mut unknown = order_of("sku-1", 1, 1901);
    unknown["colour"] = json!("red");
    let mut unknown_deep = order_of("sku-1", 1, 1901);
    unknown_deep["items"][0]["colour"] = json!("red");
    let cases = [
        (json!([]), "body"),
        (json!(["customer-7", "EUR", []]), "body"),
        (with("/items/0", json!(["sku-1", 1, 1901])), "items[0]"),
        (with("/items/0", json!(null)), "items[0]"),
        (json!("order"), "body"),
        (json!({}), "customerId"),
        (unknown, "colour"),
        (unknown_deep, "items[0].colour"),
        (without("items"), "items"),
        (without("currency"), "currency"),
        (with("/customerId", json!(7)), "customerId"),
        (with("/customerId", json!("")), "customerId"),
        (with("/customerId", json!("x".repeat(65))), "customerId"),
        (with("/customerId", json!("a\u{0}b")), "customerId"),
        (with("/customerId", json!("a\nb")), "customerId"),
        (with("/currency", json!("eur")), "currency"),
        (with("/currency", json!("XXX")), "currency"),
        (with("/currency", json!(null)), "currency"),
        (with("/items", json!([])), "items"),
        (with("/items", json!({})), "items"),
        (of_lines(many), "items"),
        (of_lines(twice), "items[2].sku"),
        (of_lines(dear), "items"),
        (with("/items/0/sku", json!("")), "items[0].sku"),
        (with("/items/0/sku", json!("a b")), "items[0].sku"),
        (with("/items/0/sku", json!("x".repeat(65))), "items[0].sku"),
        (with("/items/0/quantity", json!(0)), "items[0].quantity"),
        (with("/items/0/quantity", json!(-1)), "items[0].quantity"),
        (with("/items/0/quantity", json!(1.5)), "items[0].quantity"),
        (with("/items/0/quantity", json!("1")), "items[0].quantity"),
        (
            with("/items/0/quantity", json!(1_000_001)),
            "items[0].quantity",
        ),
        (
            with("/items/0/quantity", json!(u64::MAX)),
            "items[0].quantity",
        ),
        (with("/items/0/unitPrice", json!(0)), "items[0].unitPrice"),
        (with("/items/0/unitPrice", json!(-5)), "items[0].unitPrice"),
        (
            with("/items/0/unitPrice", json!(19.99)),
            "items[0].unitPrice",
        ),
        (
            with("/items/0/unitPrice", json!(1u64 << 53)),
            "items[0].unitPrice",
        ),
    ];
    for (body, field) in cases {
        let reply = pipeline.post("/api/orders", body.clone()).await;
        assert_eq!(reply.status, 400, "{body}");
        reply.expect_problem(400, "invalid-field", Some(field));
    }
    assert_eq!(pipeline.facts_of("order").await, 0);
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_says_so() {
    let pipeline = Pipeline::start(Fast::default()).await;
    let send = |body: &str| pipeline.post_with("/api/orders", body.to_owned(), &[]);
    send("").await.expect_problem(400, "body-missing", None);
    send("  ").await.expect_problem(400, "body-missing", None);
    send("{").await.expect_problem(400, "invalid-json", None);
    send("{} {}")
        .await
        .expect_problem(400, "invalid-json", None);
    send("\u{0}")
        .await
        .expect_problem(400, "invalid-json", None);
    let deep = "[".repeat(10_000);
    send(&deep).await.expect_problem(400, "invalid-json", None);
    let large = format!("\"{}\"", "x".repeat(64 * 1024));
    send(&large)
        .await
        .expect_problem(413, "body-too-large", None);
    let array = pipeline.post("/api/stock/sku-1/receipts", json!([3])).await;
    array.expect_problem(400, "invalid-field", Some("body"));
    let twice = r#"{"customerId":"c","currency":"EUR","items":[{"sku":"a","quantity":1,"quantity":100,"unitPrice":1}]}"#;
    let twice = send(twice).await;
    twice.expect_problem(400, "invalid-field", Some("items[0].quantity"));
    let text = [("content-type", "text/plain")];
    let text = pipeline.post_with("/api/orders", "{}".into(), &text).await;
    text.expect_problem(415, "not-json", None);
    let charset = [("content-type", "application/json; charset=utf-8")];
    let charset = pipeline
        .post_with("/api/orders", "{}".into(), &charset)
        .await;
    charset.expect_problem(400, "invalid-field", Some("customerId"));
    assert_eq!(pipeline.facts_of("order").await, 0);
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_paths_and_methods_that_are_not_there_are_problems() {
    let pipeline = Pipeline::start(Fast::default()).await;
    let reason = json!({"reason": "why not"});
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";

    let reply = pipeline
        .post("/api/orders/seven/cancel", reason.clone())
        .await;
    reply.expect_problem(400, "invalid-field", Some("id"));
    let unhyphenated = nobody.replace('-', "");
    let reply = pipeline.get(&format!("/api/orders/{unhyphenated}")).await;
    reply.expect_problem(400, "invalid-field", Some("id"));
    let reply = pipeline.get("/api/orders/%FF").await;
    assert_eq!(reply.status, 400, "{}", reply.body);
    let reply = pipeline
        .post("/api/stock/a%20b/receipts", json!({"quantity": 1}))
        .await;
    reply.expect_problem(400, "invalid-field", Some("sku"));

    let reply = pipeline.cancel(nobody, "why not").await;
    reply.expect_problem(404, "unknown-order", None);
    let reply = pipeline.get(&format!("/api/orders/{nobody}")).await;
    reply.expect_problem(404, "unknown-order", None);
    let reply = pipeline.step(nobody, "dispatch", json!({})).await;
    reply.expect_problem(404, "unknown-delivery", None);
    let reply = pipeline.get_command("/api/stock/sku-1").await;
    reply.expect_problem(404, "unknown-sku", None);

    for (reason, field) in [
        (json!({"reason": ""}), "reason"),
        (json!({"reason": "x".repeat(201)}), "reason"),
        (json!({"reason": "a\u{7}b"}), "reason"),
        (json!({"why": "x"}), "why"),
        (json!({}), "reason"),
    ] {
        let reply = pipeline
            .post(&format!("/api/orders/{nobody}/cancel"), reason)
            .await;
        reply.expect_problem(400, "invalid-field", Some(field));
    }
    for quantity in [
        json!(0),
        json!(-1),
        json!(0.5),
        json!(1_000_001),
        json!("1"),
        json!(null),
    ] {
        let receipt = json!({ "quantity": quantity });
        let reply = pipeline.post("/api/stock/sku-1/receipts", receipt).await;
        reply.expect_problem(400, "invalid-field", Some("quantity"));
    }
    let eta = json!({"estimatedDeliveryTime": "tomorrow"});
    let reply = pipeline.step(nobody, "eta", eta).await;
    reply.expect_problem(400, "invalid-field", Some("estimatedDeliveryTime"));

    for api in [&pipeline.command, &pipeline.query] {
        let url = format!("{api}/api/nowhere");
        let reply = pipeline
            .try_send(Method::GET, &url, None, &[])
            .await
            .unwrap();
        reply.expect_problem(404, "not-found", None);
    }
    let url = format!("{}/api/orders", pipeline.command);
    let reply = pipeline
        .try_send(Method::PATCH, &url, None, &[])
        .await
        .unwrap();
    reply.expect_problem(405, "method-not-allowed", None);
    assert_eq!(reply.header("allow"), Some("POST"));
    let url = format!("{}/api/orders/{nobody}", pipeline.query);
    let reply = pipeline
        .try_send(Method::DELETE, &url, None, &[])
        .await
        .unwrap();
    reply.expect_problem(405, "method-not-allowed", None);
    assert_eq!(reply.header("allow"), Some("GET,HEAD"));
    for service in ["order", "inventory", "payment", "delivery"] {
        assert_eq!(pipeline.facts_of(service).await, 0);
    }
    pipeline.finish().await;
}
