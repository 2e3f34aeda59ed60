//! A world with its facts in order: by id, by order, by SKU.

use std::collections::{BTreeMap, HashMap};

use crate::World;
use crate::fact::{Body, Fact, Stream};

/// A world that was put in order, to be looked at.
pub struct Case<'a> {
    /// All of it.
    pub world: &'a World,
    /// Every fact by its id. Of two with one id, which no log can hold, the last.
    pub by_id: HashMap<String, &'a Fact>,
    /// The facts of each order.
    pub orders: BTreeMap<&'a str, Order<'a>>,
    /// The facts of each SKU, by sequence.
    pub skus: BTreeMap<&'a str, Vec<&'a Fact>>,
}

/// The facts of an order.
#[derive(Default)]
pub struct Order<'a> {
    streams: BTreeMap<Stream, Vec<&'a Fact>>,
    /// What it did to SKUs.
    pub stock: Vec<&'a Fact>,
}

impl<'a> Case<'a> {
    /// Puts a world in order.
    pub fn of(world: &'a World) -> Self {
        let mut facts: Vec<_> = world.facts.iter().collect();
        facts.sort_by_key(|fact| (fact.stored.service, fact.stored.position));
        let mut orders: BTreeMap<&str, Order<'_>> = BTreeMap::new();
        let mut skus: BTreeMap<&str, Vec<&Fact>> = BTreeMap::new();
        for fact in &facts {
            let stored = &fact.stored;
            if stored.stream == Stream::Stock {
                skus.entry(&stored.of).or_default().push(fact);
                if let Some(order) = fact.order() {
                    orders.entry(order).or_default().stock.push(fact);
                }
            } else {
                let order = orders.entry(&stored.of).or_default();
                order.streams.entry(stored.stream).or_default().push(fact);
            }
        }
        Self {
            world,
            by_id: facts.into_iter().map(|fact| (fact.id(), fact)).collect(),
            orders,
            skus,
        }
    }

    /// The orders that were placed, with what was placed.
    pub fn placed(&self) -> impl Iterator<Item = (&'a str, &Order<'a>, &'a Fact)> {
        let orders = self.orders.iter();
        orders.filter_map(|(id, order)| Some((*id, order, order.find("order.created")?)))
    }
}

impl<'a> Order<'a> {
    /// The facts of one of its streams, by sequence.
    pub fn stream(&self, stream: Stream) -> &[&'a Fact] {
        self.streams.get(&stream).map_or(&[], Vec::as_slice)
    }

    /// All but those of stock.
    pub fn facts(&self) -> impl Iterator<Item = &'a Fact> {
        self.streams.values().flatten().copied()
    }

    /// The first fact of that name.
    pub fn find(&self, name: &str) -> Option<&'a Fact> {
        self.facts().find(|fact| fact.name() == name)
    }

    /// Whether there is a fact of that name.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Whether there is a fact of one of these names.
    pub fn has_any(&self, names: &[&str]) -> bool {
        self.facts().any(|fact| names.contains(&fact.name()))
    }

    /// The fact with which it ended: of several the first.
    pub fn end(&self) -> Option<&'a Fact> {
        let ends = ["order.cancelled", "order.completed"];
        self.facts().find(|fact| ends.contains(&fact.name()))
    }

    /// For how much it was placed.
    pub fn total(&self) -> Option<i64> {
        match self.find("order.created")?.says()? {
            Body::Created { total_amount, .. } => Some(*total_amount),
            _ => None,
        }
    }

    /// The names of its facts, for people.
    pub fn names(&self) -> String {
        let names: Vec<_> = self.facts().map(Fact::name).collect();
        names.join(", ")
    }
}
