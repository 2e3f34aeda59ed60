//! A world of a few orders, fact by fact, as a pipeline would leave it.

mod edits;
mod finish;
mod roads;

use std::collections::HashMap;

use oracle::World;
use oracle::evidence::StoredReply;
use oracle::fact::{Fact, Service, Stored, Stream, time_of};
use oracle::journal::{Command, Reply};
use oracle::ledger::{Entry, Operation, Outcome};
use serde_json::{Value, json};

pub use edits::{about, edit, say};

pub const SKU: &str = "sku-1";
/// What each order is for.
pub const TOTAL: i64 = 1900;
const BEGAN: i64 = 1_780_000_000_000_000;
const PAYMENT: &str = "7f868704-a621-5628-88d9-e4b17101b5d5";
const DELIVERY: &str = "8f868704-a621-5628-88d9-e4b17101b5d5";

/// An order that was placed.
#[derive(Debug, Clone)]
pub struct Placed {
    pub id: String,
    pub customer: String,
    placed_at: i64,
    pub created: String,
}

#[derive(Default)]
pub struct Builder {
    pub world: World,
    now: i64,
    commands: u32,
    orders: u32,
    positions: HashMap<Service, i64>,
    heads: HashMap<(Stream, String), i64>,
    counters: (i64, i64),
}

impl Builder {
    /// One order of each kind, by the names that [`order_of`] gives.
    pub fn every_road() -> Self {
        let mut built = Self::with_stock(3);
        built.completed();
        built.called_off();
        built.failed_on_the_way();
        let kept = built.placed();
        built.reserved(&kept);
        built.authorized(&kept);
        built.delivered(&kept);
        built.short_of_stock();
        built.world.ledger.get_or_insert_default();
        built
    }

    pub fn with_stock(quantity: i64) -> Self {
        let mut built = Self::default();
        built.world.ledger = Some(vec![]);
        built.received(quantity);
        built
    }

    /// The next moment.
    fn tick(&mut self) -> i64 {
        self.now += 1000;
        BEGAN + self.now
    }

    fn command_id(&mut self) -> String {
        self.commands += 1;
        format!("01990000-0000-7000-8000-{:012}", self.commands)
    }

    /// A fact, and its id.
    pub fn append(
        &mut self,
        order: Option<&Placed>,
        (stream, of): (Stream, &str),
        payload: Value,
        cause: &str,
    ) -> String {
        let time = self.tick();
        let service = match stream {
            Stream::Order => Service::Order,
            Stream::Reservation | Stream::Stock => Service::Inventory,
            Stream::Payment => Service::Payment,
            Stream::Delivery => Service::Delivery,
        };
        let position = self.positions.entry(service).or_default();
        *position += 1;
        let sequence = self.heads.entry((stream, of.to_owned())).or_default();
        *sequence += 1;
        let mut metadata = json!({
            "time": time_of(time),
            "correlationId": order.map_or(of, |order| &order.id),
            "causationId": cause,
        });
        if let Some(order) = order {
            metadata["customerId"] = json!(order.customer);
            metadata["currency"] = json!("EUR");
            metadata["totalAmount"] = json!(TOTAL.to_string());
            metadata["placedAt"] = json!(time_of(order.placed_at));
        }
        let version = match payload["type"].as_str().unwrap() {
            "delivery.assigned" => "2",
            _ => "1",
        };
        let fact = Fact::read(Stored {
            service,
            position: *position,
            stream,
            of: of.to_owned(),
            sequence: *sequence,
            name: payload["type"].as_str().unwrap().to_owned(),
            version: version.to_owned(),
            payload: payload.to_string(),
            metadata: metadata.to_string(),
            recorded_at: time,
        });
        let id = fact.id();
        self.world.facts.push(fact);
        id
    }

