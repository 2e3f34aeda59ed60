//! Several reservations that share a few SKUs, and goods that arrive in between.

use std::collections::BTreeMap;

use domain::inventory::hold;
use domain::inventory::reservation::{self, Command, State};
use domain::inventory::stock::{self, Event, Stock};
use domain::values::{Line, Sku};
use domain::{Decider, Refusal};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::{many, order_id, quantity, reason};

const ORDERS: u128 = 4;
const SKUS: [&str; 3] = ["A", "B", "C"];

#[derive(Debug, Clone)]
enum Asked {
    /// Of the reservation of an order.
    Of(u128, Command),
    /// Units of a SKU arrive.
    Receive(&'static str, u64),
}

fn asked() -> impl Strategy<Value = Asked> {
    let skus = subsequence(SKUS.to_vec(), 1..=SKUS.len());
    let lines = skus.prop_flat_map(|skus| {
        let units = vec(1u64..4, skus.len());
        units.prop_map(move |units| {
            let line = |(sku, units): (&&str, u64)| Line {
                sku: sku.parse().unwrap(),
                quantity: quantity(units),
            };
            skus.iter().zip(units).map(line).collect()
        })
    });
    let command = prop_oneof![
        2 => lines.prop_map(|lines| Command::Hold { lines }),
        1 => Just(Command::Ship),
        1 => Just(Command::Undo { reason: reason() }),
    ];
    prop_oneof![
        4 => (0..ORDERS, command).prop_map(|(order, command)| Asked::Of(order, command)),
        1 => (select(SKUS.to_vec()), 1u64..6).prop_map(|(sku, units)| Asked::Receive(sku, units)),
    ]
}

/// The inventory service's log, as states.
#[derive(Default)]
struct House {
    reservations: BTreeMap<u128, State>,
    /// As the last fact of each SKU has it.
    counters: BTreeMap<Sku, stock::State>,
    /// As the quantities add up.
    counted: BTreeMap<Sku, (i64, i64)>,
    /// What yielded facts, and may come again.
    done: Vec<(u128, Command)>,
}

impl House {
    fn decide(
        &self,
        order: u128,
        command: &Command,
    ) -> Result<hold::Decision, Refusal<domain::Never>> {
        let state = self.reservations.get(&order).cloned().unwrap_or_default();
        let stock_of = |sku: &Sku| self.counters.get(sku).copied().unwrap_or_default();
        hold::decide(order_id(order), &state, command.clone(), stock_of)
    }

    /// Does what is asked; `true` where it yielded facts.
    fn take(&mut self, asked: Asked) -> Result<bool, TestCaseError> {
        match asked {
            Asked::Receive(sku, units) => {
                let sku: Sku = sku.parse().unwrap();
                let state = self.counters.get(&sku).copied().unwrap_or_default();
                let quantity = quantity(units);
                let received = Stock::decide(&state, stock::Command::Receive { quantity });
                for event in received.unwrap() {
                    self.append(&sku, &event)?;
                }
                Ok(true)
            }
            Asked::Of(order, command) => {
                let Ok(decision) = self.decide(order, &command) else {
                    return Ok(false);
                };
                let Some(event) = decision.reservation else {
                    prop_assert!(decision.stock.is_empty(), "stock moved by itself");
                    return Ok(false);
                };
                let state = self.reservations.entry(order).or_default();
                *state = std::mem::take(state).evolve(&event);
                for (sku, event) in &decision.stock {
                    self.append(sku, event)?;
                }
                self.done.push((order, command));
                Ok(true)
            }
        }
    }

    fn append(&mut self, sku: &Sku, event: &Event) -> Result<(), TestCaseError> {
        let (on_hand, held) = self.counted.entry(sku.clone()).or_default();
        let units = match event {
            Event::Received { quantity, .. } => quantity.get(),
            Event::Held(change)
            | Event::Freed(change)
            | Event::Shipped(change)
            | Event::Returned(change) => change.quantity.get(),
        };
        let units = i64::try_from(units).unwrap();
        let (more_on_hand, more_held) = match event {
            Event::Received { .. } | Event::Returned(_) => (units, 0),
            Event::Held(_) => (0, units),
            Event::Freed(_) => (0, -units),
            Event::Shipped(_) => (-units, -units),
        };
        *on_hand += more_on_hand;
        *held += more_held;
        prop_assert!(
            0 <= *held && held <= on_hand,
            "{held} of {on_hand} held: {event:?}"
        );
        let after = event.after();
        let counters = (after.on_hand.cast_signed(), after.held.cast_signed());
        prop_assert_eq!(counters, (*on_hand, *held), "{:?}", event);
        self.counters.insert(sku.clone(), after);
        Ok(())
    }

    /// What is held is what the reservations hold, no more and no less.
    fn adds_up(&self) -> Result<(), TestCaseError> {
        for (sku, counters) in &self.counters {
            let lines = self.reservations.values().filter_map(|state| match state {
                State::Held(lines) => Some(lines),
                _ => None,
            });
            let ours = lines.flatten().filter(|line| line.sku == *sku);
            let held: u64 = ours.map(|line| line.quantity.get()).sum();
            prop_assert_eq!(counters.held, held, "{}", sku);
        }
        Ok(())
    }

    fn repeats_are_nothing(&self) -> Result<(), TestCaseError> {
        for (order, command) in &self.done {
            let again = self.decide(*order, command).unwrap_or_default();
            prop_assert_eq!(
                again,
                hold::Decision::default(),
                "{:?} of {}",
                command,
                order
            );
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(many())]

    #[test]
    fn what_is_held_is_on_hand_and_belongs_to_a_reservation_after_every_fact(
        all in vec(asked(), 0..60),
    ) {
        let mut house = House::default();
        for asked in all {
            if house.take(asked)? {
                house.adds_up()?;
                house.repeats_are_nothing()?;
            }
        }
    }

    #[test]
    fn a_hold_takes_all_of_its_lines_or_none(all in vec(asked(), 0..40)) {
        let mut house = House::default();
        for asked in all {
            if let Asked::Of(order, command @ Command::Hold { lines }) = &asked
                && let Ok(decision) = house.decide(*order, command)
            {
                let held: Vec<&Sku> = decision.stock.iter().map(|(sku, _)| sku).collect();
                match decision.reservation {
                    Some(reservation::Event::Reserved { .. }) => {
                        let wanted: Vec<&Sku> = lines.iter().map(|line| &line.sku).collect();
                        prop_assert_eq!(held, wanted);
                    }
                    _ => prop_assert!(held.is_empty()),
                }
            }
            house.take(asked)?;
        }
    }
}
