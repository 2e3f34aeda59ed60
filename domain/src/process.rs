//! The order process, whole: which fact of one service makes another act.
//!
//! The way there: hold the stock, authorize the payment, request the delivery; when it leaves,
//! capture the money and ship the stock; when it arrives, the order is complete.
//!
//! The way back runs the same road in reverse, one link at a time: delivery, payment,
//! reservation, order. Where a link was never made, its stream's tombstone keeps it from being
//! made later. So `order.cancelled` means that nothing is held.

use uuid::Uuid;

use crate::inventory::reservation;
use crate::values::{DeliveryId, OrderId, PaymentId, Reason};
use crate::{Fact, OrderContext, Recorded, Service, delivery, order, payment};

/// A command for one of the services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// For the order service.
    Order(order::Command),
    /// For the inventory service.
    Inventory(reservation::Command),
    /// For the payment service.
    Payment(payment::Command),
    /// For the delivery service.
    Delivery(delivery::Command),
}

impl Command {
    /// Who carries it out.
    pub fn service(&self) -> Service {
        match self {
            Self::Order(_) => Service::Order,
            Self::Inventory(_) => Service::Inventory,
            Self::Payment(_) => Service::Payment,
            Self::Delivery(_) => Service::Delivery,
        }
    }
}

/// When a command is to be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At once.
    Now,
    /// Not before so many milliseconds have passed since the service took the fact.
    AfterMs(u64),
}

/// What a fact asks of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// The order.
    pub order: OrderId,
    /// The command's id: the same each time the fact is met (UUID v5 of order and step).
    pub command_id: Uuid,
    /// What to do.
    pub command: Command,
    /// When.
    pub when: When,
}

/// What `fact` asks of the services: the whole order process. It needs no memory and no
/// configuration; a fact that is met again asks the same again, and the deciders take it as
/// nothing.
pub fn react(recorded: &Recorded) -> Vec<Reaction> {
    let (Some(id), Some(order)) = (recorded.order_id(), &recorded.order) else {
        return vec![];
    };
    let step = Step { id, order };
    match &recorded.fact {
        Fact::Order(event) => step.after_order(event),
        Fact::Reservation(event) => step.after_reservation(event),
        Fact::Stock(_) => vec![],
        Fact::Payment(event) => step.after_payment(event),
        Fact::Delivery(event) => step.after_delivery(event),
    }
}

struct Step<'a> {
    id: OrderId,
    order: &'a OrderContext,
}

impl Step<'_> {
    fn after_order(&self, event: &order::Event) -> Vec<Reaction> {
        use order::Event;
        match event {
            Event::Created {
                items, deadline_ms, ..
            } => {
                let mut all = vec![self.hold(items.lines())];
                if *deadline_ms > 0 {
                    all.push(Reaction {
                        when: When::AfterMs(*deadline_ms),
                        ..self.close("deadline", Reason::deadline())
                    });
                }
                all
            }
            Event::CancellationRequested { reason } => vec![self.cancel(reason)],
            Event::Cancelled { reason } => vec![self.close("close", reason.clone())],
            Event::CancellationRefused {} | Event::Completed {} => vec![],
        }
    }

    fn after_reservation(&self, event: &reservation::Event) -> Vec<Reaction> {
        use reservation::Event;
        match event {
            Event::Reserved { .. } => vec![self.authorize()],
            Event::Rejected { reason, .. }
            | Event::Released { reason, .. }
            | Event::Returned { reason, .. } => vec![self.finish(reason)],
            Event::Shipped { .. } => vec![],
        }
    }

    fn after_payment(&self, event: &payment::Event) -> Vec<Reaction> {
        use payment::Event;
        match event {
            Event::Authorized { .. } => vec![self.request_delivery()],
            Event::Failed { undo_reason, .. } => {
                let reason = undo_reason.clone().unwrap_or_else(Reason::payment_declined);
                vec![self.undo_reservation(reason)]
            }
            Event::Voided { reason, .. } | Event::Refunded { reason, .. } => {
                vec![self.undo_reservation(reason.clone())]
            }
            Event::Requested { .. }
            | Event::CaptureRequested { .. }
            | Event::Captured { .. }
            | Event::CaptureFailed { .. }
            | Event::VoidRequested { .. }
            | Event::RefundRequested { .. }
            | Event::UndoRequested { .. } => vec![],
        }
    }

    fn after_delivery(&self, event: &delivery::Event) -> Vec<Reaction> {
        use delivery::Event;
        match event {
            Event::Dispatched { .. } => vec![self.capture(), self.ship()],
            Event::Delivered { .. } => vec![self.complete()],
            Event::Cancelled { reason, .. } => vec![self.undo_payment(reason.clone())],
            Event::Failed { .. } => vec![self.undo_payment(Reason::delivery_failed())],
            Event::CancellationRefused {} => vec![self.refuse()],
            Event::Requested { .. } | Event::Assigned { .. } | Event::EtaUpdated { .. } => vec![],
        }
    }

    fn hold(&self, lines: Vec<crate::values::Line>) -> Reaction {
        self.now(
            "hold",
            Command::Inventory(reservation::Command::Hold { lines }),
        )
    }

    fn authorize(&self) -> Reaction {
        let command = payment::Command::Authorize {
            payment_id: PaymentId::of(self.id),
            amount: self.order.total_amount,
            currency: self.order.currency,
        };
        self.now("authorize", Command::Payment(command))
    }

    fn request_delivery(&self) -> Reaction {
        let delivery_id = DeliveryId::of(self.id);
        let command = delivery::Command::Request { delivery_id };
        self.now("request-delivery", Command::Delivery(command))
    }

    fn capture(&self) -> Reaction {
        self.now("capture", Command::Payment(payment::Command::Capture))
    }

    fn ship(&self) -> Reaction {
        self.now("ship", Command::Inventory(reservation::Command::Ship))
    }

    fn complete(&self) -> Reaction {
        self.now("complete", Command::Order(order::Command::Complete))
    }

    fn cancel(&self, reason: &Reason) -> Reaction {
        let reason = reason.clone();
        let command = delivery::Command::Cancel { reason };
        self.now("cancel", Command::Delivery(command))
    }

    fn refuse(&self) -> Reaction {
        self.now("refuse", Command::Order(order::Command::Refuse))
    }

    fn undo_payment(&self, reason: Reason) -> Reaction {
        let command = payment::Command::Undo { reason };
        self.now("undo-payment", Command::Payment(command))
    }

    fn undo_reservation(&self, reason: Reason) -> Reaction {
        let command = reservation::Command::Undo { reason };
        self.now("undo-reservation", Command::Inventory(command))
    }

    fn finish(&self, reason: &Reason) -> Reaction {
        let reason = reason.clone();
        self.now("finish", Command::Order(order::Command::Finish { reason }))
    }

    fn close(&self, step: &str, reason: Reason) -> Reaction {
        self.now(step, Command::Delivery(delivery::Command::Close { reason }))
    }

    fn now(&self, step: &str, command: Command) -> Reaction {
        Reaction {
            order: self.id,
            command_id: self.id.derive(step),
            command,
            when: When::Now,
        }
    }
}

#[cfg(test)]
mod tests;
