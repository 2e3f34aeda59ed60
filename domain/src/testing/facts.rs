//! One of each fact, as the order of [`super::values`] has it.

use crate::Fact;

pub mod order {
    use crate::order::Event;
    use crate::testing::values::{currency, customer, items, reason, total};

    pub fn created() -> Event {
        created_with_deadline(0)
    }

    pub fn created_with_deadline(deadline_ms: u64) -> Event {
        Event::Created {
            customer_id: customer(),
            currency: currency(),
            items: items(),
            total_amount: total(),
            deadline_ms,
        }
    }

    pub fn cancellation_requested() -> Event {
        Event::CancellationRequested {
            reason: reason("changed my mind"),
        }
    }

    pub fn cancelled() -> Event {
        Event::Cancelled {
            reason: reason("changed my mind"),
        }
    }
}

pub mod reservation {
    use crate::inventory::reservation::{Event, Shortage};
    use crate::testing::values::{lines, reason, sku};
    use crate::values::Reason;

    pub fn reserved() -> Event {
        Event::Reserved { lines: lines() }
    }

    pub fn rejected() -> Event {
        Event::Rejected {
            reason: Reason::out_of_stock(),
            short: vec![Shortage {
                sku: sku("A"),
                wanted: 2,
                available: 1,
            }],
        }
    }

    pub fn released() -> Event {
        Event::Released {
            lines: lines(),
            reason: reason("changed my mind"),
        }
    }

    pub fn tombstone() -> Event {
        Event::Released {
            lines: vec![],
            reason: reason("changed my mind"),
        }
    }

    pub fn shipped() -> Event {
        Event::Shipped { lines: lines() }
    }

    pub fn returned() -> Event {
        Event::Returned {
            lines: lines(),
            reason: Reason::delivery_failed(),
        }
    }
}

pub mod stock {
    use crate::inventory::stock::{Change, Event, State};
    use crate::testing::values::{order_id, quantity};

    pub fn received(units: u64, on_hand: u64, held: u64) -> Event {
        Event::Received {
            quantity: quantity(units),
            after: State { on_hand, held },
        }
    }

    pub fn change(units: u64, on_hand: u64, held: u64) -> Change {
        Change {
            order_id: order_id(),
            quantity: quantity(units),
            after: State { on_hand, held },
        }
    }
}

pub mod payment {
    use crate::payment::Event;
    use crate::testing::values::{amount, currency, payment_id, reason, total};
    use crate::values::Reason;

    pub fn requested() -> Event {
        Event::Requested {
            payment_id: payment_id(),
            amount: total(),
            currency: currency(),
        }
    }

    pub fn authorized() -> Event {
        Event::Authorized {
            payment_id: payment_id(),
            amount: total(),
        }
    }

    pub fn failed(undo_reason: Option<Reason>) -> Event {
        Event::Failed {
            payment_id: payment_id(),
            reason: reason("insufficient funds"),
            undo_reason,
        }
    }

    pub fn capture_requested() -> Event {
        Event::CaptureRequested {
            payment_id: payment_id(),
            amount: total(),
        }
    }

    pub fn captured() -> Event {
        Event::Captured {
            payment_id: payment_id(),
            amount: total(),
        }
    }

    pub fn capture_failed() -> Event {
        Event::CaptureFailed {
            payment_id: payment_id(),
            amount: total(),
            reason: reason("card expired"),
        }
    }

    pub fn void_requested() -> Event {
        Event::VoidRequested {
            payment_id: payment_id(),
            amount: total(),
            reason: reason("changed my mind"),
        }
    }

    pub fn voided() -> Event {
        Event::Voided {
            amount: total(),
            reason: reason("changed my mind"),
            settled_by_hand: None,
        }
    }

    pub fn tombstone() -> Event {
        Event::Voided {
            amount: amount(0),
            reason: reason("changed my mind"),
            settled_by_hand: None,
        }
    }

