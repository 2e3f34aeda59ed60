//! The same facts give the same answers, whichever store keeps the views.

use domain::{Recorded, Service, view};
use infra::codec;
use serde_json::Value;

use super::queries::Queries;
use crate::contract::{Cassandra, Views};
use crate::support::{Fast, Pipeline};

/// The facts of all logs.
async fn facts(pipeline: &Pipeline) -> Vec<Recorded> {
    let mut facts = vec![];
    for service in Service::ALL {
        let log = pipeline.store(service).read_log(0, 10_000).await.unwrap();
        facts.extend(log.iter().map(|fact| codec::decode(fact).unwrap()));
    }
    facts
}

/// Every read of these orders: whole, as they were at each of their facts, their timelines and the
/// lists of their customer, in pages.
fn reads(facts: &[Recorded]) -> Vec<String> {
    let mut paths = vec!["/api/customers/customer-7/orders".to_owned()];
    for limit in 1..=4 {
        let status = [
            "",
            "&status=COMPLETED",
            "&status=CANCELLED",
            "&status=CREATED",
        ];
        let path = |status| format!("/api/customers/customer-7/orders?limit={limit}{status}");
        paths.extend(status.map(path));
    }
    for fact in facts {
        let Some(order) = fact.order_id() else {
            continue;
        };
        if fact.fact.name() == "order.created" {
            paths.push(format!("/api/orders/{order}"));
            let limits = [1, 2, 5, 100].into_iter();
            paths.extend(limits.map(|n| format!("/api/orders/{order}/timeline?limit={n}")));
        }
        let time = fact.time.as_micros();
        for micros in [time - 1, time, time + 1] {
            let time = domain::values::Timestamp::from_micros(micros);
            paths.push(format!("/api/orders/{order}?at={time}"));
        }
        let of = |path: &str| format!("{path}after={}", fact.id);
        paths.push(of(&format!("/api/orders/{order}?")));
        paths.push(of(&format!("/api/orders/{order}/timeline?")));
        paths.push(of("/api/customers/customer-7/orders?"));
    }
    paths
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_read_is_answered_alike_by_cassandra_and_by_the_embedded_store() {
    let Some(cassandra) = Cassandra::start().await else {
        return;
    };
    let pipeline = Pipeline::start(Fast::default()).await;
    pipeline.receive("sku-1", 3).await;
    // Delivered, declined, and more than there is.
    for (units, unit_price) in [(1, 1901), (1, 1902), (9, 1901)] {
        let id = pipeline.place("sku-1", units, unit_price).await;
        let over = |order: &Value| {
            let status = order["status"].as_str();
            let asked = order["payment"]["status"] == "CAPTURE_REQUESTED";
            matches!(status, Some("COMPLETED" | "CANCELLED")) && !asked
        };
        pipeline.order_until(&id, over).await;
    }
    pipeline.caught_up().await;

    let facts = facts(&pipeline).await;
    let queries = Queries::over(cassandra.views()).await;
    let backwards: Vec<Recorded> = facts.iter().rev().cloned().collect();
    for view in view::ALL {
        // In two orders, which come to the same.
        queries.write(view, &backwards).await;
        queries.write(view, &facts[..facts.len() / 2]).await;
    }
    for path in reads(&facts) {
        let (mut next, mut pages) = (Some(path), 0);
        while let Some(path) = next.take() {
            pages += 1;
            assert!(pages < 100, "{path}");
            let (theirs, ours) = (queries.client.get(&path).await, pipeline.get(&path).await);
            assert_eq!(theirs.status, ours.status, "{path}: {}", theirs.body);
            assert_eq!(theirs.body, ours.body, "{path}");
            next = ours.body["nextCursor"].as_str().map(|cursor| {
                let path = path.split("&cursor=").next().unwrap();
                format!("{path}&cursor={cursor}")
            });
        }
    }
    pipeline.finish().await;
}