    /// A command under a key of its own, and what it was told.
    fn told(&mut self, path: &str, body: Value, status: u16, reply: Value, token: &str) {
        let key = format!("key-{}", self.commands);
        let reply = Reply {
            status,
            body: reply.to_string(),
            token: Some(token.to_owned()),
            location: None,
        };
        self.world.replies.push(StoredReply {
            scope: format!("POST {path}"),
            key: key.clone(),
            status,
            body: reply.body.clone(),
            location: None,
            token: reply.token.clone(),
        });
        let asked_at = BEGAN + self.now - 900;
        self.world.journal.commands.push(Command {
            client: "a customer".to_owned(),
            asked_at,
            answered_at: asked_at + 950,
            path: path.to_owned(),
            key: Some(key),
            body,
            reply: Some(reply),
        });
    }

    pub fn received(&mut self, quantity: i64) -> String {
        self.counters.0 += quantity;
        let (on_hand, held) = self.counters;
        let receipt = json!({"type": "stock.received", "quantity": quantity, "onHand": on_hand, "held": held});
        let command = self.command_id();
        let id = self.append(None, (Stream::Stock, SKU), receipt, &command);
        let version: i64 = id.rsplit('-').next().unwrap().parse().unwrap();
        let reply = json!({"sku": SKU, "onHand": on_hand, "held": held, "version": version});
        let path = format!("/api/stock/{SKU}/receipts");
        self.told(&path, json!({"quantity": quantity}), 200, reply, &id);
        id
    }

    pub fn placed(&mut self) -> Placed {
        self.orders += 1;
        let mut order = Placed {
            id: order_of(self.orders),
            customer: format!("customer-{}", self.orders),
            placed_at: BEGAN + self.now + 1000,
            created: String::new(),
        };
        let items = json!([{"sku": SKU, "quantity": 1, "unitPrice": TOTAL}]);
        let created = json!({
            "type": "order.created", "customerId": order.customer, "currency": "EUR",
            "items": items, "totalAmount": TOTAL, "deadlineMs": 900_000,
        });
        let command = self.command_id();
        order.created = self.of_order(&order.clone(), created, &command);
        let body = json!({"customerId": order.customer, "currency": "EUR", "items": items});
        let reply = json!({
            "orderId": order.id, "customerId": order.customer, "totalAmount": TOTAL,
            "currency": "EUR", "status": "CREATED", "createdAt": time_of(order.placed_at),
        });
        self.told("/api/orders", body, 201, reply, &order.created.clone());
        order
    }

    pub fn asked_to_cancel(&mut self, order: &Placed) -> String {
        let asked = json!({"type": "order.cancellation-requested", "reason": "changed my mind"});
        let command = self.command_id();
        let id = self.of_order(order, asked, &command);
        let reply = json!({"orderId": order.id, "status": "CANCELLING"});
        let path = format!("/api/orders/{}/cancel", order.id);
        self.told(&path, json!({"reason": "changed my mind"}), 202, reply, &id);
        id
    }

    pub fn of_order(&mut self, order: &Placed, payload: Value, cause: &str) -> String {
        self.append(Some(order), (Stream::Order, &order.id), payload, cause)
    }

    pub fn of_payment(&mut self, order: &Placed, payload: Value, cause: &str) -> String {
        self.append(Some(order), (Stream::Payment, &order.id), payload, cause)
    }

    pub fn of_delivery(&mut self, order: &Placed, payload: Value, cause: &str) -> String {
        self.append(Some(order), (Stream::Delivery, &order.id), payload, cause)
    }

    /// A fact of the reservation, and with it of the stock.
    pub fn of_reservation(&mut self, order: &Placed, payload: Value, cause: &str) -> String {
        let (there, promised, name) = match payload["type"].as_str().unwrap() {
            "inventory.reserved" => (0, 1, "stock.held"),
            "inventory.released" => (0, -1, "stock.freed"),
            "inventory.shipped" => (-1, -1, "stock.shipped"),
            "inventory.returned" => (1, 0, "stock.returned"),
            _ => (0, 0, ""),
        };
        let lines = payload["lines"].as_array().map_or(0, Vec::len);
        let of = (Stream::Reservation, &*order.id);
        let id = self.append(Some(order), of, payload, cause);
        if lines > 0 {
            self.counters.0 += there;
            self.counters.1 += promised;
            let (on_hand, held) = self.counters;
            let change = json!({"type": name, "orderId": order.id, "quantity": 1, "onHand": on_hand, "held": held});
            self.append(Some(order), (Stream::Stock, SKU), change, cause);
        }
        id
    }

