use std::collections::BTreeSet;

use domain::{Category, FactId, StreamId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

const ORDER: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const OTHER: &str = "7f868704-a621-5628-88d9-e4b17101b5d5";
const TIME: &str = "2026-01-31T12:00:00.000001Z";

/// Every fact as it is stored today: what stands here was published, and is added to only.
pub(crate) fn published() -> Vec<(Category, Value)> {
    let line = json!([{"sku": "sku-1", "quantity": 2}]);
    let item = json!([{"sku": "sku-1", "quantity": 2, "unitPrice": 950}]);
    let stock = |kind: &str| json!({"type": kind, "orderId": ORDER, "quantity": 2, "onHand": 10, "held": 2});
    let charge = |kind: &str| json!({"type": kind, "paymentId": OTHER, "amount": 1900});
    let undo = |kind: &str| json!({"type": kind, "paymentId": OTHER, "amount": 1900, "reason": "deadline"});
    let road = |kind: &str| json!({"type": kind, "deliveryId": OTHER});
    vec![
        (
            Category::Order,
            json!({"type": "order.created", "customerId": "customer-7", "currency": "EUR",
                "items": item, "totalAmount": 1900, "deadlineMs": 900_000}),
        ),
        (
            Category::Order,
            json!({"type": "order.cancellation-requested", "reason": "changed my mind"}),
        ),
        (
            Category::Order,
            json!({"type": "order.cancellation-refused"}),
        ),
        (
            Category::Order,
            json!({"type": "order.cancelled", "reason": "deadline"}),
        ),
        (Category::Order, json!({"type": "order.completed"})),
        (
            Category::Reservation,
            json!({"type": "inventory.reserved", "lines": line}),
        ),
        (
            Category::Reservation,
            json!({"type": "inventory.rejected", "reason": "out-of-stock",
                "short": [{"sku": "sku-1", "wanted": 2, "available": 1}]}),
        ),
        (
            Category::Reservation,
            json!({"type": "inventory.released", "lines": [], "reason": "deadline"}),
        ),
        (
            Category::Reservation,
            json!({"type": "inventory.shipped", "lines": line}),
        ),
        (
            Category::Reservation,
            json!({"type": "inventory.returned", "lines": line, "reason": "delivery-failed"}),
        ),
        (
            Category::Stock,
            json!({"type": "stock.received", "quantity": 10, "onHand": 10, "held": 0}),
        ),
        (Category::Stock, stock("stock.held")),
        (Category::Stock, stock("stock.freed")),
        (Category::Stock, stock("stock.shipped")),
        (Category::Stock, stock("stock.returned")),
        (
            Category::Payment,
            json!({"type": "payment.requested", "paymentId": OTHER, "amount": 1900,
                "currency": "EUR"}),
        ),
        (Category::Payment, charge("payment.authorized")),
        (
            Category::Payment,
            json!({"type": "payment.failed", "paymentId": OTHER, "reason": "card-declined"}),
        ),
        (
            Category::Payment,
            json!({"type": "payment.failed", "paymentId": OTHER, "reason": "card-declined",
                "undoReason": "deadline"}),
        ),
        (Category::Payment, charge("payment.capture-requested")),
        (Category::Payment, charge("payment.captured")),
        (Category::Payment, undo("payment.capture-failed")),
        (Category::Payment, undo("payment.void-requested")),
        (
            Category::Payment,
            json!({"type": "payment.voided", "amount": 0, "reason": "deadline"}),
        ),
        (Category::Payment, undo("payment.refund-requested")),
        (
            Category::Payment,
            json!({"type": "payment.refunded", "amount": 1900, "reason": "deadline",
                "settledByHand": "by phone"}),
        ),
        (
            Category::Payment,
            json!({"type": "payment.undo-requested", "reason": "deadline"}),
        ),
        (Category::Delivery, road("delivery.requested")),
        (
            Category::Delivery,
            json!({"type": "delivery.assigned", "deliveryId": OTHER, "driverName": "Driver Ash",
                "estimatedDeliveryTime": TIME}),
        ),
        (
            Category::Delivery,
            json!({"type": "delivery.eta-updated", "estimatedDeliveryTime": TIME}),
        ),
        (Category::Delivery, road("delivery.dispatched")),
        (Category::Delivery, road("delivery.delivered")),
        (
            Category::Delivery,
            json!({"type": "delivery.failed", "deliveryId": OTHER, "reason": "no such street"}),
        ),
        (
            Category::Delivery,
            json!({"type": "delivery.cancelled", "reason": "deadline"}),
        ),
        (
            Category::Delivery,
            json!({"type": "delivery.cancelled", "deliveryId": OTHER, "reason": "deadline"}),
        ),
        (
            Category::Delivery,
            json!({"type": "delivery.cancellation-refused"}),
        ),
    ]
}

fn metadata() -> Value {
    json!({
        "time": TIME,
        "correlationId": ORDER,
        "causationId": "order-1",
        "commandId": OTHER,
        "customerId": "customer-7",
        "currency": "EUR",
        "totalAmount": "1900",
        "placedAt": TIME,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    })
}

pub(crate) fn stored(category: Category, payload: &Value) -> StoredFact {
    StoredFact {
        id: FactId {
            stream: StreamId {
                category,
                id: ORDER.to_owned(),
            },
            sequence: 7,
        },
        position: 9,
        name: payload["type"].as_str().unwrap().to_owned(),
        version: "1".to_owned(),
        payload: payload.to_string().into(),
        metadata: metadata().to_string().into(),
    }
}

#[test]
fn every_published_fact_is_read_and_written_again_as_it_was() {
    let command_id: Uuid = OTHER.parse().unwrap();
    for (category, payload) in published() {
        let recorded = decode(&stored(category, &payload)).unwrap();
        assert_eq!(recorded.fact.name(), payload["type"]);
        let again = encode(&recorded, command_id);
        assert_eq!(again.name, payload["type"]);
        assert_eq!(
            serde_json::from_slice::<Value>(&again.payload).unwrap(),
            payload
        );
        let written: Value = serde_json::from_slice(&again.metadata).unwrap();
        assert_eq!(written, metadata());
        assert!(written.as_object().unwrap().values().all(Value::is_string));
    }
}

#[test]
fn the_list_of_versions_names_every_fact() {
    let published = published();
    let names: BTreeSet<_> = published
        .iter()
        .map(|(_, p)| p["type"].as_str().unwrap())
        .collect();
    let listed: BTreeSet<_> = VERSIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, Fact::names().collect());
    assert_eq!(listed, names, "a fact has no published form in this test");
    assert_eq!(VERSIONS.len(), listed.len());
}

