use oracle::ledger::{Entry, Operation, Outcome};

use crate::support::provider::StubProvider;

/// What the provider carried out, each under the key under which it was asked.
pub fn of(provider: &StubProvider) -> Vec<Entry> {
    let requests = provider.requests();
    let entries = provider.ledger().into_iter();
    let entries = entries.map(|entry| {
        let order = entry.order.to_string();
        let mut asked = requests.iter().filter(|request| {
            request.operation() == Some(entry.operation) && request.body["orderId"] == *order
        });
        let key = asked.find_map(|request| request.header("idempotency-key"));
        let name = entry.operation.task().name();
        let mut all = Operation::ALL.into_iter();
        Entry {
            key: key.unwrap_or("none").to_owned(),
            operation: all.find(|operation| operation.name() == name).unwrap(),
            order,
            amount: entry.amount.minor_units().try_into().unwrap(),
            outcome: Outcome::Approved,
            at: None,
        }
    });
    entries.collect()
}
