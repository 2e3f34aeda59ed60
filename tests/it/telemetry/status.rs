//! `waybill status`: every lag at a glance, and what does not answer.

use domain::Service;
use infra::bus::{Delivered, Partition};
use infra::codec::Unreadable;
use infra::event_store::{Checkpoint, ParkedRows};
use infra::relay::CHECKPOINT;
use infra::view_store::CassandraViewStore;
use serde_json::{Value, json};
use waybill::adapters::Adapters;

use super::process::Place;
use crate::support::order_of;

const HALT: &str = "the topic is gone: run `waybill replay --to-kafka --service order`";

fn of_group<'a>(status: &'a Value, list: &str, group: &str) -> &'a Value {
    let mut all = status[list].as_array().unwrap().iter();
    all.find(|of| of["group"] == group).unwrap()
}

fn unreadable() -> Delivered {
    Delivered {
        partition: Partition {
            topic: Service::Order,
            number: 0,
        },
        offset: 7,
        key: "sku-1".to_owned(),
        fact: Err(Unreadable::Broken("no JSON".to_owned())),
        record: None,
    }
}

/// Nobody relays or projects: what is shown stays as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_on_servers_shows_every_lag_a_halt_and_what_is_parked() {
    let Some(place) = Place::on_servers().await else {
        return;
    };
    let nobody = ["kafka_brokers=127.0.0.1:1", "drain_ms=2000"];
    let mut alone = place.start_with(&["command-api"], &nobody).await;
    for _ in 0..2 {
        let order = order_of("sku-1", 1, 1901);
        alone.client().post("/api/orders", order).await.expect(201);
    }
    alone.terminate().await;
    let status = place.status().await;
    assert_eq!(status["healthy"], true, "{status:#}");

    let config = place.config();
    let store = Adapters::open(&config)
        .unwrap()
        .store(Service::Order)
        .clone();
    let halted = Checkpoint {
        halted: Some(HALT.to_owned()),
        ..Checkpoint::default()
    };
    let set = store.set_checkpoint(CHECKPOINT, &halted, None);
    set.await.unwrap();
    let views = CassandraViewStore::new(&config.servers.unwrap().views().unwrap());
    let row = unreadable().parked("order_view-g1", "undecodable", "no JSON", 1);
    views.park(row).await.unwrap();

    let status = place.status().await;
    assert_eq!(status["healthy"], false, "{status:#}");
    let relay = json!({"position": 0, "lag": 2, "halted": HALT});
    assert_eq!(status["services"][0]["relay"], relay);
    let parked = of_group(&status, "parked", "order_view-g1");
    assert_eq!(
        (&parked["failed"], &parked["waiting"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(of_group(&status, "groups", "order_view-g1")["lag"], 0);
    let (code, said) = place.run(&["status"]).await;
    assert_eq!(code, 0, "{said}");
    for words in [
        "2 halted",
        "the relay of order has halted",
        "waybill replay --to-kafka --service order",
        "waybill dlq show order_view-g1/order/sku-1/0/7",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("nothing waits"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_answer_is_shown_as_that_beside_what_does() {
    let Some(mut place) = Place::on_servers().await else {
        return;
    };
    place.set("kafka_brokers=127.0.0.1:1");
    place.set("cassandra_nodes=127.0.0.1:1");
    place.set("payment_postgres_url=postgres://me:hidden@127.0.0.1:1/postgres");
    let status = place.status().await;
    assert_eq!(status["healthy"], false, "{status:#}");
    let services = status["services"].as_array().unwrap();
    let of = |name: &str| services.iter().find(|of| of["service"] == name).unwrap();
    assert_eq!(of("order")["lastPosition"], 0);
    assert_eq!(of("payment")["lastPosition"], Value::Null);
    assert!(of("payment")["problem"].is_string(), "{status:#}");
    for (list, group) in [("groups", "delivery"), ("parked", "order_view-g1")] {
        let problem = &of_group(&status, list, group)["problem"];
        assert!(problem.is_string(), "{list}: {status:#}");
    }
    assert_eq!(of_group(&status, "parked", "delivery")["failed"], 0);
    let (code, said) = place.run(&["status"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("no answer about the event store of payment"),
        "{said}"
    );
    assert!(!said.contains("hidden"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_of_an_embedded_pipeline_has_no_relays_and_all_groups() {
    let place = Place::embedded();
    let mut process = place.start(&["serve"]).await;
    let status = place.status().await;
    assert_eq!(status["healthy"], true, "{status:#}");
    assert_eq!(status["services"][0]["relay"], Value::Null);
    let (code, said) = place.run(&["status"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("order_view-g1"), "{said}");
    assert!(said.contains("nothing waits for a person"), "{said}");
    process.terminate().await;
}
