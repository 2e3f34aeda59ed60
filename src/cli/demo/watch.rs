//! What is known of every order so far. Times are since the beginning of the run.

use std::time::Duration;

use domain::values::Timestamp;

use super::follow::{Event, News};
use super::play::{Play, Verdict};
use super::script::{Order, Script};
use super::seen::Seen;

/// All orders of a run.
pub struct Watch {
    /// In the order of the script.
    pub orders: Vec<Watched>,
}

/// An order of a run.
#[derive(Debug, Clone)]
pub struct Watched {
    /// What it is to show.
    pub play: Play,
    /// Its id, once it is placed.
    pub id: Option<String>,
    /// When it was placed.
    pub placed: Duration,
    /// How long after its POST began the view had it.
    pub visible: Option<Duration>,
    /// What was last seen of it.
    pub seen: Option<Seen>,
    /// When it was last seen to move.
    pub moved: Duration,
    /// Whether it ended as it should.
    pub verdict: Verdict,
}

impl Watch {
    /// Nothing is known yet.
    pub fn new(script: &Script) -> Self {
        let orders = script.orders.iter().map(Watched::new).collect();
        Self { orders }
    }

    /// Takes in what is new, and returns the order where its status has changed.
    pub fn take(&mut self, (n, event): News, now: Duration) -> Option<&Watched> {
        let order = self.orders.get_mut(n)?;
        match event {
            Event::Placed { order_id } => {
                order.id = Some(order_id);
                order.placed = now;
                None
            }
            Event::Visible(after) => {
                order.visible = Some(after);
                None
            }
            Event::Seen(seen) => order.see(*seen, now).then_some(&*order),
        }
    }

    /// How many orders have ended.
    pub fn ended(&self) -> usize {
        let ended = self.orders.iter().filter(|order| !order.is_open());
        ended.count()
    }

    /// True where all orders have ended.
    pub fn is_over(&self) -> bool {
        self.ended() == self.orders.len()
    }
}

impl Watched {
    fn new(order: &Order) -> Self {
        Self {
            play: order.play,
            id: None,
            placed: Duration::ZERO,
            visible: None,
            seen: None,
            moved: Duration::ZERO,
            verdict: Verdict::Open,
        }
    }

    fn see(&mut self, seen: Seen, now: Duration) -> bool {
        let was = (self.status().to_owned(), self.verdict);
        if self.seen.as_ref() != Some(&seen) {
            self.moved = now;
        }
        self.verdict = self.play.judge(&seen);
        self.seen = Some(seen);
        was != (self.status().to_owned(), self.verdict)
    }

    /// Whether it ended as it should.
    pub fn is_right(&self) -> bool {
        self.verdict == Verdict::Right
    }

    /// Whether it has not ended yet.
    pub fn is_open(&self) -> bool {
        self.verdict == Verdict::Open
    }

    /// Where it stands as a whole.
    pub fn status(&self) -> &str {
        match (&self.seen, &self.id) {
            (Some(seen), _) => &seen.status,
            (None, Some(_)) => "placed",
            (None, None) => "",
        }
    }

    /// How old it is, or was when it ended.
    pub fn age(&self, now: Duration) -> Duration {
        let until = match self.verdict {
            Verdict::Open => now,
            Verdict::Right | Verdict::Wrong => self.moved,
        };
        until.saturating_sub(self.placed)
    }

    /// Who brings it and when, or why it was cancelled.
    pub fn note(&self, now: Timestamp) -> String {
        let Some(seen) = &self.seen else {
            return String::new();
        };
        if let Some(reason) = &seen.cancel_reason {
            return reason.clone();
        }
        let Some(driver) = &seen.delivery.driver_name else {
            return String::new();
        };
        match seen.delivery.estimated_delivery_time {
            Some(eta) if !seen.is_over() => {
                let minutes = eta.ms_since(now).div_ceil(60_000);
                format!("{driver}, {minutes} min")
            }
            _ => driver.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
