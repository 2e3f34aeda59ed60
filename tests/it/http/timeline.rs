//! `GET /api/orders/{id}/timeline`: what happened to an order.

use std::collections::{BTreeMap, BTreeSet};

use domain::Service;
use serde_json::{Value, json};

use crate::support::{Fast, Pipeline, order_of};

/// All pages of a timeline, of `limit` facts each.
async fn facts(pipeline: &Pipeline, id: &str, limit: usize) -> Vec<Value> {
    let (mut facts, mut cursor) = (vec![], String::new());
    loop {
        let path = format!("/api/orders/{id}/timeline?limit={limit}{cursor}");
        let page = pipeline.get(&path).await.expect(200).body;
        assert_eq!(page["orderId"], id);
        let of_page = page["facts"].as_array().unwrap();
        assert!(of_page.len() <= limit);
        facts.extend(of_page.iter().cloned());
        assert!(facts.len() < 100, "they do not end");
        match page["nextCursor"].as_str() {
            Some(next) => {
                assert_eq!(of_page.len(), limit, "only the last page is short");
                cursor = format!("&cursor={next}");
            }
            None => return facts,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_has_every_fact_of_the_logs_letter_for_letter() {
    let pipeline = Pipeline::start(Fast::default()).await;
    pipeline.receive("sku-1", 2).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    let done =
        |order: &Value| order["status"] == "COMPLETED" && order["payment"]["status"] == "CAPTURED";
    pipeline.order_until(&id, done).await;
    pipeline.caught_up().await;

    let shown = facts(&pipeline, &id, 100).await;
    let mut logged = BTreeMap::new();
    for service in Service::ALL {
        for fact in pipeline.store(service).read_log(0, 1000).await.unwrap() {
            if fact.id.stream.id == id {
                logged.insert(fact.id.to_string(), fact);
            }
        }
    }
    let ids: BTreeSet<&str> = shown
        .iter()
        .map(|fact| fact["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), shown.len(), "each once");
    assert_eq!(ids, logged.keys().map(String::as_str).collect());
    for fact in &shown {
        let logged = &logged[fact["id"].as_str().unwrap()];
        assert_eq!(fact["name"], logged.name);
        assert_eq!(fact["version"], logged.version);
        assert_eq!(fact["position"], logged.position);
        assert_eq!(fact["service"], logged.id.stream.category.service().name());
        let metadata: Value = serde_json::from_slice(&logged.metadata).unwrap();
        assert_eq!(fact["occurredAt"], metadata["time"]);
        assert_eq!(fact["causation"], metadata["causationId"]);
        assert_eq!(fact["correlation"], id);
    }
    let times: Vec<_> = shown
        .iter()
        .map(|fact| fact["occurredAt"].to_string())
        .collect();
    assert!(
        times.is_sorted(),
        "in the order in which they happened: {times:?}"
    );
    // Each cause but the command of the customer is a fact that is shown before its effect.
    for (n, fact) in shown.iter().enumerate() {
        let cause = &fact["causation"];
        let before = &shown[..n];
        let known = before.iter().any(|before| before["id"] == *cause);
        let stock = cause.as_str().unwrap().starts_with("stock-");
        assert!(known || stock || is_command(cause), "{fact}");
    }
    // As bytes: what is shown is what was recorded.
    let path = format!("/api/orders/{id}/timeline?limit=100");
    let page = String::from_utf8(pipeline.get(&path).await.bytes).unwrap();
    for fact in logged.values() {
        let payload = std::str::from_utf8(&fact.payload).unwrap();
        assert!(
            page.contains(&format!("\"payload\":{payload}")),
            "{payload}"
        );
    }
    pipeline.finish().await;
}

/// Commands have UUIDs.
fn is_command(cause: &Value) -> bool {
    cause.as_str().unwrap().parse::<uuid::Uuid>().is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_is_the_same_in_pages_of_any_size() {
    let pipeline = Pipeline::start(Fast::default()).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline.order_in(&id, "CANCELLED").await;
    pipeline.caught_up().await;
    let whole = facts(&pipeline, &id, 100).await;
    assert!(whole.len() > 3, "{whole:#?}");
    assert_eq!(whole[0]["name"], "order.created");
    assert_eq!(whole[0]["reason"], json!(null));
    let rejected = &whole[1];
    assert_eq!(rejected["name"], "inventory.rejected");
    assert_eq!(rejected["reason"], "out-of-stock");
    for limit in 1..=whole.len() {
        assert_eq!(facts(&pipeline, &id, limit).await, whole, "{limit} a page");
    }
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_after_a_token_has_that_very_fact() {
    let pipeline = Pipeline::start(Fast {
        fresh_wait_ms: Some(2_000),
        ..Fast::default()
    })
    .await;
    let mut last = String::new();
    for _ in 0..50 {
        let placed = pipeline
            .post("/api/orders", order_of("sku-1", 1, 1901))
            .await;
        let placed = placed.expect(201);
        last = placed.body["orderId"].as_str().unwrap().to_owned();
        let path = format!("/api/orders/{last}/timeline?after={}", placed.token());
        let shown = pipeline.get(&path).await.expect(200).body;
        assert_eq!(shown["facts"][0]["id"], placed.token());
    }
    let path = format!("/api/orders/{last}/timeline?after=order-{last}-99");
    let not_yet = pipeline.get(&path).await.expect(202);
    assert_eq!(not_yet.header("retry-after"), Some("1"));
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_that_is_asked_for_wrongly_names_what_is_wrong() {
    let pipeline = Pipeline::start(Fast::default()).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    let other = "01890a5d-ac96-774b-bcce-b302099a8057";
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=many", "limit"),
        ("limit=", "limit"),
        ("cursor=", "cursor"),
        ("cursor=nonsense", "cursor"),
        // A cursor of the other list.
        ("cursor=bwEAAAAAAAAAAAAAAAAAAAAA", "cursor"),
        (&format!("after=order-{other}-1"), "after"),
        ("after=stock-sku-1-1", "after"),
        ("at=2026-01-31T12:00:00Z", "query"),
        ("limit=1&limit=2", "query"),
    ] {
        let path = format!("/api/orders/{id}/timeline?{query}");
        let reply = pipeline.get(&path).await;
        reply.expect_problem(400, "invalid-field", Some(field));
    }
    let reply = pipeline.get("/api/orders/seven/timeline").await;
    reply.expect_problem(400, "invalid-field", Some("id"));
    let reply = pipeline.get(&format!("/api/orders/{other}/timeline")).await;
    reply.expect_problem(404, "unknown-order", None);
    pipeline.order_in(&id, "CANCELLED").await;
    pipeline.finish().await;
}
