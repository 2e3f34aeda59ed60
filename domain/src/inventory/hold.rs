//! One decision over a reservation and the stock of its lines.

use crate::Refusal;
use crate::decider::Never;
use crate::values::{Line, OrderId, Reason, Sku};

use super::reservation::{self, Command, Shortage};
use super::stock::{self, Change};

/// The facts of one step of a reservation, of its own stream and of those of its SKUs. They are
/// appended in one transaction or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// At most one.
    pub reservation: Option<reservation::Event>,
    /// At most one a SKU.
    pub stock: Vec<(Sku, stock::Event)>,
}

/// Decides `command` for the reservation of `order`, where `stock_of` knows the counters of every
/// SKU of its lines.
///
/// Holds are all or nothing: either every line is held, or none and the shortages are named.
///
/// # Errors
/// [`Refusal::Impossible`] for a shipment of what was never held, and for counters that do not
/// cover what the reservation says it holds.
pub fn decide(
    order: OrderId,
    state: &reservation::State,
    command: Command,
    stock_of: impl Fn(&Sku) -> stock::State,
) -> Result<Decision, Refusal<Never>> {
    use reservation::Event;
    use reservation::State::{Held, None, Rejected, Released, Returned, Shipped};
    let step = Step { order, stock_of };
    match (command, state) {
        (Command::Hold { lines }, None) => step.hold(lines),
        (Command::Hold { .. }, Held(_) | Rejected | Released | Shipped(_) | Returned) => {
            Ok(Decision::default())
        }

        (Command::Ship, Held(lines)) => {
            let shipped = Event::Shipped {
                lines: lines.clone(),
            };
            step.move_lines(shipped, lines, Move::Ship)
        }
        (Command::Ship, None | Rejected) => {
            let why = "a delivery left for which nothing was ever held";
            Err(Refusal::impossible("ship", state.name(), why))
        }
        (Command::Ship, Released | Shipped(_) | Returned) => Ok(Decision::default()),

        (Command::Undo { reason }, None) => Ok(Decision {
            reservation: Some(Event::Released {
                lines: vec![],
                reason,
            }),
            stock: vec![],
        }),
        (Command::Undo { reason }, Held(lines)) => {
            let released = Event::Released {
                lines: lines.clone(),
                reason,
            };
            step.move_lines(released, lines, Move::Free)
        }
        (Command::Undo { reason }, Shipped(lines)) => {
            let returned = Event::Returned {
                lines: lines.clone(),
                reason,
            };
            step.move_lines(returned, lines, Move::Return)
        }
        (Command::Undo { .. }, Rejected | Released | Returned) => Ok(Decision::default()),
    }
}

struct Step<F> {
    order: OrderId,
    stock_of: F,
}

#[derive(Clone, Copy)]
enum Move {
    Free,
    Ship,
    Return,
}

impl<F: Fn(&Sku) -> stock::State> Step<F> {
    fn hold(&self, lines: Vec<Line>) -> Result<Decision, Refusal<Never>> {
        let short: Vec<Shortage> = lines
            .iter()
            .map(|line| Shortage {
                sku: line.sku.clone(),
                wanted: line.quantity.get(),
                available: (self.stock_of)(&line.sku).available(),
            })
            .filter(|line| line.available < line.wanted)
            .collect();
        if !short.is_empty() {
            let rejected = reservation::Event::Rejected {
                reason: Reason::out_of_stock(),
                short,
            };
            return Ok(Decision {
                reservation: Some(rejected),
                stock: vec![],
            });
        }
        let stock = lines
            .iter()
            .map(|line| {
                let before = (self.stock_of)(&line.sku);
                let held = before.held + line.quantity.get();
                let after = stock::State { held, ..before };
                let held = stock::Event::Held(self.change(line, after));
                (line.sku.clone(), held)
            })
            .collect();
        Ok(Decision {
            reservation: Some(reservation::Event::Reserved { lines }),
            stock,
        })
    }

    fn move_lines(
        &self,
        fact: reservation::Event,
        lines: &[Line],
        to: Move,
    ) -> Result<Decision, Refusal<Never>> {
        let stock = lines
            .iter()
            .map(|line| {
                let event = self.move_line(line, to)?;
                Some((line.sku.clone(), event))
            })
            .collect::<Option<_>>();
        let Some(stock) = stock else {
            let why = "the counters of a SKU do not cover what the reservation holds";
            return Err(Refusal::impossible("move", fact.name(), why));
        };
        Ok(Decision {
            reservation: Some(fact),
            stock,
        })
    }

    fn move_line(&self, line: &Line, to: Move) -> Option<stock::Event> {
        let stock::State { on_hand, held } = (self.stock_of)(&line.sku);
        let units = line.quantity.get();
        let change = |on_hand, held| self.change(line, stock::State { on_hand, held });
        Some(match to {
            Move::Free => stock::Event::Freed(change(on_hand, held.checked_sub(units)?)),
            Move::Ship => stock::Event::Shipped(change(
                on_hand.checked_sub(units)?,
                held.checked_sub(units)?,
            )),
            Move::Return => stock::Event::Returned(change(on_hand + units, held)),
        })
    }

    fn change(&self, line: &Line, after: stock::State) -> Change {
        Change {
            order_id: self.order,
            quantity: line.quantity,
            after,
        }
    }
}
