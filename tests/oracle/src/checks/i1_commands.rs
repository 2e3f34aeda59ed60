//! I1: what was answered is in the log once, and what was not at most once.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::fact::{Body, Fact, Item, Stream};
use crate::journal::Reply;
use crate::requests::{About, Outcome, Request};
use crate::{Case, Checked};

/// Every command that was taken is in the log exactly once, and every unknown resolves to 0 or 1.
pub fn commands(case: &Case<'_>) -> Checked {
    let mut checked = Checked::new(
        "I1",
        "every 2xx command is in the log exactly once, every unknown at most once",
    );
    let requests = Request::all(&case.world.journal);
    for request in &requests {
        let kind = match request.outcome() {
            Outcome::Taken(reply) => {
                taken(case, request, reply, &mut checked);
                "commands that were taken"
            }
            Outcome::Refused => {
                refused(case, request, &mut checked);
                "that were refused"
            }
            Outcome::Unknown => "with an unknown outcome",
        };
        checked.looked_at(kind, 1);
    }
    if requests.is_empty() {
        return checked;
    }
    placed_once(case, &requests, &mut checked);
    received_once(case, &requests, &mut checked);
    one_command_one_append(case, &mut checked);
    checked
}

/// What a reply promises is there.
fn taken(case: &Case<'_>, request: &Request<'_>, reply: &Reply, checked: &mut Checked) {
    let Some(token) = &reply.token else {
        return checked.find(request.name(), "it was answered without a token");
    };
    let Some(fact) = case.by_id.get(token) else {
        return checked.find(
            request.name(),
            format!("it was taken as {token}, which is lost"),
        );
    };
    let about = request.about();
    let stream = match about {
        About::Place | About::Cancel(_) => Stream::Order,
        About::Receipt(_) => Stream::Stock,
        About::Step(..) => Stream::Delivery,
        About::Other => return,
    };
    let of = match about {
        About::Cancel(id) | About::Receipt(id) | About::Step(id, _) => Some(id),
        About::Place | About::Other => None,
    };
    if fact.stream() != stream || of.is_some_and(|of| of != fact.stored.of) {
        checked.find(
            request.name(),
            format!("it was answered with {fact}, of another stream"),
        );
    }
    let shown = match about {
        About::Place => as_placed(request, reply, fact),
        About::Cancel(order) => as_cancelled(case, order),
        About::Receipt(_) => as_received(request, reply, fact),
        About::Step(_, step) => as_stepped(case, fact, step),
        About::Other => Ok(()),
    };
    if let Err(what) = shown {
        checked.find(request.name(), what);
    }
}

/// A cancellation is turned down for two reasons only.
fn refused(case: &Case<'_>, request: &Request<'_>, checked: &mut Checked) {
    let About::Cancel(id) = request.about() else {
        return;
    };
    let order = case.orders.get(id);
    for one in &request.attempts {
        let status = one.reply.as_ref().map(|reply| reply.status);
        let too_late = ["order.cancellation-refused", "order.completed"];
        if status == Some(409) && !order.is_some_and(|order| order.has_any(&too_late)) {
            checked.find(request.name(), "it was refused, and was not too late");
        }
        let created = order.and_then(|order| order.find("order.created"));
        if status == Some(404) && created.is_some_and(|created| created.time < one.asked_at) {
            checked.find(
                request.name(),
                "it was told that there is no such order, and there is",
            );
        }
    }
}

fn as_placed(request: &Request<'_>, reply: &Reply, fact: &Fact) -> Result<(), String> {
    let Some(Body::Created {
        customer_id,
        currency,
        items,
        total_amount,
        ..
    }) = fact.says()
    else {
        return Err(format!(
            "it was answered with {fact}, which places no order"
        ));
    };
    let said = parse(&reply.body);
    let agreed = said["orderId"] == fact.stored.of
        && said["customerId"] == **customer_id
        && said["currency"] == **currency
        && said["totalAmount"] == *total_amount;
    if !agreed {
        return Err(format!(
            "it was answered with {said}, and {fact} says something else"
        ));
    }
    if signature(request.body) != (customer_id.clone(), currency.clone(), items.clone()) {
        return Err(format!(
            "it became {fact}, which says something else than was sent"
        ));
    }
    let sum: i64 = items
        .iter()
        .map(|item| item.quantity * item.unit_price)
        .sum();
    match sum == *total_amount {
        true => Ok(()),
        false => Err(format!(
            "{fact} is for {total_amount}, and its lines make {sum}"
        )),
    }
}

fn as_cancelled(case: &Case<'_>, order: &str) -> Result<(), String> {
    let known = case.orders.get(order);
    let asked = ["order.cancellation-requested", "order.cancelled"];
    match known.is_some_and(|known| known.has_any(&asked)) {
        true => Ok(()),
        false => Err("its cancellation was taken, and is nowhere".to_owned()),
    }
}

fn as_received(request: &Request<'_>, reply: &Reply, fact: &Fact) -> Result<(), String> {
    let Some(Body::StockReceived {
        quantity,
        on_hand,
        held,
    }) = fact.says()
    else {
        return Err(format!("it was answered with {fact}, which is no receipt"));
    };
    let said = parse(&reply.body);
    let agreed = request.body["quantity"] == *quantity
        && said["onHand"] == *on_hand
        && said["held"] == *held
        && said["version"] == fact.sequence();
    match agreed {
        true => Ok(()),
        false => Err(format!(
            "it was answered with {said}, and {fact} says something else"
        )),
    }
}

