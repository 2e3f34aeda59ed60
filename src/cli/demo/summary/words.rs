//! A summary for people.

use std::fmt;

use super::{Ends, Line, Percentiles, Summary};
use crate::cli::output::say;

/// Wrong orders that are named: a few lead to what is wrong with all.
const NAMED: usize = 20;

impl Summary {
    /// What is wrong, for people; `None` where nothing is.
    pub fn complaint(&self) -> Option<String> {
        if self.ok {
            return None;
        }
        let mut lines = vec!["not everything ended as it should".to_owned()];
        let wrong: Vec<_> = self
            .orders
            .iter()
            .filter(|order| !order.as_it_should)
            .collect();
        lines.extend(wrong.iter().take(NAMED).map(|order| order.complaint()));
        if wrong.len() > NAMED {
            lines.push(format!("  and {} more", wrong.len() - NAMED));
        }
        for counted in self
            .stock
            .iter()
            .filter(|counted| counted.as_computed == Some(false))
        {
            lines.push(format!(
                "  {} has {} on hand and {} held, but should have {} and 0",
                counted.sku,
                counted.stock.on_hand,
                counted.stock.held,
                counted.received.saturating_sub(counted.shipped),
            ));
        }
        Some(lines.join("\n"))
    }

    /// Writes it for people.
    pub fn say(&self) {
        let right = self
            .orders
            .iter()
            .filter(|order| order.as_it_should)
            .count();
        say(format_args!(
            "\n{} orders in {:.1} s; {right} ended as they should\n",
            self.orders.len(),
            self.seconds
        ));
        say("                          should end as                ended as");
        for ends in &self.ends {
            say(ends);
        }
        say("\nstock               received  shipped  on hand  held");
        for counted in &self.stock {
            let as_computed = match counted.as_computed {
                Some(true) => "as computed",
                Some(false) => "not as computed",
                None => "",
            };
            say(format_args!(
                "{:18}  {:>8}  {:>7}  {:>7}  {:>4}  {}",
                counted.sku,
                counted.received,
                counted.shipped,
                counted.stock.on_hand,
                counted.stock.held,
                as_computed,
            ));
        }
        if let Some(Percentiles { p50, p99 }) = self.visible_ms {
            say(format_args!(
                "\nfrom the POST until the view shows the order: p50 {p50:.1} ms, p99 {p99:.1} ms"
            ));
        }
    }
}

impl Line {
    fn complaint(&self) -> String {
        let Some(id) = &self.order_id else {
            return format!("  an order ({}) could not be placed in time", self.shows);
        };
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".into());
        format!(
            "  {id} ({}): is {} (inventory {}, payment {}, delivery {}, reason {}) after {:.1} s, \
             but should be {}; try `waybill explain {id}`",
            self.shows,
            self.status,
            part(&self.inventory),
            part(&self.payment),
            part(&self.delivery),
            part(&self.cancel_reason),
            self.seconds,
            self.should_end,
        )
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.as_it_should == self.orders {
            "✓"
        } else {
            "✗"
        };
        let open = self.orders - self.completed - self.cancelled;
        let ended = [
            (self.completed, "COMPLETED"),
            (self.cancelled, "CANCELLED"),
            (open, "open"),
        ];
        let ended = ended.iter().filter(|(count, _)| *count > 0);
        let ended: Vec<_> = ended.map(|(count, how)| format!("{count} {how}")).collect();
        let (orders, shows, should_end) = (self.orders, self.shows, self.should_end);
        let ended = ended.join(", ");
        write!(f, "{mark} {orders:>3} {shows:18}  {should_end:27}  {ended}")
    }
}
