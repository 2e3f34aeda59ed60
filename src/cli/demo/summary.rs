//! What a run came to, for people and for programs.

mod words;

use std::time::Duration;

use serde::Serialize;

use super::play::Play;
use super::script::Script;
use super::seen::Stock;
use super::watch::{Watch, Watched};

/// What a run came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Whether everything ended as it should.
    ok: bool,
    run: String,
    seconds: f64,
    visible_ms: Option<Percentiles>,
    ends: Vec<Ends>,
    stock: Vec<Counted>,
    orders: Vec<Line>,
}

/// From the POST until the view had the order, by its token.
#[derive(Debug, PartialEq, Serialize)]
struct Percentiles {
    p50: f64,
    p99: f64,
}

/// The orders that were to show one thing.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ends {
    shows: &'static str,
    should_end: &'static str,
    orders: usize,
    completed: usize,
    cancelled: usize,
    as_it_should: usize,
}

/// The stock of a SKU at the end.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    sku: String,
    received: u32,
    /// What the orders that were completed took.
    shipped: u32,
    #[serde(flatten)]
    stock: Stock,
    /// False where something is held still, or what is on hand is not what these say; not known
    /// while orders have not ended.
    as_computed: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    order_id: Option<String>,
    shows: &'static str,
    should_end: &'static str,
    status: String,
    cancel_reason: Option<String>,
    inventory: Option<String>,
    payment: Option<String>,
    delivery: Option<String>,
    seconds: f64,
    visible_ms: Option<f64>,
    as_it_should: bool,
}

impl Summary {
    /// What `watch` and the counters of `script`'s SKUs come to, `now` after the beginning.
    pub fn new(script: &Script, watch: &Watch, stock: Vec<Stock>, now: Duration) -> Self {
        let counted = script.stock.iter().zip(stock).map(|(receipt, stock)| {
            let shipped = shipped(script, watch, &receipt.sku);
            Counted {
                as_computed: watch
                    .is_over()
                    .then(|| is_as_computed(receipt.quantity, shipped, &stock)),
                sku: receipt.sku.clone(),
                received: receipt.quantity,
                shipped,
                stock,
            }
        });
        let counted: Vec<_> = counted.collect();
        let right = watch.orders.iter().all(Watched::is_right);
        let mut visible: Vec<_> = watch
            .orders
            .iter()
            .filter_map(|order| order.visible)
            .collect();
        visible.sort_unstable();
        let percentile = |percent| percentile(&visible, percent).map(ms);
        Self {
            ok: right
                && counted
                    .iter()
                    .all(|counted| counted.as_computed == Some(true)),
            run: script.run.clone(),
            seconds: seconds(now),
            visible_ms: percentile(50)
                .zip(percentile(99))
                .map(|(p50, p99)| Percentiles { p50, p99 }),
            ends: Play::ALL.map(|play| ends(play, watch)).into(),
            stock: counted,
            orders: watch
                .orders
                .iter()
                .map(|order| Line::new(order, now))
                .collect(),
        }
    }
}

impl Line {
    fn new(order: &Watched, now: Duration) -> Self {
        let seen = order.seen.clone();
        let seen = seen.as_ref();
        Self {
            order_id: order.id.clone(),
            shows: order.play.name(),
            should_end: order.play.should_end(),
            status: order.status().to_owned(),
            cancel_reason: seen.and_then(|seen| seen.cancel_reason.clone()),
            inventory: seen.and_then(|seen| seen.inventory.status.clone()),
            payment: seen.and_then(|seen| seen.payment.status.clone()),
            delivery: seen.and_then(|seen| seen.delivery.status.clone()),
            seconds: seconds(order.age(now)),
            visible_ms: order.visible.map(ms),
            as_it_should: order.is_right(),
        }
    }
}

fn ends(play: Play, watch: &Watch) -> Ends {
    let orders = || watch.orders.iter().filter(|order| order.play == play);
    Ends {
        shows: play.name(),
        should_end: play.should_end(),
        orders: orders().count(),
        completed: orders()
            .filter(|order| order.status() == "COMPLETED")
            .count(),
        cancelled: orders()
            .filter(|order| order.status() == "CANCELLED")
            .count(),
        as_it_should: orders().filter(|order| order.is_right()).count(),
    }
}

/// What the orders that were completed took of a SKU.
pub fn shipped(script: &Script, watch: &Watch, sku: &str) -> u32 {
    let orders = script.orders.iter().zip(&watch.orders);
    let completed = orders.filter(|(_, watched)| watched.status() == "COMPLETED");
    let lines = completed.flat_map(|(order, _)| &order.lines);
    lines
        .filter(|line| line.sku == sku)
        .map(|line| line.quantity)
        .sum()
}

/// Whether nothing is held, and what is on hand is what was received and not shipped.
pub fn is_as_computed(received: u32, shipped: u32, stock: &Stock) -> bool {
    stock.held == 0 && stock.on_hand + u64::from(shipped) == u64::from(received)
}

/// The smallest of the sorted values that so many percent are not above.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

/// In milliseconds, to the microsecond.
fn ms(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}

/// In seconds, to the millisecond.
fn seconds(duration: Duration) -> f64 {
    duration.as_millis() as f64 / 1e3
}

#[cfg(test)]
mod tests;