fn as_stepped(case: &Case<'_>, fact: &Fact, step: &str) -> Result<(), String> {
    let name = name_of(step).ok_or_else(|| format!("there is no step {step}"))?;
    let order = case.orders.get(&*fact.stored.of);
    let taken = order.map_or(&[][..], |order| order.stream(Stream::Delivery));
    let mut so_far = taken.iter().filter(|one| one.sequence() <= fact.sequence());
    match so_far.any(|one| one.name() == name) {
        true => Ok(()),
        false => Err(format!(
            "it was taken as {fact}, and there is no {name} by then"
        )),
    }
}

/// The fact of a delivery's step.
pub(super) fn name_of(step: &str) -> Option<&'static str> {
    Some(match step {
        "assign" => "delivery.assigned",
        "eta" => "delivery.eta-updated",
        "dispatch" => "delivery.dispatched",
        "deliver" => "delivery.delivered",
        "fail" => "delivery.failed",
        _ => return None,
    })
}

/// What was ordered, by whom.
pub(super) type Signature = (String, String, Vec<Item>);

pub(super) fn signature(body: &Value) -> Signature {
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let items = serde_json::from_value(body["items"].clone());
    (
        text("customerId"),
        text("currency"),
        items.unwrap_or_default(),
    )
}

/// Of two requests no two are one order, and of those without an answer each is one at most.
fn placed_once(case: &Case<'_>, requests: &[Request<'_>], checked: &mut Checked) {
    let mut claimed = HashSet::new();
    let mut unknown: HashMap<Signature, usize> = HashMap::new();
    let mut known: HashMap<Signature, String> = HashMap::new();
    let placing = requests.iter().filter(|one| one.about() == About::Place);
    for request in placing {
        let signature = signature(request.body);
        match request.outcome() {
            Outcome::Taken(reply) => {
                let order = parse(&reply.body)["orderId"]
                    .as_str()
                    .map(ToOwned::to_owned);
                if let Some(order) = order
                    && !claimed.insert(order.clone())
                {
                    checked.find(order, format!("{} was given it too", request.name()));
                }
                known.insert(signature, request.name());
            }
            Outcome::Unknown => {
                known.entry(signature.clone()).or_insert(request.name());
                *unknown.entry(signature).or_default() += 1;
            }
            Outcome::Refused => {}
        }
    }
    for (id, _, created) in case.placed().filter(|(id, ..)| !claimed.contains(*id)) {
        let Some(signature) = created.says().and_then(of_created) else {
            continue;
        };
        match unknown.get_mut(&signature) {
            Some(left) if *left > 0 => *left -= 1,
            // Without any request like it, it has no cause: see I2.
            _ => {
                if let Some(request) = known.get(&signature) {
                    checked.find(id, format!("one order too many of {request}"));
                }
            }
        }
    }
}

pub(super) fn of_created(body: &Body) -> Option<Signature> {
    match body {
        Body::Created {
            customer_id,
            currency,
            items,
            ..
        } => Some((customer_id.clone(), currency.clone(), items.clone())),
        _ => None,
    }
}

fn received_once(case: &Case<'_>, requests: &[Request<'_>], checked: &mut Checked) {
    let mut claimed = HashSet::new();
    let mut unknown: HashMap<(&str, i64), usize> = HashMap::new();
    let mut known: HashMap<(&str, i64), String> = HashMap::new();
    for request in requests {
        let About::Receipt(sku) = request.about() else {
            continue;
        };
        let what = (sku, request.body["quantity"].as_i64().unwrap_or_default());
        match request.outcome() {
            Outcome::Taken(Reply { token, .. }) => {
                if let Some(token) = token
                    && !claimed.insert(token.clone())
                {
                    checked.find(token, format!("{} was given it too", request.name()));
                }
                known.insert(what, request.name());
            }
            Outcome::Unknown => {
                known.entry(what).or_insert(request.name());
                *unknown.entry(what).or_default() += 1;
            }
            Outcome::Refused => {}
        }
    }
    for fact in case.skus.values().flatten() {
        let Some(Body::StockReceived { quantity, .. }) = fact.says() else {
            continue;
        };
        let what = (&*fact.stored.of, *quantity);
        if claimed.contains(&fact.id()) {
            continue;
        }
        match unknown.get_mut(&what) {
            Some(left) if *left > 0 => *left -= 1,
            _ => {
                if let Some(request) = known.get(&what) {
                    checked.find(fact.id(), format!("one receipt too many of {request}"));
                }
            }
        }
    }
}

/// A command that somebody sent has an id of its own, and is appended once.
fn one_command_one_append(case: &Case<'_>, checked: &mut Checked) {
    let mut by_command: HashMap<&str, &Fact> = HashMap::new();
    for fact in &case.world.facts {
        let Some(command) = fact.causation() else {
            continue;
        };
        if case.by_id.contains_key(command) {
            continue;
        }
        if let Some(other) = by_command.insert(command, fact) {
            checked.find(
                fact.id(),
                format!("the command behind {other} is behind it too"),
            );
        }
    }
}

fn parse(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_default()
}
