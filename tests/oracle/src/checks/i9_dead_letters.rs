//! I9: what cannot be taken is set aside once for each group, what is behind it waits, and nobody
//! else notices.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::evidence::{Origin, Parked, Poison, WAITING};
use crate::fact::{Fact, Service};
use crate::{Case, Checked, promises, views};

/// Dead letters are exactly one a poison fact and consuming group; facts of the same topic and order
/// wait behind it in order; other orders do not notice.
pub fn dead_letters(case: &Case<'_>) -> Checked {
    let mut checked = Checked::new(
        "I9",
        "exactly one dead letter a poison fact and consuming group, its order waits, others do not",
    );
    let world = case.world;
    let mut rows: BTreeMap<&Origin, &Parked> = BTreeMap::new();
    for row in &world.parked {
        checked.looked_at("rows of dead letters", 1);
        if rows.insert(&row.from, row).is_some() {
            checked.find(place(&row.from), "there are two rows of it");
        }
    }
    for poison in &world.poison {
        checked.looked_at("poison facts", 1);
        for group in groups(poison) {
            let from = Origin {
                group,
                service: poison.service,
                partition: poison.partition,
                offset: poison.offset,
            };
            match rows.get(&from) {
                None => checked.find(place(&from), "it is poison, and was not set aside"),
                Some(row) if row.key != poison.key => {
                    let what = format!("it is set aside under {} and not {}", row.key, poison.key);
                    checked.find(place(&from), what);
                }
                Some(_) => {}
            }
        }
    }
    for row in rows.values() {
        let what = match row.class == WAITING {
            true => has_what_it_waits_for(world.parked.as_slice(), row),
            false => is_poison(&world.poison, row),
        };
        if let Err(what) = what {
            checked.find(place(&row.from), what);
        }
    }
    if world.topics.is_none() && !rows.is_empty() {
        let note = "without topics nobody knows what was to wait";
        checked.notes.push(note.to_owned());
    }
    all_behind_wait(case, &rows, &mut checked);
    let keys: BTreeSet<_> = rows.values().map(|row| &*row.key).collect();
    for key in keys {
        taken_in_order(case, key, &mut checked);
    }
    copies(case, &rows, &mut checked);
    checked
}

/// The groups that are to set a poison fact aside.
fn groups(poison: &Poison) -> Vec<String> {
    if let Some(groups) = &poison.groups {
        return groups.clone();
    }
    let services = promises::readers(poison.service).iter();
    let services = services.map(|service| service.name().to_owned());
    let views = views::ALL.iter().map(|view| format!("{}-g1", view.name));
    services.chain(views).collect()
}

fn is_poison(poison: &[Poison], row: &Parked) -> Result<(), String> {
    let from = &row.from;
    let broken = poison.iter().any(|one| {
        let place = (one.service, one.partition, one.offset);
        place == (from.service, from.partition, from.offset) && groups(one).contains(&from.group)
    });
    match broken {
        true => Ok(()),
        false => Err(format!(
            "{} was set aside as {}, and nobody broke it",
            row.key, row.class
        )),
    }
}

fn has_what_it_waits_for(rows: &[Parked], row: &Parked) -> Result<(), String> {
    let from = &row.from;
    // One that was taken may come again when another of its key was set aside behind it: it waits
    // too, and is taken up by itself.
    let came_again = !row.open;
    let before = rows.iter().any(|other| {
        let ahead = &other.from;
        other.class != WAITING
            && other.key == row.key
            && (&ahead.group, ahead.service) == (&from.group, from.service)
            && (ahead.partition != from.partition || ahead.offset < from.offset || came_again)
            && (other.open || !row.open)
    });
    match before {
        true => Ok(()),
        false => Err(format!(
            "{} waits, and nothing of its key is ahead of it",
            row.key
        )),
    }
}

