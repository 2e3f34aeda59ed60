//! What has to be true in every world.

use std::rc::Rc;

use domain::process::{Command, When};
use domain::{Fact, Task, delivery, inventory::reservation, order, payment};

use crate::model::{Decision, Refused, World, outcome, time_is_up};
use crate::outside::{At, CALLS};
use crate::setting::number_of;
use crate::side::{Entry, Side};

/// After every step, of the order that it was about and of the stock.
pub fn after_step(world: &World, before: &Side, appended: &[Rc<Entry>]) -> Result<(), String> {
    let side = &world.orders[before.number];
    nothing_follows_the_end(before, appended)?;
    money_adds_up(side, world.setting.orders[side.number].total())?;
    if side.order == order::State::Cancelled {
        holds_nothing(side)?;
        says_why(side)?;
    }
    stock_adds_up(world)
}

/// After its end an order gets tombstones and no second end; one that is completed also gets what
/// was still on its way.
fn nothing_follows_the_end(before: &Side, appended: &[Rc<Entry>]) -> Result<(), String> {
    const ON_ITS_WAY: [&str; 4] = [
        "inventory.shipped",
        "payment.capture-requested",
        "payment.captured",
        "payment.capture-failed",
    ];
    for entry in appended {
        let fact = &entry.recorded.fact;
        let fine = match before.order {
            order::State::Cancelled => fact.is_tombstone(),
            order::State::Completed => ON_ITS_WAY.contains(&fact.name()),
            order::State::None
            | order::State::Open
            | order::State::Asked
            | order::State::Refused => true,
        };
        if !fine {
            return Err(format!("{} after {}", fact.name(), before.order.name()));
        }
    }
    Ok(())
}

fn count(side: &Side, names: &[&str]) -> usize {
    let named = |fact: &&Fact| names.contains(&fact.name());
    side.facts().filter(named).count()
}

/// At most one capture; never more given back than was taken, or taken than it costs; and the
/// provider's books say the same wherever no call is open.
fn money_adds_up(side: &Side, total: u64) -> Result<(), String> {
    if count(side, &["payment.capture-requested"]) > 1 || count(side, &["payment.captured"]) > 1 {
        return Err("captured twice".into());
    }
    let sum = |of: fn(&payment::Event) -> Option<u64>| -> u64 {
        let events = side.facts().filter_map(|fact| match fact {
            Fact::Payment(event) => of(event),
            _ => None,
        });
        events.sum()
    };
    let captured = sum(|event| match event {
        payment::Event::Captured { amount, .. } => Some(amount.minor_units()),
        _ => None,
    });
    let refunded = sum(|event| match event {
        payment::Event::Refunded { amount, .. } => Some(amount.minor_units()),
        _ => None,
    });
    if refunded > captured || captured > total {
        return Err(format!("{captured} captured of {total}, {refunded} back"));
    }
    let books = side.provider;
    if books.held + books.taken > total || books.returned > books.taken {
        return Err(format!("charged for more than {total}: {books:?}"));
    }
    let calls_are_open = CALLS.into_iter().any(|task| side.is_open(task));
    if !calls_are_open && (books.taken, books.returned) != (captured, refunded) {
        return Err(format!("{captured}, {refunded} back: {books:?}"));
    }
    Ok(())
}

fn holds_nothing(side: &Side) -> Result<(), String> {
    use delivery::State::{Cancelled, Failed};
    if count(side, &["inventory.reserved"]) > 0
        && !matches!(
            side.reservation,
            reservation::State::Released | reservation::State::Returned
        )
    {
        return Err("cancelled, and yet stock is held".into());
    }
    if !side.provider.has_nothing() {
        return Err(format!("cancelled, and yet {:?}", side.provider));
    }
    if let Some(task) = CALLS.into_iter().find(|task| side.is_open(*task)) {
        return Err(format!("cancelled, and yet {task} is open"));
    }
    let none = side.delivery == delivery::State::None;
    if !none && !matches!(side.delivery, Cancelled | Failed { .. }) {
        return Err(format!("cancelled, and yet {:?}", side.delivery));
    }
    Ok(())
}

/// The reason of the end is one that happened to this order.
fn says_why(side: &Side) -> Result<(), String> {
    let happened = match reason(side) {
        Some("changed my mind") => count(side, &["order.cancellation-requested"]) == 1,
        Some("out-of-stock") => count(side, &["inventory.rejected"]) == 1,
        Some("payment-declined") => count(side, &["payment.failed"]) == 1,
        Some("delivery-failed") => count(side, &["delivery.failed"]) == 1,
        Some("deadline") => side.delivery == delivery::State::Cancelled,
        Some(_) | None => false,
    };
    if happened {
        return Ok(());
    }
    Err(format!("cancelled for no reason: {:?}", reason(side)))
}

/// Why an order was cancelled.
pub fn reason(side: &Side) -> Option<&str> {
    side.facts().find_map(|fact| match fact {
        Fact::Order(order::Event::Cancelled { reason }) => Some(reason.as_str()),
        _ => None,
    })
}

/// Of every SKU is held what the reservations hold, and has left what they shipped.
fn stock_adds_up(world: &World) -> Result<(), String> {
    let setting = &world.setting;
    for (number, shelf) in world.stock.iter().enumerate() {
        let of = |lines: &[domain::values::Line]| -> u64 {
            let ours = lines.iter().filter(|line| number_of(&line.sku) == number);
            ours.map(|line| line.quantity.get()).sum()
        };
        let (mut held, mut gone) = (0, 0);
        for side in &world.orders {
            match &side.reservation {
                reservation::State::Held(lines) => held += of(lines),
                reservation::State::Shipped(lines) => gone += of(lines),
                reservation::State::None
                | reservation::State::Rejected
                | reservation::State::Released
                | reservation::State::Returned => {}
            }
        }
        let arrived = world.arrived.iter().zip(&setting.receipts);
        let arrived = arrived.filter(|(arrived, (sku, _))| **arrived && *sku == number);
        let come: u64 = arrived.map(|(_, (_, units))| units).sum();
        let counters = shelf.counters;
        if counters.held != held || counters.on_hand + gone != setting.stock[number] + come {
            return Err(format!("{held} held and {gone} gone, but {counters:?}"));
        }
    }
    Ok(())
}

