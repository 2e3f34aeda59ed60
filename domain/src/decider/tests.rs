use proptest::prelude::*;

use super::{Decider, fold};
use crate::inventory::stock::{self, Stock};
use crate::inventory::{hold, reservation};
use crate::testing::facts;
use crate::testing::values::{
    currency, delivery_id, driver, lines, minute, order_id, payment_id, quantity, reason, total,
};
use crate::values::{Reason, Sku};
use crate::{Fact, delivery, order, payment};

/// A log that none of our rules wrote: facts of all kinds in any order.
#[derive(Debug, Default)]
struct Foreign {
    order: Vec<order::Event>,
    reservation: Vec<reservation::Event>,
    stock: Vec<stock::Event>,
    payment: Vec<payment::Event>,
    delivery: Vec<delivery::Event>,
}

impl Foreign {
    fn of(facts: Vec<Fact>) -> Self {
        let mut log = Self::default();
        for fact in facts {
            match fact {
                Fact::Order(event) => log.order.push(event),
                Fact::Reservation(event) => log.reservation.push(event),
                Fact::Stock(event) => log.stock.push(event),
                Fact::Payment(event) => log.payment.push(event),
                Fact::Delivery(event) => log.delivery.push(event),
            }
        }
        log
    }
}

fn foreign_log() -> impl Strategy<Value = Foreign> {
    let facts = prop::sample::select(facts::every());
    prop::collection::vec(facts, 0..60).prop_map(Foreign::of)
}

fn why() -> Reason {
    reason("changed my mind")
}

fn order_commands() -> Vec<order::Command> {
    use order::Command::{Cancel, Complete, Finish, Refuse};
    vec![
        Cancel { reason: why() },
        Refuse,
        Finish { reason: why() },
        Complete,
    ]
}

fn payment_commands() -> Vec<payment::Command> {
    use payment::Command::{
        Authorize, Authorized, Capture, CaptureRefused, Captured, Declined, RefundDone, Undo,
        VoidDone,
    };
    vec![
        Authorize {
            payment_id: payment_id(),
            amount: total(),
            currency: currency(),
        },
        Authorized,
        Declined { reason: why() },
        Capture,
        Captured,
        CaptureRefused { reason: why() },
        Undo { reason: why() },
        VoidDone,
        RefundDone,
    ]
}

fn delivery_commands() -> Vec<delivery::Command> {
    use delivery::Command::{Cancel, Close, Progress, Record, Request};
    use delivery::Progress::{Assign, Deliver, Dispatch, Fail, MoveEta};
    let steps = [
        Assign(delivery::Assignment {
            driver_name: driver("Ada"),
            estimated_delivery_time: minute(45),
        }),
        MoveEta {
            estimated_delivery_time: minute(50),
        },
        Dispatch,
        Deliver,
        Fail { reason: why() },
    ];
    let said = steps
        .into_iter()
        .flat_map(|step| [Progress(step.clone()), Record(step)]);
    let asked = [
        Request {
            delivery_id: delivery_id(),
        },
        Cancel { reason: why() },
        Close { reason: why() },
    ];
    asked.into_iter().chain(said).collect()
}

fn reservation_commands() -> Vec<reservation::Command> {
    use reservation::Command::{Hold, Ship, Undo};
    vec![Hold { lines: lines() }, Ship, Undo { reason: why() }]
}

proptest! {
    /// Every prefix is a log too, since every length is drawn. What is decided does not matter
    /// here, only that it is.
    #[test]
    fn whatever_a_log_holds_it_folds_and_takes_any_command(log in foreign_log()) {
        let state = fold::<order::Order>(&log.order);
        for command in order_commands() {
            let _ = order::Order::decide(&state, command);
        }
        let state = fold::<payment::Payment>(&log.payment);
        for command in payment_commands() {
            let _ = payment::Payment::decide(&state, command);
        }
        let state = fold::<delivery::Delivery>(&log.delivery);
        for command in delivery_commands() {
            let _ = delivery::Delivery::decide(&state, command);
        }
        let counters = fold::<Stock>(&log.stock);
        let _ = Stock::decide(&counters, stock::Command::Receive { quantity: quantity(1) });
        let nothing = reservation::State::None;
        let state = log.reservation.iter().fold(nothing, |state, event| state.evolve(event));
        for command in reservation_commands() {
            let _ = hold::decide(order_id(), &state, command, |_: &Sku| counters);
        }
    }
}
