//! Damage to a fact.

use oracle::World;
use oracle::fact::{Fact, Stored};
use serde_json::{Value, json};

/// Makes something else of a fact.
pub fn edit(world: &mut World, id: &str, change: impl FnOnce(&mut Stored)) {
    let mut facts = world.facts.iter_mut();
    let fact = facts.find(|fact| fact.id() == id);
    let fact = fact.unwrap_or_else(|| panic!("there is no {id}"));
    let mut stored = fact.stored.clone();
    change(&mut stored);
    *fact = Fact::read(stored);
}

/// Says something else in a fact.
pub fn say(world: &mut World, id: &str, key: &str, value: Value) {
    edit(world, id, |stored| {
        let mut payload: Value = serde_json::from_str(&stored.payload).unwrap();
        payload[key] = value;
        stored.payload = payload.to_string();
    });
}

/// Says something else about a fact.
pub fn about(world: &mut World, id: &str, key: &str, value: &str) {
    edit(world, id, |stored| {
        let mut metadata: Value = serde_json::from_str(&stored.metadata).unwrap();
        metadata[key] = json!(value);
        stored.metadata = metadata.to_string();
    });
}
