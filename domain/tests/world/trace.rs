//! A walk in words, for those who have to find out what went wrong in it.

use std::fmt::Write;

use domain::{Fact, delivery, order};

use crate::checks::label;
use crate::model::World;
use crate::setting::Setting;
use crate::side::Entry;
use crate::step::Step;

/// Walks the steps once more and says what each of them appended.
pub fn trace(setting: &Setting, steps: &[Step], broken: &str) -> String {
    let mut text = format!("\n{broken}\nin {setting:?}\n");
    let mut world = World::new(setting);
    for (number, step) in steps.iter().enumerate() {
        let appended = match world.take(*step) {
            Ok(entries) => entries.iter().map(|entry| in_words(entry)).collect(),
            Err(broken) => vec![format!("! {broken}")],
        };
        let number = number + 1;
        let _ = writeln!(text, "{number:4} {step}: {}", appended.join(", "));
    }
    text
}

fn in_words(entry: &Entry) -> String {
    let fact = &entry.recorded.fact;
    let why = match fact {
        Fact::Delivery(delivery::Event::Cancelled { reason, .. })
        | Fact::Order(order::Event::Cancelled { reason }) => format!(" ({reason})"),
        _ => String::new(),
    };
    format!("{}{why}", label(fact))
}
