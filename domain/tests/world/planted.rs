//! Bugs to be planted, so that it is shown that the checks see them.
//!
//! Each is a mistake in what a decider or a projector gives. The code under test stays as it is: a
//! bug spoils its answer on the way into the world.

use domain::inventory::{reservation, stock};
use domain::process::Command;
use domain::{Fact, delivery, order, payment};

use crate::exhaustive::{Search, eventful};
use crate::model::Decision;
use crate::setting::Setting;
use crate::side::Side;

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A hold that comes again holds again.
    HoldsAgain,
    /// A capture that comes again is asked for again.
    CapturesAgain,
    /// What is released is put back on the shelf, where it still is.
    GivesBackTwice,
    /// The undoing of a payment that never was leaves nothing behind.
    ForgetsTombstones,
    /// A cancellation wins against what has left.
    CancelsWhatHasLeft,
    /// Of an order's lines all are promised and all but the last are held.
    HoldsAllButTheLast,
    /// An undoing that waited for the provider's answer is forgotten when it comes.
    ForgetsToUndo,
    /// A cancellation ends the order before anything is undone.
    EndsBeforeTheUndoing,
    /// A settlement by hand is taken for no outcome.
    IgnoresSettlements,
    /// Of the times of arrival each answer takes the next.
    StampsCellsWithTheLast,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::HoldsAgain,
        Self::CapturesAgain,
        Self::GivesBackTwice,
        Self::ForgetsTombstones,
        Self::CancelsWhatHasLeft,
        Self::HoldsAllButTheLast,
        Self::ForgetsToUndo,
        Self::EndsBeforeTheUndoing,
        Self::IgnoresSettlements,
        Self::StampsCellsWithTheLast,
    ];

    /// True where the inventory decides as if nothing had been held.
    pub fn forgets(self, side: &Side, command: &reservation::Command) -> bool {
        let again = matches!(command, reservation::Command::Hold { .. });
        let held = matches!(side.reservation, reservation::State::Held(_));
        self == Self::HoldsAgain && again && held
    }

    /// Makes the mistake, where `command` gives it the chance.
    pub fn spoil(self, side: &Side, command: &Command, decision: &mut Decision) {
        match (self, command) {
            (Self::CapturesAgain, Command::Payment(payment::Command::Capture)) => {
                if let payment::State::Capturing { charge, .. } = &side.payment {
                    let again = payment::Event::CaptureRequested {
                        payment_id: charge.payment_id,
                        amount: charge.amount,
                    };
                    decision.facts.push(again.into());
                }
            }
            (Self::GivesBackTwice, _) => {
                for (_, event) in &mut decision.stock {
                    if let stock::Event::Freed(change) = event {
                        change.after.on_hand += change.quantity.get();
                    }
                }
            }
            (Self::ForgetsTombstones, Command::Payment(payment::Command::Undo { .. })) => {
                decision.facts.retain(|fact| !fact.is_tombstone());
            }
            (Self::CancelsWhatHasLeft, Command::Delivery(delivery::Command::Cancel { reason })) => {
                if let delivery::State::Dispatched { delivery_id, .. } = &side.delivery {
                    decision.facts = vec![Fact::Delivery(delivery::Event::Cancelled {
                        delivery_id: Some(*delivery_id),
                        reason: reason.clone(),
                    })];
                }
            }
            (Self::HoldsAllButTheLast, Command::Inventory(reservation::Command::Hold { .. })) => {
                decision.stock.pop();
            }
            (Self::ForgetsToUndo, Command::Payment(payment::Command::Authorized)) => {
                decision.facts.truncate(1);
            }
            (Self::EndsBeforeTheUndoing, Command::Order(order::Command::Cancel { reason }))
                if side.order == order::State::Open =>
            {
                let reason = reason.clone();
                let ended = order::Event::Cancelled { reason };
                decision.facts.push(ended.into());
            }
            (Self::IgnoresSettlements, Command::Payment(payment::Command::Settle { .. })) => {
                decision.facts.clear();
            }
            _ => {}
        }
    }
}

/// What the check says that sees the bug first.
fn seen_as(bug: Bug) -> &'static str {
    match bug {
        Bug::HoldsAgain => "delivered again: Inventory(Hold",
        Bug::CapturesAgain => "delivered again: Payment(Capture)",
        Bug::GivesBackTwice => "but we counted",
        Bug::ForgetsTombstones => "delivered again: Payment(Undo",
        Bug::CancelsWhatHasLeft => "loose ends",
        Bug::HoldsAllButTheLast => "1 held and 0 gone, but",
        Bug::ForgetsToUndo => "delivered again: Payment(Undo",
        Bug::EndsBeforeTheUndoing => "cancelled, and yet stock is held",
        Bug::IgnoresSettlements => "is settled by hand and still open",
        Bug::StampsCellsWithTheLast => "rows depend on the order of facts",
    }
}

#[test]
fn every_bug_that_is_planted_is_caught_by_the_search() {
    for bug in Bug::ALL {
        let setting = Setting {
            stock: vec![1, 1],
            receipts: vec![],
            orders: vec![eventful(2)],
            bug: Some(bug),
        };
        let broken = Search::new(&setting).run().expect_err("a bug that is seen");
        let seen = broken.trim().lines().next().unwrap();
        println!("{bug:?}: {seen}");
        let wanted = seen_as(bug);
        assert!(
            seen.contains(wanted),
            "{bug:?} is not seen as '{wanted}': {broken}"
        );
    }
}