    pub fn reserved(&mut self, order: &Placed) -> String {
        let reserved = json!({"type": "inventory.reserved", "lines": lines()});
        self.of_reservation(order, reserved, &order.created)
    }

    /// Asked of the provider and done by it; the fact of the outcome.
    pub fn done(&mut self, order: &Placed, operation: Operation, cause: &str) -> String {
        let (asked, outcome) = match operation {
            Operation::Authorize => ("payment.requested", "payment.authorized"),
            Operation::Capture => ("payment.capture-requested", "payment.captured"),
            Operation::Void => ("payment.void-requested", "payment.voided"),
            Operation::Refund => ("payment.refund-requested", "payment.refunded"),
        };
        let payload = |name: &str| {
            json!({
                "type": name, "paymentId": PAYMENT, "amount": TOTAL, "currency": "EUR",
                "reason": "delivery-failed",
            })
        };
        let asked = self.of_payment(order, payload(asked), cause);
        self.carried_out(order, operation);
        self.of_payment(order, payload(outcome), &asked)
    }

    pub fn carried_out(&mut self, order: &Placed, operation: Operation) {
        let entry = Entry {
            key: format!("{}:{}", order.id, operation.name()),
            operation,
            order: order.id.clone(),
            amount: TOTAL,
            outcome: Outcome::Approved,
            at: Some(BEGAN + self.now),
        };
        self.world.ledger.get_or_insert_default().push(entry);
    }

    pub fn authorized(&mut self, order: &Placed) -> String {
        let reserved = format!("reservation-{}-1", order.id);
        self.done(order, Operation::Authorize, &reserved)
    }

    /// On the way, and by whom.
    pub fn assigned(&mut self, order: &Placed) -> String {
        let authorized = format!("payment-{}-2", order.id);
        let requested = json!({"type": "delivery.requested", "deliveryId": DELIVERY});
        let requested = self.of_delivery(order, requested, &authorized);
        let assigned = json!({
            "type": "delivery.assigned", "deliveryId": DELIVERY, "driver": {"name": "Driver Ash"},
            "estimatedDeliveryTime": time_of(BEGAN + 3_600_000_000),
        });
        self.of_delivery(order, assigned, &requested);
        let moved = json!({
            "type": "delivery.eta-updated",
            "estimatedDeliveryTime": time_of(BEGAN + 3_900_000_000),
        });
        self.of_delivery(order, moved, &requested);
        requested
    }

    pub fn dispatched(&mut self, order: &Placed) -> String {
        let requested = self.assigned(order);
        let dispatched = json!({"type": "delivery.dispatched", "deliveryId": DELIVERY});
        let dispatched = self.of_delivery(order, dispatched, &requested);
        self.done(order, Operation::Capture, &dispatched);
        let shipped = json!({"type": "inventory.shipped", "lines": lines()});
        self.of_reservation(order, shipped, &dispatched);
        requested
    }

    pub fn delivered(&mut self, order: &Placed) {
        let requested = self.dispatched(order);
        let delivered = json!({"type": "delivery.delivered", "deliveryId": DELIVERY});
        let delivered = self.of_delivery(order, delivered, &requested);
        self.of_order(order, json!({"type": "order.completed"}), &delivered);
    }

    pub fn completed(&mut self) -> Placed {
        let order = self.placed();
        self.reserved(&order);
        self.authorized(&order);
        self.delivered(&order);
        order
    }
}

/// The id of the order of that number, from 1.
pub fn order_of(number: u32) -> String {
    format!("01890a5d-ac96-774b-bcce-{number:012}")
}

fn lines() -> Value {
    json!([{"sku": SKU, "quantity": 1}])
}
