//! The stock of one SKU, counted twice: by its facts and by hand.

use domain::Decider;
use domain::inventory::stock::{Event, State, Stock};

/// One SKU.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shelf {
    /// As the last fact has it.
    pub counters: State,
    /// As the quantities of all facts add up.
    counted: State,
    /// The number of facts.
    pub version: u64,
}

impl Shelf {
    /// Appends a fact and holds its counters against our own.
    pub fn append(&mut self, event: &Event) -> Result<(), String> {
        self.version += 1;
        self.counters = Stock::evolve(self.counters, event);
        self.count(event)
            .ok_or_else(|| format!("{event:?} takes more than there was"))?;
        let State { on_hand, held } = self.counters;
        if held > on_hand {
            return Err(format!("{held} of {on_hand} units are held"));
        }
        if self.counters != self.counted {
            return Err(format!("{event:?}, but we counted {:?}", self.counted));
        }
        Ok(())
    }

    fn count(&mut self, event: &Event) -> Option<()> {
        let State { on_hand, held } = &mut self.counted;
        match event {
            Event::Received { quantity, .. } => *on_hand += quantity.get(),
            Event::Held(change) => *held += change.quantity.get(),
            Event::Freed(change) => *held = held.checked_sub(change.quantity.get())?,
            Event::Shipped(change) => {
                *held = held.checked_sub(change.quantity.get())?;
                *on_hand = on_hand.checked_sub(change.quantity.get())?;
            }
            Event::Returned(change) => *on_hand += change.quantity.get(),
        }
        Some(())
    }
}
