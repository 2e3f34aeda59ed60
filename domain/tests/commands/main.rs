//! Any commands in any order, straight at the deciders: also those that the process would never
//! send, from people who try everything and from a process that was changed.
//!
//! [`repeats_are_nothing`] walks one stream and tries, after every fact, all commands that yielded
//! facts before. [`stock`] walks several reservations and the SKUs that they share at once.

// All under `cfg(test)`, where clippy.toml lets a test unwrap.
#![cfg(test)]

mod stock;

use domain::delivery::{Assignment, Delivery, Progress};
use domain::order::{Order, Place};
use domain::payment::{Payment, Settlement};
use domain::values::{
    Amount, CustomerId, DeliveryId, DriverName, Item, Items, OrderId, PaymentId, Quantity, Reason,
    Timestamp, UnitPrice,
};
use domain::{Decider, Fact, delivery, order, payment};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

fn order_id(number: u128) -> OrderId {
    OrderId(Uuid::from_u128(number))
}

fn reason() -> Reason {
    Reason::try_from("any".to_owned()).unwrap()
}

fn quantity(units: u64) -> Quantity {
    Quantity::try_from(units).unwrap()
}

/// The facts that `commands` yield. Whatever yielded facts yields none when it comes again at any
/// later moment, unless it `may_again`.
fn repeats_are_nothing<D: Decider>(
    commands: Vec<D::Command>,
    may_again: impl Fn(&D::Command) -> bool,
) -> Result<Vec<Fact>, TestCaseError>
where
    D::Command: std::fmt::Debug,
    D::Event: Into<Fact>,
{
    let mut state = D::State::default();
    let (mut facts, mut done) = (vec![], vec![]);
    for command in commands {
        let events = D::decide(&state, command.clone()).unwrap_or_default();
        if events.is_empty() {
            continue;
        }
        state = events.iter().fold(state, D::evolve);
        facts.extend(events.into_iter().map(Into::into));
        if !may_again(&command) {
            done.push(command);
        }
        for earlier in &done {
            let again = D::decide(&state, earlier.clone()).unwrap_or_default();
            prop_assert!(
                again.is_empty(),
                "{earlier:?} again, after {}",
                names(&facts)
            );
        }
    }
    Ok(facts)
}

fn names(facts: &[Fact]) -> String {
    let names: Vec<&str> = facts.iter().map(Fact::name).collect();
    names.join(", ")
}

/// Where the only fact of that name is; an error if there are two.
fn only(facts: &[Fact], name: &str) -> Result<Option<usize>, TestCaseError> {
    let mut found = (0..facts.len()).filter(|at| facts[*at].name() == name);
    let first = found.next();
    prop_assert!(found.next().is_none(), "{name} twice: {}", names(facts));
    Ok(first)
}

/// Each of the pairs' second facts comes once at most, and after its first.
fn come_in_order(facts: &[Fact], pairs: &[(&str, &str)]) -> Result<(), TestCaseError> {
    for (before, after) in pairs {
        if let Some(at) = only(facts, after)? {
            let earlier = only(facts, before)?.is_some_and(|before| before < at);
            prop_assert!(earlier, "{after} without {before}: {}", names(facts));
        }
    }
    Ok(())
}

/// At most one of them.
fn exclude_each_other(facts: &[Fact], these: &[&str]) -> Result<(), TestCaseError> {
    let ours = facts.iter().filter(|fact| these.contains(&fact.name()));
    prop_assert!(ours.count() <= 1, "{these:?}: {}", names(facts));
    Ok(())
}

fn order_command() -> impl Strategy<Value = order::Command> {
    let item = Item {
        sku: "A".parse().unwrap(),
        quantity: quantity(1),
        unit_price: UnitPrice::try_from(5).unwrap(),
    };
    let place = Place {
        customer_id: CustomerId::try_from("customer-7".to_owned()).unwrap(),
        items: Items::try_from(vec![item]).unwrap(),
        currency: "EUR".parse().unwrap(),
        deadline_ms: 0,
    };
    select(vec![
        order::Command::Place(place),
        order::Command::Cancel { reason: reason() },
        order::Command::Refuse,
        order::Command::Finish { reason: reason() },
        order::Command::Complete,
    ])
}

fn payment_command() -> impl Strategy<Value = payment::Command> {
    use payment::Command::*;
    let reason = reason();
    select(vec![
        Authorize {
            payment_id: PaymentId::of(order_id(1)),
            amount: Amount::try_from(1999).unwrap(),
            currency: "EUR".parse().unwrap(),
        },
        Authorized,
        Declined {
            reason: reason.clone(),
        },
        Capture,
        Captured,
        CaptureRefused {
            reason: reason.clone(),
        },
        Undo {
            reason: reason.clone(),
        },
        VoidDone,
        RefundDone,
        Settle {
            outcome: Settlement::Voided,
            reason: reason.clone(),
        },
        Settle {
            outcome: Settlement::Refunded,
            reason,
        },
    ])
}