/// Whatever was delivered to or said of an order before, and whatever the provider was not asked,
/// would change nothing if it came now: so a crash may come between any effect and the note that it
/// is done. Returns how many of them there are.
pub fn repeats_change_nothing(world: &World, side: &Side) -> Result<usize, String> {
    let mut repeats = 0;
    let mut check = |command: &Command, why: &str| {
        repeats += 1;
        match world.decide(side.number, command) {
            Ok(nothing) if nothing == Decision::default() => Ok(()),
            Ok(decision) => Err(format!("{why}: {command:?} would yield {decision:?}")),
            // A person is told.
            Err(Refused::Rejected { .. }) => Ok(()),
            Err(refused) => Err(format!("{why}: {command:?} {refused}")),
        }
    };
    for reaction in side.delivered() {
        match reaction.when {
            When::Now => check(&reaction.command, "delivered again")?,
            // Taken again it sets the timer again where no delivery has begun, and there it is set.
            When::AfterMs(_) if side.delivery == delivery::State::None => {
                if !side.is_open(Task::Deadline) {
                    return Err("the timer is gone, and nothing came of it".into());
                }
            }
            When::AfterMs(_) => {}
        }
    }
    for command in side.said() {
        check(command, "said again")?;
    }
    for (task, granted) in ANSWERS {
        if !side.is_open(task) {
            check(&outcome(task, granted), "unasked")?;
        }
    }
    if side.delivery != delivery::State::None {
        check(&time_is_up(), "a timer that is late")?;
    }
    Ok(repeats)
}

const ANSWERS: [(Task, bool); 6] = [
    (Task::Authorize, true),
    (Task::Authorize, false),
    (Task::Capture, true),
    (Task::Capture, false),
    (Task::Void, true),
    (Task::Refund, true),
];

/// Once nothing is owed any more every order is over, with all of its ends tied.
pub fn at_rest(world: &World) -> Result<(), String> {
    for side in &world.orders {
        if let Some(task) = side.open_tasks().next() {
            return Err(format!("{task} is open at rest"));
        }
        if !side.order.is_over() {
            return Err(format!("it sticks: {}", side.order.name()));
        }
        let total = world.setting.orders[side.number].total();
        let ended = match side.order {
            order::State::Completed => {
                matches!(side.reservation, reservation::State::Shipped(_))
                    && matches!(side.delivery, delivery::State::Delivered { .. })
                    && match side.payment {
                        payment::State::Captured(_) => side.provider.kept() == total,
                        payment::State::CaptureFailed(_) => side.provider.kept() == 0,
                        _ => false,
                    }
            }
            _ => {
                let reservation = side.reservation.name();
                let payment = side.payment.name();
                let delivery = side.delivery.name();
                ["rejected", "released", "returned"].contains(&reservation)
                    && ["failed", "voided", "refunded"].contains(&payment)
                    && ["cancelled", "failed"].contains(&delivery)
            }
        };
        // Unless something else cancelled it first.
        let refused = |name| count(side, &[name]);
        if side.order == order::State::Completed
            && refused("delivery.cancellation-refused") != refused("order.cancellation-refused")
        {
            return Err("a customer was never told that it is too late".into());
        }
        let called_off = matches!(side.delivery, delivery::State::Cancelled);
        if called_off && !matches!(side.courier.at, At::Home | At::Done) {
            return Err("the courier was never told".into());
        }
        if !ended || !ENDS.contains(&end(side).as_str()) {
            return Err(format!("loose ends: {}", end(side)));
        }
    }
    Ok(())
}

/// All the ways in which an order ends, by the last fact of each stream; `()` marks a tombstone.
pub const ENDS: [&str; 12] = [
    "order.cancelled, inventory.rejected, payment.voided(), delivery.cancelled()",
    "order.cancelled, inventory.released(), payment.voided(), delivery.cancelled()",
    "order.cancelled, inventory.released, payment.failed, delivery.cancelled()",
    "order.cancelled, inventory.released, payment.refunded, delivery.failed",
    "order.cancelled, inventory.released, payment.voided(), delivery.cancelled()",
    "order.cancelled, inventory.released, payment.voided, delivery.cancelled",
    "order.cancelled, inventory.released, payment.voided, delivery.cancelled()",
    "order.cancelled, inventory.released, payment.voided, delivery.failed",
    "order.cancelled, inventory.returned, payment.refunded, delivery.failed",
    "order.cancelled, inventory.returned, payment.voided, delivery.failed",
    "order.completed, inventory.shipped, payment.capture-failed, delivery.delivered",
    "order.completed, inventory.shipped, payment.captured, delivery.delivered",
];

/// A fact's name, marked as a tombstone where it is one.
pub fn label(fact: &Fact) -> String {
    let mark = if fact.is_tombstone() { "()" } else { "" };
    format!("{}{mark}", fact.name())
}

/// How an order stands, by the last fact of each stream.
pub fn end(side: &Side) -> String {
    let last = |stream| {
        let entry = side.log(stream).last();
        entry.map_or("-".to_owned(), |entry| label(&entry.recorded.fact))
    };
    crate::side::STREAMS.map(last).join(", ")
}
