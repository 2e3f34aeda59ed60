//! I2: nothing is in the log that was not asked for, or that does not follow from what is there.

use std::collections::{HashMap, HashSet};

use super::i1_commands::{Signature, name_of, of_created, signature};
use crate::fact::{Body, Fact, Stream};
use crate::promises::{self, Cause};
use crate::requests::{About, Outcome, Request};
use crate::{Case, Checked};

/// No event without a request or a fact that caused it; streams without holes.
pub fn causes(case: &Case<'_>) -> Checked {
    let mut checked = Checked::new("I2", "no event without a request or a fact that caused it");
    let asked = Asked::of(case);
    if asked.is_none() && !case.world.facts.is_empty() {
        let note = "without a journal nobody knows what customers asked for";
        checked.notes.push(note.to_owned());
    }
    let mut once = HashSet::new();
    for fact in &case.world.facts {
        checked.looked_at("facts", 1);
        if !once.insert(fact.id()) {
            checked.find(fact.id(), "the log has two facts of this id");
        }
        if let Err(what) = follows(case, asked.as_ref(), fact) {
            checked.find(fact.id(), what);
        }
    }
    let streams = case.orders.values().flat_map(|order| {
        let streams = Stream::OF_ORDERS.into_iter();
        streams.map(|stream| order.stream(stream))
    });
    let streams = streams.chain(case.skus.values().map(Vec::as_slice));
    for stream in streams.filter(|stream| !stream.is_empty()) {
        checked.looked_at("streams", 1);
        goes_forward(stream, &mut checked);
    }
    for (id, order) in &case.orders {
        if !order.has("order.created") {
            let facts = order.facts().chain(order.stock.iter().copied());
            let facts: Vec<_> = facts.map(Fact::id).collect();
            checked.find(
                *id,
                format!("nobody placed it, and there are {}", facts.join(", ")),
            );
        }
    }
    checked
}

/// That what is behind a fact is there, may be behind it, and came before it.
fn follows(case: &Case<'_>, asked: Option<&Asked<'_>>, fact: &Fact) -> Result<(), String> {
    let body = fact.body.as_ref();
    let body = body.map_err(|e| format!("{} cannot be read: {e}", fact.name()))?;
    let cause = fact.causation();
    let cause = cause.ok_or_else(|| format!("{} says nothing of its cause", fact.name()))?;
    let allowed = promises::causes(body);
    let Some(behind) = case.by_id.get(cause) else {
        if !is_command(cause) {
            return Err(format!(
                "{} follows from {cause}, which is nowhere",
                fact.name()
            ));
        }
        if !allowed.contains(&Cause::Request) {
            return Err(format!(
                "{} is nothing that a person may command",
                fact.name()
            ));
        }
        return asked.map_or(Ok(()), |asked| asked.for_fact(fact, body));
    };
    let may = |cause: &Cause| matches!(cause, Cause::Fact(name) if *name == behind.name());
    if !allowed.iter().any(may) {
        return Err(format!("{} does not follow from {behind}", fact.name()));
    }
    if behind.order() != fact.order() {
        return Err(format!(
            "{} follows from {behind} of another order",
            fact.name()
        ));
    }
    if fact.time <= behind.time {
        return Err(format!(
            "{} is not later than its cause {behind}",
            fact.name()
        ));
    }
    Ok(())
}

/// Whether it is the id of a command: a UUID.
fn is_command(cause: &str) -> bool {
    let lengths: Vec<_> = cause.split('-').map(str::len).collect();
    let digits = |one: char| one == '-' || one.is_ascii_hexdigit();
    lengths == [8, 4, 4, 4, 12] && cause.chars().all(digits)
}

/// From 1 without holes, later each time, and no step twice.
fn goes_forward(stream: &[&Fact], checked: &mut Checked) {
    let mut by_sequence = stream.to_vec();
    by_sequence.sort_by_key(|fact| fact.sequence());
    let mut names: HashMap<&str, &Fact> = HashMap::new();
    for (at, fact) in by_sequence.iter().enumerate() {
        let expected = i64::try_from(at).unwrap_or(i64::MAX).saturating_add(1);
        if fact.sequence() != expected {
            let what = format!("the fact {expected} of its stream is missing");
            return checked.find(fact.id(), what);
        }
        let before = at.checked_sub(1).map(|before| by_sequence[before]);
        if let Some(before) = before {
            if fact.time <= before.time {
                checked.find(fact.id(), format!("it is not later than {before}"));
            }
            if fact.stored.position <= before.stored.position {
                checked.find(fact.id(), format!("it stands in the log before {before}"));
            }
        }
        let repeats =
            fact.stream() == Stream::Stock || fact.says().is_none_or(promises::may_repeat);
        if !repeats && let Some(first) = names.insert(fact.name(), fact) {
            checked.find(
                fact.id(),
                format!("{} was there before, as {}", fact.name(), first.id()),
            );
        }
    }
}

/// What customers asked for and was not refused.
struct Asked<'a> {
    placed: HashSet<Signature>,
    received: HashSet<(&'a str, i64)>,
    cancelled: HashSet<(&'a str, &'a str)>,
    stepped: HashSet<(&'a str, &'a str)>,
}

impl<'a> Asked<'a> {
    fn of(case: &'a Case<'_>) -> Option<Self> {
        let requests = Request::all(&case.world.journal);
        if requests.is_empty() {
            return None;
        }
        let mut asked = Self {
            placed: HashSet::new(),
            received: HashSet::new(),
            cancelled: HashSet::new(),
            stepped: HashSet::new(),
        };
        let open = requests
            .iter()
            .filter(|one| one.outcome() != Outcome::Refused);
        for request in open {
            let body = request.body;
            match request.about() {
                About::Place => drop(asked.placed.insert(signature(body))),
                About::Receipt(sku) => {
                    let quantity = body["quantity"].as_i64().unwrap_or_default();
                    asked.received.insert((sku, quantity));
                }
                About::Cancel(order) => {
                    let reason = body["reason"].as_str().unwrap_or_default();
                    asked.cancelled.insert((order, reason));
                }
                About::Step(order, step) => {
                    asked
                        .stepped
                        .extend(name_of(step).map(|name| (order, name)));
                }
                About::Other => {}
            }
        }
        Some(asked)
    }

    fn for_fact(&self, fact: &Fact, body: &Body) -> Result<(), String> {
        let of = &*fact.stored.of;
        let asked = match body {
            Body::Created { .. } => of_created(body).is_some_and(|one| self.placed.contains(&one)),
            Body::StockReceived { quantity, .. } => self.received.contains(&(of, *quantity)),
            Body::CancellationRequested { reason } => self.cancelled.contains(&(of, reason)),
            // An operator's, who is in no journal.
            body if body.by_hand() => true,
            _ => self.stepped.contains(&(of, fact.name())),
        };
        match asked {
            true => Ok(()),
            false => Err(format!("nobody asked for this {}", fact.name())),
        }
    }
}