fn delivery_command() -> impl Strategy<Value = delivery::Command> {
    let eta = (0i64..3).prop_map(Timestamp::from_micros);
    let driver = select(vec!["Ada", "Bob"]);
    let driver = driver.prop_map(|name| DriverName::try_from(name.to_owned()).unwrap());
    let assign = (driver, eta.clone()).prop_map(|(driver_name, estimated_delivery_time)| {
        Progress::Assign(Assignment {
            driver_name,
            estimated_delivery_time,
        })
    });
    let move_eta = eta.prop_map(|estimated_delivery_time| Progress::MoveEta {
        estimated_delivery_time,
    });
    let fail = Progress::Fail { reason: reason() };
    let progress = prop_oneof![
        assign,
        move_eta,
        select(vec![Progress::Dispatch, Progress::Deliver, fail]),
    ];
    prop_oneof![
        Just(delivery::Command::Request {
            delivery_id: DeliveryId::of(order_id(1)),
        }),
        progress.clone().prop_map(delivery::Command::Progress),
        progress.prop_map(delivery::Command::Record),
        Just(delivery::Command::Cancel { reason: reason() }),
        Just(delivery::Command::Close { reason: reason() }),
    ]
}

/// To promise an earlier time again is to move it back, not to repeat.
fn moves_eta(command: &delivery::Command) -> bool {
    use delivery::Command::{Progress as Reported, Record};
    matches!(
        command,
        Reported(Progress::MoveEta { .. }) | Record(Progress::MoveEta { .. })
    )
}

/// 2,048 cases unless `PROPTEST_CASES` says otherwise.
fn many() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: 8 * config.cases,
        ..config
    }
}

proptest! {
    #![proptest_config(many())]

    #[test]
    fn an_order_is_placed_first_and_ends_once(commands in vec(order_command(), 0..20)) {
        let facts = repeats_are_nothing::<Order>(commands, |_| false)?;
        exclude_each_other(&facts, &["order.cancelled", "order.completed"])?;
        come_in_order(&facts, &[
            ("order.created", "order.cancellation-requested"),
            ("order.cancellation-requested", "order.cancellation-refused"),
            ("order.created", "order.cancelled"),
            ("order.created", "order.completed"),
        ])?;
        let end = facts.iter().position(|fact| {
            ["order.cancelled", "order.completed"].contains(&fact.name())
        });
        prop_assert!(end.is_none_or(|end| end + 1 == facts.len()), "{}", names(&facts));
    }

    #[test]
    fn a_payment_captures_once_and_gives_back_what_it_took(
        commands in vec(payment_command(), 0..60),
    ) {
        let facts = repeats_are_nothing::<Payment>(commands, |_| false)?;
        exclude_each_other(&facts, &["payment.captured", "payment.capture-failed"])?;
        exclude_each_other(&facts, &["payment.authorized", "payment.failed"])?;
        exclude_each_other(&facts, &["payment.captured", "payment.voided"])?;
        exclude_each_other(&facts, &["payment.voided", "payment.refunded", "payment.failed"])?;
        come_in_order(&facts, &[
            ("payment.requested", "payment.authorized"),
            ("payment.requested", "payment.failed"),
            ("payment.requested", "payment.undo-requested"),
            ("payment.authorized", "payment.capture-requested"),
            ("payment.authorized", "payment.void-requested"),
            ("payment.capture-requested", "payment.captured"),
            ("payment.capture-requested", "payment.capture-failed"),
            ("payment.captured", "payment.refund-requested"),
            ("payment.refund-requested", "payment.refunded"),
        ])?;
        for fact in &facts {
            let Fact::Payment(event) = fact else { continue };
            let given_back = match event {
                payment::Event::Voided { amount, .. } | payment::Event::Refunded { amount, .. } => *amount,
                _ => continue,
            };
            let asked = only(&facts, "payment.requested")?.is_some();
            let want = if asked { 1999 } else { 0 };
            prop_assert_eq!(given_back.minor_units(), want);
        }
    }

    #[test]
    fn a_delivery_takes_one_road_to_one_end(commands in vec(delivery_command(), 0..40)) {
        let facts = repeats_are_nothing::<Delivery>(commands, moves_eta)?;
        exclude_each_other(&facts, &["delivery.delivered", "delivery.failed", "delivery.cancelled"])?;
        exclude_each_other(&facts, &["delivery.dispatched", "delivery.cancelled"])?;
        come_in_order(&facts, &[
            ("delivery.requested", "delivery.assigned"),
            ("delivery.assigned", "delivery.dispatched"),
            ("delivery.dispatched", "delivery.delivered"),
            ("delivery.requested", "delivery.failed"),
            ("delivery.dispatched", "delivery.cancellation-refused"),
        ])?;
        let end = facts.iter().position(|fact| {
            ["delivery.delivered", "delivery.failed", "delivery.cancelled"].contains(&fact.name())
        });
        prop_assert!(end.is_none_or(|end| end + 1 == facts.len()), "{}", names(&facts));
    }
}
