use std::collections::HashMap;

use super::hold::{Decision, decide};
use super::reservation::{Command, Event, Shortage, State};
use super::stock::{self, Rejection, Stock};
use crate::testing::facts::reservation::{
    rejected, released, reserved, returned, shipped, tombstone,
};
use crate::testing::facts::stock::{change, received};
use crate::testing::table::{Cell, in_words};
use crate::testing::values::{lines, order_id, quantity, reason, sku};
use crate::testing::{Outcome, Table, given};
use crate::values::{MAX_AMOUNT, MAX_QUANTITY, Reason, Sku};
use crate::{Fact, Never};

/// A reservation with its `facts`, and what there is of each SKU: on hand, held.
fn given_stock<const N: usize>(
    facts: impl IntoIterator<Item = Event>,
    stock: [(&str, u64, u64); N],
) -> Given {
    let fold = |state: State, event: Event| state.evolve(&event);
    let counters = |(name, on_hand, held)| (sku(name), stock::State { on_hand, held });
    Given {
        state: facts.into_iter().fold(State::None, fold),
        stock: stock.into_iter().map(counters).collect(),
    }
}

struct Given {
    state: State,
    stock: HashMap<Sku, stock::State>,
}

impl Given {
    fn when(self, command: Command) -> Outcome<Decision, Never> {
        let stock_of = |sku: &Sku| self.stock.get(sku).copied().unwrap_or_default();
        Outcome(decide(order_id(), &self.state, command, stock_of))
    }
}

/// The facts of one step: of the reservation, and of the stock of A and B.
fn step<const N: usize>(event: Event, stock: [(&str, stock::Event); N]) -> Decision {
    Decision {
        reservation: Some(event),
        stock: stock.map(|(name, event)| (sku(name), event)).to_vec(),
    }
}

fn hold() -> Command {
    Command::Hold { lines: lines() }
}

fn undo() -> Command {
    Command::Undo {
        reason: reason("changed my mind"),
    }
}

#[test]
fn the_table_of_the_reservation_stream_holds_in_every_cell() {
    let table = Table {
        states: vec![
            ("none", State::None),
            ("held", State::Held(lines())),
            ("rejected", State::Rejected),
            ("released", State::Released),
            ("shipped", State::Shipped(lines())),
            ("returned", State::Returned),
        ],
        commands: vec![("hold", hold()), ("ship", Command::Ship), ("undo", undo())],
    };
    let decided = |state: &State, command: Command| -> Cell<State> {
        let ample = |_: &Sku| stock::State {
            on_hand: 9,
            held: 9 / 2,
        };
        let decision = decide(order_id(), state, command, ample);
        let after = match &decision {
            Ok(Decision {
                reservation: Some(event),
                ..
            }) => state.clone().evolve(event),
            Ok(_) | Err(_) => state.clone(),
        };
        let facts = decision.map(|all| {
            let stock = all.stock.into_iter().map(|(_, event)| Fact::from(event));
            all.reservation
                .map(Fact::from)
                .into_iter()
                .chain(stock)
                .collect()
        });
        (in_words(facts), after)
    };
    table.check_with(
        "
        hold: none -> inventory.reserved, stock.held, stock.held
        ship: held -> inventory.shipped, stock.shipped, stock.shipped
        ship: none, rejected -> !
        undo: none -> inventory.released()
        undo: held -> inventory.released, stock.freed, stock.freed
        undo: shipped -> inventory.returned, stock.returned, stock.returned
        ",
        decided,
    );
}

#[test]
fn every_state_of_the_table_is_one_that_facts_lead_to() {
    let fold = |facts: Vec<Event>| {
        facts
            .iter()
            .fold(State::None, |state, event| state.evolve(event))
    };
    assert_eq!(fold(vec![reserved()]), State::Held(lines()));
    assert_eq!(fold(vec![rejected()]), State::Rejected);
    assert_eq!(fold(vec![tombstone()]), State::Released);
    assert_eq!(fold(vec![reserved(), released()]), State::Released);
    assert_eq!(fold(vec![reserved(), shipped()]), State::Shipped(lines()));
    assert_eq!(
        fold(vec![reserved(), shipped(), returned()]),
        State::Returned
    );
}

#[test]
fn a_hold_takes_every_line_from_what_is_available() {
    given_stock([], [("A", 5, 3), ("B", 1, 0)])
        .when(hold())
        .then(step(
            reserved(),
            [
                ("A", stock::Event::Held(change(2, 5, 5))),
                ("B", stock::Event::Held(change(1, 1, 1))),
            ],
        ));
}

#[test]
fn a_hold_of_the_last_unit_succeeds_and_of_one_more_does_not() {
    let short = |wanted, available| Shortage {
        sku: sku("A"),
        wanted,
        available,
    };
    given_stock([], [("A", 4, 3), ("B", 1, 0)])
        .when(hold())
        .then(step(
            Event::Rejected {
                reason: Reason::out_of_stock(),
                short: vec![short(2, 1)],
            },
            [],
        ));
}