#[test]
fn a_reader_ignores_fields_that_it_does_not_know() {
    let payload = json!({"type": "order.completed", "rating": 5});
    let mut fact = stored(Category::Order, &payload);
    let mut metadata = metadata();
    metadata["tenant"] = json!("seven");
    fact.metadata = metadata.to_string().into();
    assert_eq!(decode(&fact).unwrap().fact.name(), "order.completed");
}

#[test]
fn an_unknown_name_or_version_is_told_from_a_broken_fact() {
    let payload = json!({"type": "order.gift-wrapped"});
    let unknown = decode(&stored(Category::Order, &payload));
    assert!(
        matches!(unknown, Err(Unreadable::Unknown { .. })),
        "{unknown:?}"
    );

    let mut newer = stored(Category::Order, &json!({"type": "order.completed"}));
    newer.version = "2".to_owned();
    assert!(matches!(decode(&newer), Err(Unreadable::Unknown { .. })));

    let broken = |change: &dyn Fn(&mut StoredFact)| {
        let mut fact = stored(Category::Order, &json!({"type": "order.completed"}));
        change(&mut fact);
        let read = decode(&fact);
        assert!(matches!(read, Err(Unreadable::Broken(_))), "{read:?}");
    };
    broken(&|fact| fact.payload = "{".into());
    broken(&|fact| fact.payload = r#"{"type":"order.cancelled","reason":"x"}"#.into());
    broken(&|fact| fact.payload = r#"{"reason":"x"}"#.into());
    broken(&|fact| fact.metadata = "{}".into());
    broken(&|fact| {
        let metadata = metadata().to_string().replace(TIME, "yesterday");
        fact.metadata = metadata.into();
    });
    broken(&|fact| {
        let metadata = metadata().to_string().replace("1900", "-1");
        fact.metadata = metadata.into();
    });
    broken(&|fact| fact.id.stream.category = Category::Payment);
}

#[test]
fn a_fact_without_an_order_belongs_to_none() {
    let payload = json!({"type": "stock.received", "quantity": 10, "onHand": 10, "held": 0});
    let mut fact = stored(Category::Stock, &payload);
    let bare = json!({"time": TIME, "correlationId": "sku-1", "causationId": "c"});
    fact.metadata = bare.to_string().into();
    assert_eq!(decode(&fact).unwrap().order, None);
}
