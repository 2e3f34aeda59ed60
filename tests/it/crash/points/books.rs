//! What the provider has carried out, held against the log.

use std::collections::BTreeMap;

use domain::Recorded;
use infra::payment_provider::Operation;

use super::super::audit::{Order, Orders};
use crate::support::provider::Entry;

/// No order was charged twice, or for nothing, or got back what was not taken; says how many
/// orders there are.
pub fn agree(ledger: &[Entry], facts: &[Recorded]) -> usize {
    let orders = Orders::of(facts);
    let mut moved: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
    for entry in ledger {
        let of_order = moved.entry(entry.order.to_string()).or_default();
        of_order.push(entry.operation);
    }
    let none = vec![];
    for (id, order) in &orders.0 {
        let moved = moved.get(id).unwrap_or(&none);
        let expected = expected(order);
        assert_eq!(moved, &expected, "{id}");
    }
    let of_nobody = moved.keys().find(|id| !orders.0.contains_key(*id));
    assert_eq!(of_nobody, None, "charged without an order");
    orders.0.len()
}

/// What has been carried out for an order that has ended, in this order.
fn expected(order: &Order<'_>) -> Vec<Operation> {
    let steps = [
        ("payment.authorized", Operation::Authorize),
        ("payment.captured", Operation::Capture),
        ("payment.refunded", Operation::Refund),
    ];
    let taken = steps.into_iter().filter(|(fact, _)| order.has(fact));
    let mut expected: Vec<_> = taken.map(|(_, operation)| operation).collect();
    // The other `payment.voided` is a tombstone.
    if order.has("payment.authorized") && order.has("payment.voided") {
        expected.push(Operation::Void);
    }
    expected
}
