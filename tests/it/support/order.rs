use domain::order::{Command, Order, Place};
use domain::values::{Item, OrderId};
use domain::{Category, OrderContext, StreamId};
use infra::handler::Handler;
use infra::{Origin, clock, ids};
use serde_json::json;

/// An order with three facts: created, cancellation requested and refused.
pub async fn order_of_three(orders: &Handler<Order>) -> OrderId {
    let id = ids::order();
    let item: Item =
        serde_json::from_value(json!({"sku": "sku-1", "quantity": 1, "unitPrice": 5})).unwrap();
    let place = Place {
        customer_id: "customer".to_owned().try_into().unwrap(),
        items: vec![item].try_into().unwrap(),
        currency: "EUR".parse().unwrap(),
        deadline_ms: 0,
    };
    let mut origin = Origin::of_person(ids::unique(), id.to_string(), clock::now());
    origin.order = Some(OrderContext {
        customer_id: place.customer_id.clone(),
        currency: place.currency,
        total_amount: place.items.total(),
        placed_at: origin.at,
    });
    let cancel = Command::Cancel {
        reason: "why not".to_owned().try_into().unwrap(),
    };
    let stream = StreamId::of(Category::Order, id);
    let commands = [Command::Place(place), cancel, Command::Refuse];
    let handled = orders.handle(&stream, &commands, &origin, None).await;
    assert_eq!(handled.unwrap().facts.len(), 3);
    id
}