#[test]
fn one_short_line_rejects_the_whole_order_and_every_short_line_is_named() {
    let short = |name, wanted, available| Shortage {
        sku: sku(name),
        wanted,
        available,
    };
    given_stock([], [("A", 9, 0), ("B", 3, 3)])
        .when(hold())
        .then(step(
            Event::Rejected {
                reason: Reason::out_of_stock(),
                short: vec![short("B", 1, 0)],
            },
            [],
        ));
    given_stock([], []).when(hold()).then(step(
        Event::Rejected {
            reason: Reason::out_of_stock(),
            short: vec![short("A", 2, 0), short("B", 1, 0)],
        },
        [],
    ));
}

#[test]
fn a_rejected_order_is_not_held_when_goods_arrive_later() {
    given_stock([rejected()], [("A", 9, 0), ("B", 9, 0)])
        .when(hold())
        .then_nothing();
}

#[test]
fn a_shipment_takes_the_held_units_out_of_the_house() {
    given_stock([reserved()], [("A", 5, 4), ("B", 1, 1)])
        .when(Command::Ship)
        .then(step(
            shipped(),
            [
                ("A", stock::Event::Shipped(change(2, 3, 2))),
                ("B", stock::Event::Shipped(change(1, 0, 0))),
            ],
        ));
}

#[test]
fn undoing_a_hold_frees_its_units() {
    given_stock([reserved()], [("A", 5, 4), ("B", 1, 1)])
        .when(undo())
        .then(step(
            released(),
            [
                ("A", stock::Event::Freed(change(2, 5, 2))),
                ("B", stock::Event::Freed(change(1, 1, 0))),
            ],
        ));
}

#[test]
fn undoing_a_shipment_brings_its_units_back() {
    let undo = Command::Undo {
        reason: Reason::delivery_failed(),
    };
    given_stock([reserved(), shipped()], [("A", 3, 2), ("B", 0, 0)])
        .when(undo)
        .then(step(
            returned(),
            [
                ("A", stock::Event::Returned(change(2, 5, 2))),
                ("B", stock::Event::Returned(change(1, 1, 0))),
            ],
        ));
}

#[test]
fn an_undo_before_the_hold_leaves_a_tombstone_that_keeps_it_from_being_made() {
    let ample = [("A", 9, 0), ("B", 9, 0)];
    given_stock([], ample)
        .when(undo())
        .then(step(tombstone(), []));
    given_stock([tombstone()], ample)
        .when(hold())
        .then_nothing();
    given_stock([tombstone()], ample)
        .when(Command::Ship)
        .then_nothing();
}

#[test]
fn a_shipment_of_what_was_never_held_breaks_an_invariant() {
    given_stock([], []).when(Command::Ship).then_impossible();
    given_stock([rejected()], [])
        .when(Command::Ship)
        .then_impossible();
}

#[test]
fn counters_that_do_not_cover_a_reservation_break_an_invariant() {
    let uncovered = [
        [("A", 5, 1), ("B", 1, 1)],
        [("A", 5, 2), ("B", 1, 0)],
        [("A", 1, 2), ("B", 1, 1)],
    ];
    for stock in uncovered {
        given_stock([reserved()], stock)
            .when(Command::Ship)
            .then_impossible();
    }
    given_stock([reserved()], [("A", 5, 1), ("B", 1, 1)])
        .when(undo())
        .then_impossible();
}

#[test]
fn goods_received_add_up_and_leave_what_is_held() {
    let receive = stock::Command::Receive {
        quantity: quantity(5),
    };
    given::<Stock>([])
        .when(receive.clone())
        .then([received(5, 5, 0)]);
    given::<Stock>([received(5, 5, 0), stock::Event::Held(change(2, 5, 2))])
        .when(receive)
        .then([received(5, 10, 2)]);
}

#[test]
fn the_counter_of_a_sku_stays_within_what_every_reader_keeps_exact() {
    let most = u64::from(MAX_QUANTITY);
    let full = |on_hand| received(1, on_hand, 0);
    let receive = stock::Command::Receive {
        quantity: quantity(most),
    };
    given::<Stock>([full(MAX_AMOUNT - most)])
        .when(receive.clone())
        .then([received(most, MAX_AMOUNT, 0)]);
    given::<Stock>([full(MAX_AMOUNT - most + 1)])
        .when(receive)
        .then_rejected(Rejection::TooMuchStock);
}

#[test]
fn the_last_fact_of_a_sku_is_all_that_has_to_be_read() {
    let all = [
        received(5, 5, 0),
        stock::Event::Held(change(2, 5, 2)),
        stock::Event::Shipped(change(2, 3, 0)),
    ];
    let last = &all[2..];
    assert_eq!(crate::fold::<Stock>(&all), crate::fold::<Stock>(last));
    assert_eq!(crate::fold::<Stock>(&all).available(), 3);
}
