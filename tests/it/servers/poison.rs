//! A record that is broken on its way, and what an operator does about it.
//!
//! - `many`: one of a hundred, in every way (`kinds`), by somebody between a `shop` and its brokers
//!   (`between`, who speaks as much of their language as `wire` does).

mod between;
mod kinds;
mod many;
mod shop;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::Service;
use infra::bus::{KafkaPlace, Publisher};
use infra::bus::{KafkaPublisher, Record};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use super::killed::PACE;
use crate::support::{Client, Place, eventually, kafka_brokers};

/// The groups that take facts of the delivery service.
pub const GROUPS: [&str; 6] = [
    "inventory",
    "order",
    "order_timeline-g1",
    "order_view-g1",
    "orders_by_customer-g1",
    "payment",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_broken_on_its_way_is_healed_from_the_log() {
    let Some(place) = Place::migrated(&PACE).await else {
        return;
    };
    let roles = [
        place
            .start_with("command-api", &["--set", "courier=none"])
            .await,
        place.start("projectors").await,
        place.start("query-api").await,
    ];
    let client = Client::new(roles[0].url(), roles[2].url());
    client.receive("sku-1", 2).await;
    let (broken, whole) = (
        client.place("sku-1", 1, 1901).await,
        client.place("sku-1", 1, 1901).await,
    );
    for id in [&broken, &whole] {
        client
            .order_until(id, |order| order["delivery"]["status"] == "REQUESTED")
            .await;
    }

    let kafka = KafkaPlace::new(
        &kafka_brokers().unwrap(),
        &place.servers().prefix,
        BTreeMap::new(),
    );
    let mut session = KafkaPublisher::new(kafka.clone())
        .begin(Service::Delivery)
        .unwrap();
    session.send(&rubbish(&broken)).unwrap().await.unwrap();
    let letters = || async {
        place
            .run(&["dlq", "list", "--json", "--order", &broken])
            .await
    };
    let groups = |listed: &Value| {
        let letters = listed["letters"].as_array().unwrap().iter();
        let group = |letter: &Value| letter["group"].as_str().unwrap().to_owned();
        letters.map(group).collect::<BTreeSet<_>>()
    };
    eventually(letters, |(_, listed)| {
        groups(listed) == GROUPS.map(ToOwned::to_owned).into()
    })
    .await;

    // Everybody is told, and the other order does not notice.
    for id in [&broken, &whole] {
        let assignment =
            json!({"driverName": "Ada", "estimatedDeliveryTime": "2026-01-01T10:00:00Z"});
        client.step(id, "assign", assignment).await.expect(200);
        client.step(id, "dispatch", json!({})).await.expect(200);
        client.step(id, "deliver", json!({})).await.expect(200);
    }
    client.order_in(&whole, "COMPLETED").await;
    assert_eq!(place.status().await["healthy"], false);
    // Facts of the key wait in each group that keeps an order.
    let waiting = |(_, listed): &(i32, Value)| {
        let letters = listed["letters"].as_array().unwrap().iter();
        letters
            .filter(|letter| letter["class"] == "waiting")
            .count()
            >= 3
    };
    eventually(letters, waiting).await;
    let stuck = client.order(&broken).await;
    assert_ne!(stuck["payment"]["status"], "CAPTURED", "{stuck}");
    let published = tokio::task::spawn_blocking(move || dead_letters(&kafka))
        .await
        .unwrap();
    // Who loses its lease for a moment may publish one again.
    assert_eq!(published, GROUPS.map(ToOwned::to_owned).into());

    let (code, became) = place
        .run(&[
            "dlq",
            "redrive",
            "--json",
            "--order",
            &broken,
            "--why",
            "the proxy is mended",
        ])
        .await;
    assert_eq!(code, 0, "{became:#}");
    let done =
        |order: &Value| order["status"] == "COMPLETED" && order["payment"]["status"] == "CAPTURED";
    client.order_until(&broken, done).await;
    eventually(
        async || place.status().await,
        |status| status["healthy"] == true,
    )
    .await;
    for role in roles {
        role.terminate().await;
    }
}

/// A record that says which fact it is, and whose payload was cut off.
pub fn rubbish(order: &str) -> Record {
    let id = format!("delivery-{order}-1");
    Record {
        key: Some(order.to_owned().into()),
        payload: Some(r#"{"type":"delivery.req"#.into()),
        headers: vec![
            ("ce_id".into(), id.into()),
            ("ce_subject".into(), order.to_owned().into()),
        ],
    }
}

/// The groups that dead letters of the delivery topic name.
fn dead_letters(kafka: &KafkaPlace) -> BTreeSet<String> {
    let topic = kafka.dead_letters(Service::Delivery);
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", kafka_brokers().unwrap())
        .set("group.id", "unused");
    let consumer: BaseConsumer = client.create().unwrap();
    let within = Duration::from_secs(10);
    let metadata = consumer.fetch_metadata(Some(&topic), within).unwrap();
    let mut groups = BTreeSet::new();
    for partition in metadata.topics()[0].partitions() {
        let (low, high) = consumer
            .fetch_watermarks(&topic, partition.id(), within)
            .unwrap();
        let mut at = TopicPartitionList::new();
        at.add_partition_offset(&topic, partition.id(), Offset::Offset(low))
            .unwrap();
        consumer.assign(&at).unwrap();
        for _ in low..high {
            let message = consumer.poll(within).unwrap().unwrap();
            let mut headers = message.headers().unwrap().iter();
            let group = headers.find(|header| header.key == "dlq-group").unwrap();
            groups.insert(String::from_utf8(group.value.unwrap().to_vec()).unwrap());
        }
    }
    groups
}
