//! What follows from what: the order process as its documents tell it.

use crate::fact::{Body, Fact, Service};

/// What may be behind a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A command that somebody sent.
    Request,
    /// A fact of that name of the same order.
    Fact(&'static str),
}

const UNDONE: [Cause; 3] = [
    Cause::Fact("payment.failed"),
    Cause::Fact("payment.voided"),
    Cause::Fact("payment.refunded"),
];
const OVER: [Cause; 2] = [
    Cause::Fact("delivery.cancelled"),
    Cause::Fact("delivery.failed"),
];
/// The courier, asked because of the request; or a person.
const STEP: [Cause; 2] = [Cause::Fact("delivery.requested"), Cause::Request];

/// What may be behind a fact that says this; nothing for a fact that does not exist.
pub fn causes(body: &Body) -> Vec<Cause> {
    use Cause::{Fact, Request};
    match body {
        Body::Created { .. } | Body::CancellationRequested { .. } | Body::StockReceived { .. } => {
            vec![Request]
        }
        Body::OrderCancellationRefused {} => vec![Fact("delivery.cancellation-refused")],
        Body::OrderCancelled { .. } => vec![
            Fact("inventory.rejected"),
            Fact("inventory.released"),
            Fact("inventory.returned"),
        ],
        Body::Completed {} => vec![Fact("delivery.delivered")],
        Body::Reserved { .. } | Body::Rejected { .. } | Body::StockHeld(_) => {
            vec![Fact("order.created")]
        }
        Body::Shipped { .. } | Body::StockShipped(_) | Body::CaptureRequested(_) => {
            vec![Fact("delivery.dispatched")]
        }
        Body::Released { .. }
        | Body::Returned { .. }
        | Body::StockFreed(_)
        | Body::StockReturned(_) => UNDONE.to_vec(),
        Body::PaymentRequested(_) => vec![Fact("inventory.reserved")],
        Body::Authorized(_) | Body::PaymentFailed { .. } => vec![Fact("payment.requested")],
        Body::Captured(_) | Body::CaptureFailed(_) => vec![Fact("payment.capture-requested")],
        // Of an undo that had to wait for an answer, the question is the cause.
        Body::VoidRequested(_) => {
            let asked = [Fact("payment.requested"), Fact("payment.capture-requested")];
            [OVER.as_slice(), &asked].concat()
        }
        Body::RefundRequested(_) => {
            [OVER.as_slice(), &[Fact("payment.capture-requested")]].concat()
        }
        Body::Voided { amount: 0, .. } | Body::UndoRequested { .. } => OVER.to_vec(),
        Body::Voided { .. } if body.by_hand() => vec![Request, Fact("payment.void-requested")],
        Body::Voided { .. } => vec![Fact("payment.void-requested")],
        Body::Refunded { .. } if body.by_hand() => vec![Request, Fact("payment.refund-requested")],
        Body::Refunded { .. } => vec![Fact("payment.refund-requested")],
        Body::DeliveryRequested { .. } => vec![Fact("payment.authorized")],
        Body::Assigned { .. }
        | Body::EtaUpdated { .. }
        | Body::Dispatched { .. }
        | Body::Delivered { .. }
        | Body::DeliveryFailed { .. } => STEP.to_vec(),
        // The deadline that was set when the order was placed, the customer, or the end.
        Body::DeliveryCancelled {
            delivery_id: None, ..
        } => vec![
            Fact("order.created"),
            Fact("order.cancellation-requested"),
            Fact("order.cancelled"),
        ],
        Body::DeliveryCancelled { .. } | Body::DeliveryCancellationRefused {} => {
            vec![Fact("order.cancellation-requested")]
        }
    }
}

/// Whether a stream may have more than one fact of this kind.
pub fn may_repeat(body: &Body) -> bool {
    matches!(body, Body::EtaUpdated { .. })
}

/// The services that read the topic of another.
pub fn readers(topic: Service) -> &'static [Service] {
    match topic {
        Service::Order => &[Service::Inventory, Service::Delivery],
        Service::Inventory => &[Service::Order, Service::Payment],
        Service::Payment => &[Service::Inventory, Service::Delivery],
        Service::Delivery => &[Service::Order, Service::Inventory, Service::Payment],
    }
}

/// What a service must have done before it may be done with a fact: one of these facts of the same
/// order, in its own log; empty where the fact is not for it.
pub fn effects(service: Service, fact: &Fact) -> &'static [&'static str] {
    match (service, fact.name()) {
        (Service::Inventory, "order.created") => &HELD_OR_OVER,
        (Service::Inventory, "delivery.dispatched") => &LEFT_OR_OVER,
        (Service::Inventory, "payment.failed" | "payment.voided" | "payment.refunded") => {
            &GIVEN_BACK
        }
        (Service::Payment, "inventory.reserved") => &["payment.requested", "payment.voided"],
        (Service::Payment, "delivery.dispatched") => &["payment.capture-requested"],
        (Service::Payment, "delivery.cancelled" | "delivery.failed") => &MONEY_BACK,
        (Service::Order, "inventory.rejected" | "inventory.released" | "inventory.returned") => {
            &["order.cancelled"]
        }
        (Service::Order, "delivery.delivered") => &["order.completed"],
        (Service::Order, "delivery.cancellation-refused") => &[
            "order.cancellation-refused",
            "order.completed",
            "order.cancelled",
        ],
        (Service::Delivery, "payment.authorized" | "order.cancelled") => {
            &["delivery.requested", "delivery.cancelled"]
        }
        (Service::Delivery, "order.cancellation-requested") => &CALLED_OFF_OR_GONE,
        _ => &[],
    }
}

const HELD_OR_OVER: [&str; 3] = [
    "inventory.reserved",
    "inventory.rejected",
    "inventory.released",
];
const LEFT_OR_OVER: [&str; 2] = ["inventory.shipped", "inventory.released"];
const GIVEN_BACK: [&str; 3] = [
    "inventory.released",
    "inventory.returned",
    "inventory.rejected",
];
const MONEY_BACK: [&str; 6] = [
    "payment.undo-requested",
    "payment.void-requested",
    "payment.refund-requested",
    "payment.voided",
    "payment.refunded",
    "payment.failed",
];
const CALLED_OFF_OR_GONE: [&str; 4] = [
    "delivery.cancelled",
    "delivery.cancellation-refused",
    "delivery.delivered",
    "delivery.failed",
];
