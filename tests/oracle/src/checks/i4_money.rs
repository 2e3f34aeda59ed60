//! I4: nobody pays twice, and nobody pays for what did not come.

use std::collections::BTreeMap;

use crate::case::Order;
use crate::fact::{Body, Fact, Stream};
use crate::ledger::{Entry, Operation, Outcome};
use crate::{Case, Checked};

/// Per order at most one capture; captured minus refunded equals what was delivered; no charge
/// outlives a cancelled order; and the provider's books say what the log says.
pub fn money(case: &Case<'_>) -> Checked {
    let mut checked = Checked::new(
        "I4",
        "at most one capture an order, captured minus refunded equals what was delivered, \
         and no charge outlives a cancelled order",
    );
    let mut books: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    match &case.world.ledger {
        Some(ledger) => {
            for entry in ledger.iter().filter(|one| one.outcome == Outcome::Approved) {
                books.entry(&entry.order).or_default().push(entry);
            }
            checked.looked_at("lines of the provider's books", ledger.len());
        }
        None => {
            let note = "without the provider's books only what the log says was added up";
            checked.notes.push(note.to_owned());
        }
    }
    let mut not_captured = vec![];
    for (id, order) in &case.orders {
        let payment = order.stream(Stream::Payment);
        checked.looked_at("orders", 1);
        checked.looked_at("facts of payments", payment.len());
        let said = Sums::of_facts(payment);
        adds_up(id, order, &said, "the log", &mut checked);
        amounts_are_the_total(order, payment, &mut checked);
        if order.has("payment.capture-failed") {
            not_captured.push(*id);
        }
        if case.world.ledger.is_some() {
            let entries = books.remove(id).unwrap_or_default();
            let done = Sums::of_entries(&entries);
            keys(id, &entries, &mut checked);
            adds_up(
                id,
                order,
                &done.with_by_hand(&said),
                "the provider",
                &mut checked,
            );
            agree(id, &said, &done, &mut checked);
        }
    }
    for (id, entries) in books {
        let done: Vec<_> = entries.iter().map(|entry| &*entry.key).collect();
        checked.find(
            id,
            format!(
                "the provider did {}, and there is no such order",
                done.join(", ")
            ),
        );
    }
    if !not_captured.is_empty() {
        let listed = not_captured.join(", ");
        checked.notes.push(format!(
            "delivered or undone without a capture (payment.capture-failed): {listed}"
        ));
    }
    checked
}

/// Of each operation how often it was carried out, and for how much in all.
#[derive(Default)]
struct Sums {
    done: BTreeMap<&'static str, (usize, i64)>,
    by_hand: BTreeMap<&'static str, (usize, i64)>,
}

impl Sums {
    fn of_facts(payment: &[&Fact]) -> Self {
        let mut sums = Self::default();
        for body in payment.iter().filter_map(|fact| fact.says()) {
            let (operation, amount) = match body {
                Body::Authorized(of) => (Operation::Authorize, of.amount),
                Body::Captured(of) => (Operation::Capture, of.amount),
                Body::Voided { amount, .. } if !body.is_tombstone() => (Operation::Void, *amount),
                Body::Refunded { amount, .. } => (Operation::Refund, *amount),
                _ => continue,
            };
            let kind = match body.by_hand() {
                true => &mut sums.by_hand,
                false => &mut sums.done,
            };
            add(kind, operation, amount);
        }
        sums
    }

    fn of_entries(entries: &[&Entry]) -> Self {
        let mut sums = Self::default();
        for entry in entries {
            add(&mut sums.done, entry.operation, entry.amount);
        }
        sums
    }

    /// With what an operator did beside the provider's books, as the log has it.
    fn with_by_hand(&self, said: &Self) -> Self {
        Self {
            done: self.done.clone(),
            by_hand: said.by_hand.clone(),
        }
    }

    fn get(&self, operation: Operation) -> (usize, i64) {
        let name = operation.name();
        let done = self.done.get(name).copied().unwrap_or_default();
        let by_hand = self.by_hand.get(name).copied().unwrap_or_default();
        (done.0 + by_hand.0, done.1 + by_hand.1)
    }
}

fn add(sums: &mut BTreeMap<&'static str, (usize, i64)>, operation: Operation, amount: i64) {
    let (many, sum) = sums.entry(operation.name()).or_default();
    *many += 1;
    *sum += amount;
}

/// Each operation once; and at the end nothing is held, and what was taken is for what came.
fn adds_up(id: &str, order: &Order<'_>, sums: &Sums, who: &str, checked: &mut Checked) {
    for operation in Operation::ALL {
        let (many, _) = sums.get(operation);
        if many > 1 {
            checked.find(id, format!("{who} has {many} times {}", operation.name()));
        }
    }
    let [
        (authorized, _),
        (captured, taken),
        (voided, _),
        (refunded, given),
    ] = Operation::ALL.map(|operation| sums.get(operation));
    let total = order.total().unwrap_or_default();
    if given > taken {
        checked.find(id, format!("{who} gave back {given} of {taken}"));
    }
    if captured > authorized {
        checked.find(id, format!("{who} took what was never held"));
    }
    let Some(end) = order.end() else {
        return;
    };
    let (completed, refused) = (
        order.has("order.completed"),
        order.has("payment.capture-failed"),
    );
    let owed = if completed && !refused { total } else { 0 };
    if taken - given != owed {
        let what = format!("{who} took {taken} and gave back {given}; owed is {owed} after {end}");
        checked.find(id, what);
    }
    let held = authorized > 0 && captured == 0 && voided == 0;
    if !completed && (held || captured > refunded) {
        checked.find(id, format!("{who} has a charge that outlives {end}"));
    }
}

/// Every amount of a payment is that of its order.
fn amounts_are_the_total(order: &Order<'_>, payment: &[&Fact], checked: &mut Checked) {
    let total = order.total();
    for fact in payment {
        let amount = match fact.says() {
            Some(
                Body::PaymentRequested(of)
                | Body::Authorized(of)
                | Body::CaptureRequested(of)
                | Body::Captured(of)
                | Body::CaptureFailed(of)
                | Body::VoidRequested(of)
                | Body::RefundRequested(of),
            ) => of.amount,
            Some(body @ Body::Voided { amount, .. }) if !body.is_tombstone() => *amount,
            Some(Body::Refunded { amount, .. }) => *amount,
            _ => continue,
        };
        if Some(amount) != total {
            checked.find(
                fact.id(),
                format!("it is about {amount}, and the order about {total:?}"),
            );
        }
    }
}

/// One key an operation, made of the order and its name.
fn keys(id: &str, entries: &[&Entry], checked: &mut Checked) {
    for entry in entries {
        let expected = format!("{id}:{}", entry.operation.name());
        if entry.key != expected {
            checked.find(
                id,
                format!("the provider carried out {} under {}", expected, entry.key),
            );
        }
    }
}

/// What the provider did and what the log says of it.
fn agree(id: &str, said: &Sums, done: &Sums, checked: &mut Checked) {
    for operation in Operation::ALL {
        let name = operation.name();
        let of = |sums: &Sums| sums.done.get(name).copied().unwrap_or_default();
        let ((said, of_amount), (did, amount)) = (of(said), of(done));
        if said > did {
            checked.find(
                id,
                format!("the log has a {name} that the provider knows nothing of"),
            );
        } else if did > said {
            checked.find(
                id,
                format!("the provider did {name}, and the log does not know"),
            );
        } else if of_amount != amount {
            let what = format!("the provider did {name} for {amount}, the log says {of_amount}");
            checked.find(id, what);
        }
    }
}
