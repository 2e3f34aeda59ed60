//! A fact that nobody can read, as something that is not ours would have written it.

use domain::values::OrderId;
use domain::{Category, StreamId, Task};
use infra::event_store::{Append, DueRow, EventStore, NewFact};

/// Appends `delivery.delivered` without what it has to say to an order's dispatched delivery;
/// returns the fact's id and the payload that it should have.
pub async fn deliver_unreadably(store: &dyn EventStore, order: &str) -> (String, String) {
    let order: OrderId = order.parse().unwrap();
    let stream = StreamId::of(Category::Delivery, order);
    let last = store.read_last(&stream).await.unwrap().unwrap();
    assert_eq!(last.name, "delivery.dispatched");
    let payload = String::from_utf8(last.payload.to_vec()).unwrap();
    let id = stream.fact(last.id.sequence + 1);
    let fact = NewFact {
        stream: stream.clone(),
        sequence: id.sequence,
        name: "delivery.delivered",
        version: "1",
        payload: r#"{"type":"delivery.delivered"}"#.into(),
        metadata: last.metadata,
    };
    let request = Append {
        expect: vec![(stream, last.id.sequence)],
        facts: vec![fact],
        settles: vec![DueRow::id_of(order, Task::Courier)],
        ..Append::default()
    };
    store.append(request).await.unwrap();
    let good = payload.replace("delivery.dispatched", "delivery.delivered");
    (id.to_string(), good)
}