/// While something is set aside, nothing of its key is taken by a group that keeps an order.
fn all_behind_wait(case: &Case<'_>, rows: &BTreeMap<&Origin, &Parked>, checked: &mut Checked) {
    let records = case.world.topics.iter().flatten();
    let mut by_key: HashMap<(Service, i32, &str), Vec<i64>> = HashMap::new();
    for record in records {
        if let Some(key) = &record.key {
            let place = (record.service, record.partition, key.as_str());
            by_key.entry(place).or_default().push(record.offset);
        }
    }
    for (from, row) in rows.iter().filter(|(_, row)| row.open) {
        // Writes to a view commute, and nothing waits there.
        let keeps_order = Service::ALL
            .iter()
            .any(|service| service.name() == from.group);
        let mut offsets = case.world.offsets.iter();
        let committed = offsets.find(|offset| {
            let of = (&offset.group, offset.service, offset.partition);
            of == (&from.group, from.service, Some(from.partition))
        });
        let (true, Some(committed)) = (keeps_order, committed) else {
            continue;
        };
        let behind = by_key.get(&(from.service, from.partition, &row.key));
        let behind = behind.into_iter().flatten();
        for offset in behind.filter(|at| **at > from.offset && **at < committed.next) {
            checked.looked_at("records behind a dead letter", 1);
            let waits = Origin {
                offset: *offset,
                ..(*from).clone()
            };
            if !rows.get(&waits).is_some_and(|row| row.open) {
                let what = format!("{} was to wait behind {}", row.key, place(from));
                checked.find(place(&waits), what);
            }
        }
    }
}

/// What a service did because of another's facts, it did in the order of these; however long one of
/// them was set aside.
fn taken_in_order(case: &Case<'_>, key: &str, checked: &mut Checked) {
    let Some(order) = case.orders.get(key) else {
        return;
    };
    let mut own: Vec<_> = order.facts().collect();
    own.sort_by_key(|fact| (fact.stored.service, fact.stored.position));
    let mut heads: HashMap<(Service, Service), &Fact> = HashMap::new();
    for fact in own {
        let Some(cause) = fact.causation().and_then(|id| case.by_id.get(id)) else {
            continue;
        };
        // A deadline is kept for later, on purpose.
        let foreign = cause.stored.service != fact.stored.service;
        if !foreign || cause.name() == "order.created" {
            continue;
        }
        checked.looked_at("reactions of orders with dead letters", 1);
        let between = (fact.stored.service, cause.stored.service);
        match heads.insert(between, cause) {
            Some(before) if before.stored.position > cause.stored.position => {
                let what = format!("{before} was taken before {cause}, which it is behind");
                checked.find(fact.id(), what);
            }
            _ => {}
        }
    }
}

/// Each row has a copy on the topic of dead letters, but for those that only wait; and each copy a row.
fn copies(case: &Case<'_>, rows: &BTreeMap<&Origin, &Parked>, checked: &mut Checked) {
    let Some(letters) = &case.world.dead_letters else {
        return;
    };
    let mut copied: BTreeSet<&Origin> = BTreeSet::new();
    for letter in letters {
        checked.looked_at("copies on a topic", 1);
        // Published before the offset moves: a crash between the two publishes it again.
        if !copied.insert(&letter.from) {
            checked.looked_at("repeated copies", 1);
        }
        if !rows.contains_key(&letter.from) {
            checked.find(
                place(&letter.from),
                "the topic of dead letters has it, and no row does",
            );
        }
    }
    let broken = rows.iter().filter(|(_, row)| row.class != WAITING);
    for (from, _) in broken.filter(|(from, _)| !copied.contains(**from)) {
        checked.find(
            place(from),
            "it was set aside, and the topic of dead letters has no copy",
        );
    }
}

fn place(from: &Origin) -> String {
    let Origin {
        group,
        service,
        partition,
        offset,
    } = from;
    format!("{group} of {}[{partition}]@{offset}", service.name())
}