    pub fn refund_requested() -> Event {
        Event::RefundRequested {
            payment_id: payment_id(),
            amount: total(),
            reason: Reason::delivery_failed(),
        }
    }

    pub fn refunded() -> Event {
        Event::Refunded {
            amount: total(),
            reason: Reason::delivery_failed(),
            settled_by_hand: None,
        }
    }

    pub fn undo_requested() -> Event {
        Event::UndoRequested {
            reason: reason("changed my mind"),
        }
    }
}

pub mod delivery {
    use crate::delivery::Event;
    use crate::testing::values::{delivery_id, driver, minute, reason};

    pub fn requested() -> Event {
        Event::Requested {
            delivery_id: delivery_id(),
        }
    }

    pub fn assigned() -> Event {
        Event::Assigned {
            delivery_id: delivery_id(),
            driver_name: driver("Ada"),
            estimated_delivery_time: minute(45),
        }
    }

    pub fn eta_updated() -> Event {
        Event::EtaUpdated {
            estimated_delivery_time: minute(50),
        }
    }

    pub fn dispatched() -> Event {
        Event::Dispatched {
            delivery_id: delivery_id(),
        }
    }

    pub fn delivered() -> Event {
        Event::Delivered {
            delivery_id: delivery_id(),
        }
    }

    pub fn failed() -> Event {
        Event::Failed {
            delivery_id: delivery_id(),
            reason: reason("nobody at home"),
        }
    }

    pub fn cancelled() -> Event {
        Event::Cancelled {
            delivery_id: Some(delivery_id()),
            reason: reason("changed my mind"),
        }
    }

    pub fn tombstone() -> Event {
        Event::Cancelled {
            delivery_id: None,
            reason: reason("changed my mind"),
        }
    }
}

/// One of each fact of the pipeline, the tombstones beside them.
pub fn every() -> Vec<Fact> {
    use crate::delivery::Event::CancellationRefused;
    use crate::inventory::stock::Event as Stock;
    use crate::order::Event as Order;
    vec![
        order::created().into(),
        order::cancellation_requested().into(),
        Order::CancellationRefused {}.into(),
        order::cancelled().into(),
        Order::Completed {}.into(),
        reservation::reserved().into(),
        reservation::rejected().into(),
        reservation::released().into(),
        reservation::tombstone().into(),
        reservation::shipped().into(),
        reservation::returned().into(),
        stock::received(5, 5, 0).into(),
        Stock::Held(stock::change(2, 5, 2)).into(),
        Stock::Freed(stock::change(2, 5, 0)).into(),
        Stock::Shipped(stock::change(2, 3, 0)).into(),
        Stock::Returned(stock::change(2, 5, 0)).into(),
        payment::requested().into(),
        payment::authorized().into(),
        payment::failed(None).into(),
        payment::capture_requested().into(),
        payment::captured().into(),
        payment::capture_failed().into(),
        payment::void_requested().into(),
        payment::voided().into(),
        payment::tombstone().into(),
        payment::refund_requested().into(),
        payment::refunded().into(),
        payment::undo_requested().into(),
        delivery::requested().into(),
        delivery::assigned().into(),
        delivery::eta_updated().into(),
        delivery::dispatched().into(),
        delivery::delivered().into(),
        delivery::failed().into(),
        delivery::cancelled().into(),
        delivery::tombstone().into(),
        CancellationRefused {}.into(),
    ]
}

/// The fact of that name; the tombstones are `inventory.released()`, `payment.voided()` and
/// `delivery.cancelled()`.
pub fn named(name: &str) -> Fact {
    let wanted = |fact: &Fact| label(fact) == name;
    let found = every().into_iter().find(wanted);
    found.unwrap_or_else(|| panic!("no fact is named '{name}'"))
}

/// A fact's name, with `()` behind that of a tombstone.
pub fn label(fact: &Fact) -> String {
    let mark = if fact.is_tombstone() { "()" } else { "" };
    format!("{}{mark}", fact.name())
}
