//! All facts once more, while the pipeline runs.

use serde_json::Value;

use super::killed::PACE;
use crate::support::{Client, Place, eventually};

fn positions(status: &Value) -> Vec<&Value> {
    let services = status["services"].as_array().unwrap().iter();
    services.map(|service| &service["lastPosition"]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_that_are_published_again_change_nothing() {
    let Some(place) = Place::migrated(&PACE).await else {
        return;
    };
    let roles = [
        place.start("command-api").await,
        place.start("projectors").await,
        place.start("query-api").await,
    ];
    let client = Client::new(roles[0].url(), roles[2].url());
    client.receive("sku-1", 9).await;
    let id = client.place("sku-1", 1, 1901).await;
    let other = client.place("sku-1", 1, 1901).await;
    let done =
        |order: &Value| order["status"] == "COMPLETED" && order["payment"]["status"] == "CAPTURED";
    let before = client.order_until(&id, done).await;
    client.order_until(&other, done).await;
    let quiet = |status: &Value| {
        let groups = status["groups"].as_array().unwrap();
        groups.iter().all(|group| group["lag"] == 0)
    };
    let status = eventually(async || place.status().await, quiet).await;

    let (code, all) = place.run(&["replay", "--to-kafka", "--json"]).await;
    assert_eq!(code, 0);
    let published = |of: &Value| of["published"].as_u64().unwrap();
    let count: u64 = all.as_array().unwrap().iter().map(published).sum();
    // Positions have holes where an append was refused.
    let log: u64 = positions(&status)
        .iter()
        .map(|at| at.as_u64().unwrap())
        .sum();
    assert!((20..=log).contains(&count), "{count} of {log}: {all:#}");
    let (code, one) = place
        .run(&[
            "replay",
            "--to-kafka",
            "--json",
            "--service",
            "order",
            "--order",
            &id,
        ])
        .await;
    assert_eq!((code, &one[0]["published"]), (0, &2.into()), "{one:#}");

    let after = eventually(async || place.status().await, quiet).await;
    assert_eq!(positions(&after), positions(&status));
    assert_eq!(after["healthy"], true, "{after:#}");
    assert_eq!(client.order(&id).await, before);
    for role in roles {
        role.terminate().await;
    }
}
