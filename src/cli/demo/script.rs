//! What is put in stock and what is ordered: data, without any doing.
//!
//! Every run has SKUs and customers of its own, so that runs do not disturb each other. Totals end
//! in the two digits by which the simulated provider knows what to do; there is stock enough for
//! every order but those that are to be too large, so no end depends on who comes first.

use serde::Serialize;

use super::play::Play;

/// The fewest orders that show everything.
pub const FEWEST: usize = CAST.len();

use Play::{
    CancelledInTime, CancelledTooLate, CaptureRefused, Declined, Delivered, TimedOut, TooLarge,
};

/// The first orders; any more are delivered.
const CAST: [Play; 20] = [
    Delivered,
    Declined,
    CancelledTooLate,
    TooLarge,
    Delivered,
    TimedOut,
    CancelledInTime,
    Delivered,
    CaptureRefused,
    Delivered,
    Declined,
    TooLarge,
    Delivered,
    CancelledInTime,
    Delivered,
    TimedOut,
    Delivered,
    CancelledTooLate,
    Delivered,
    Delivered,
];

/// A whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// What makes its names its own.
    pub run: String,
    /// What is put in stock first.
    pub stock: Vec<Receipt>,
    /// What is ordered then.
    pub orders: Vec<Order>,
}

/// Goods that arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What.
    pub sku: String,
    /// How many.
    pub quantity: u32,
}

/// An order to be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What it is to show.
    pub play: Play,
    /// Who orders.
    pub customer: String,
    /// What.
    pub lines: Vec<Line>,
}

/// A line of an order, as the API takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What.
    pub sku: String,
    /// How many.
    pub quantity: u32,
    /// For how much each, in minor units.
    pub unit_price: u64,
}

/// What is sold, each with its price, a multiple of a hundred.
const GOODS: [(&str, u64); 3] = [("tea", 500), ("mug", 1200), ("kettle", 4900)];
/// What nobody orders.
const SPARE: u32 = 10;

impl Script {
    /// A run of `count` orders, though never fewer than [`FEWEST`].
    pub fn new(run: &str, count: usize) -> Self {
        let more = std::iter::repeat(Delivered);
        let plays = CAST.into_iter().chain(more).take(count.max(FEWEST));
        let mut orders: Vec<_> = plays
            .enumerate()
            .map(|(n, play)| order(run, n, play))
            .collect();
        let stock: Vec<_> = GOODS
            .iter()
            .map(|(name, _)| receipt(format!("{name}-{run}"), &orders))
            .collect();
        for order in orders.iter_mut().filter(|order| order.play == TooLarge) {
            // The first line could be had: it is all lines or none.
            if let Some(line) = order.lines.last_mut() {
                let all = stock.iter().find(|receipt| receipt.sku == line.sku);
                line.quantity = all.map_or(0, |receipt| receipt.quantity) + 1;
            }
        }
        Self {
            run: run.to_owned(),
            stock,
            orders,
        }
    }
}

fn order(run: &str, n: usize, play: Play) -> Order {
    let line = |which: usize, quantity, more: u64| {
        let (name, price) = GOODS[which % GOODS.len()];
        Line {
            sku: format!("{name}-{run}"),
            quantity,
            unit_price: price + more,
        }
    };
    let many = 1 + u32::from(n.is_multiple_of(2));
    Order {
        play,
        customer: format!("demo-{run}-{}", n + 1),
        lines: vec![line(n, 1, play.cents()), line(n + 1, many, 0)],
    }
}

/// Enough for all that are to get something, at one time.
fn receipt(sku: String, orders: &[Order]) -> Receipt {
    let served = orders.iter().filter(|order| order.play != TooLarge);
    let lines = served.flat_map(|order| &order.lines);
    let ordered: u32 = lines
        .filter(|line| line.sku == sku)
        .map(|line| line.quantity)
        .sum();
    Receipt {
        sku,
        quantity: ordered + SPARE,
    }
}

#[cfg(test)]
mod tests;
