//! What must be true of the data afterwards, whatever happened before.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use domain::inventory::{reservation, stock};
use domain::view::{self, Fold, Value as Cell};
use domain::{Category, Fact, Recorded, Service, View, payment};
use infra::codec;
use infra::config::Config;
use infra::event_store::StoredFact;
use infra::view_store::{MAX_ROWS, Slice};
use serde_json::Value;
use waybill::adapters::Adapters;

use super::load::Answered;

/// Looks at the logs and the views, with no process running.
pub async fn audit(data_dir: &Path, answered: &[Answered]) {
    audit_healed(data_dir, answered, |_| ()).await;
}

/// The same, of facts that are read after `heal` has made them what they were to be; returns them.
pub async fn audit_healed(
    data_dir: &Path,
    answered: &[Answered],
    heal: impl FnMut(&mut StoredFact),
) -> Vec<Recorded> {
    let config = Config {
        data_dir: data_dir.to_owned(),
        ..Config::default()
    };
    let adapters = Adapters::open(&config).unwrap();
    let mut logs = logs(&adapters).await;
    logs.iter_mut().flatten().for_each(heal);
    let facts = decode(&logs);
    streams_have_no_holes(&facts);
    let orders = Orders::of(&facts);
    acknowledged_commands_are_there_once(&facts, &orders, answered);
    let completed = orders.expect_consistent_ends();
    let on_hand = stock_adds_up(&facts, &orders);
    views_equal_log(&adapters, &facts).await;
    println!(
        "{} facts, {} orders, {completed} completed, {on_hand} units left",
        facts.len(),
        orders.0.len()
    );
    drop(orders);
    facts
}

/// The four logs, in the order of [`Service::ALL`].
pub async fn logs(adapters: &Adapters) -> [Vec<StoredFact>; 4] {
    let mut logs = [const { vec![] }; 4];
    for service in Service::ALL {
        let log = &mut logs[service as usize];
        let mut after = 0;
        loop {
            let store = adapters.store(service);
            let page = store.read_log(after, 10_000).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.position;
            log.extend(page);
        }
    }
    logs
}

pub fn decode(logs: &[Vec<StoredFact>; 4]) -> Vec<Recorded> {
    let facts = logs.iter().flatten();
    facts.map(|fact| codec::decode(fact).unwrap()).collect()
}

pub fn streams_have_no_holes(facts: &[Recorded]) {
    let mut versions = HashMap::new();
    for fact in facts {
        let version = versions.entry(fact.id.stream.clone()).or_insert(0);
        *version += 1;
        assert_eq!(fact.id.sequence, *version, "{}", fact.id);
    }
}

/// The facts of each order, stream by stream.
pub struct Orders<'a>(pub BTreeMap<String, Order<'a>>);

#[derive(Default)]
pub struct Order<'a> {
    pub facts: Vec<&'a Recorded>,
}

impl<'a> Orders<'a> {
    pub fn of(facts: &'a [Recorded]) -> Self {
        let mut orders: BTreeMap<String, Order<'a>> = BTreeMap::new();
        for fact in facts
            .iter()
            .filter(|fact| fact.id.stream.category != Category::Stock)
        {
            let id = fact.id.stream.id.clone();
            orders.entry(id).or_default().facts.push(fact);
        }
        Self(orders)
    }

    /// How many were completed.
    pub fn expect_consistent_ends(&self) -> usize {
        for (id, order) in &self.0 {
            order.expect_consistent_end(id);
        }
        let orders = self.0.values();
        orders.filter(|order| order.has("order.completed")).count()
    }
}

impl Order<'_> {
    fn count(&self, name: &str) -> usize {
        self.facts
            .iter()
            .filter(|fact| fact.fact.name() == name)
            .count()
    }

    pub fn has(&self, name: &str) -> bool {
        self.count(name) > 0
    }

    /// Ended once, charged at most once, and keeps nothing that it should not.
    fn expect_consistent_end(&self, id: &str) {
        let names: Vec<_> = self.facts.iter().map(|fact| fact.fact.name()).collect();
        for name in &names {
            assert!(
                self.count(name) == 1 || *name == "delivery.eta-updated",
                "{id}: {names:?}"
            );
        }
        let cancelled = self.has("order.cancelled");
        assert!(cancelled != self.has("order.completed"), "{id}: {names:?}");
        if cancelled {
            let held = self.has("inventory.reserved");
            let back = self.facts.iter().any(|fact| match &fact.fact {
                Fact::Reservation(reservation::Event::Released { lines, .. }) => !lines.is_empty(),
                Fact::Reservation(reservation::Event::Returned { .. }) => true,
                _ => false,
            });
            assert_eq!(held, back, "{id} keeps stock: {names:?}");
            let charged = self.has("payment.authorized");
            let undone = self.facts.iter().any(|fact| match &fact.fact {
                Fact::Payment(event @ payment::Event::Voided { .. }) => !event.is_tombstone(),
                Fact::Payment(payment::Event::Refunded { .. }) => true,
                _ => false,
            });
            assert_eq!(charged, undone, "{id} keeps money: {names:?}");
            assert_eq!(
                self.has("payment.captured"),
                self.has("payment.refunded"),
                "{id}"
            );
            assert!(!self.has("delivery.delivered"), "{id}: {names:?}");
        } else {
            assert!(
                self.has("delivery.delivered") && self.has("inventory.shipped"),
                "{id}"
            );
            let captured = self.has("payment.captured");
            assert!(
                captured != self.has("payment.capture-failed"),
                "{id}: {names:?}"
            );
        }
    }
}

fn acknowledged_commands_are_there_once(
    facts: &[Recorded],
    orders: &Orders<'_>,
    answered: &[Answered],
) {
    let (mut placed, mut received) = (0, 0);
    for one in answered {
        let reply: Value = serde_json::from_slice(&one.reply).unwrap();
        if one.path == "/api/orders" {
            placed += 1;
            let order = &orders.0[reply["orderId"].as_str().unwrap()];
            assert_eq!(order.count("order.created"), 1);
        } else if one.path.ends_with("/receipts") {
            assert_eq!(one.status, 200, "{reply}");
            received += one.body["quantity"].as_u64().unwrap();
        } else if one.status == 202 {
            let order = &orders.0[reply["orderId"].as_str().unwrap()];
            let asked = order.has("order.cancellation-requested");
            assert!(asked || order.has("order.cancelled"), "{reply}");
        } else {
            assert_eq!(one.status, 409, "{reply}");
        }
    }
    assert_eq!(
        placed,
        orders.0.len(),
        "orders that nobody placed, or placed twice"
    );
    let receipts = facts.iter().filter_map(|fact| match &fact.fact {
        Fact::Stock(stock::Event::Received { quantity, .. }) => Some(quantity.get()),
        _ => None,
    });
    assert_eq!(
        receipts.sum::<u64>(),
        received,
        "goods that nobody received, or received twice"
    );
}

/// Of every SKU the counters are a fold, in their range at every moment, and nothing is held in
/// the end.
pub fn stock_adds_up(facts: &[Recorded], orders: &Orders<'_>) -> u64 {
    let mut counters: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut shipped = 0;
    for fact in facts {
        let Fact::Stock(event) = &fact.fact else {
            continue;
        };
        let (on_hand, held) = counters.entry(&fact.id.stream.id).or_default();
        match event {
            stock::Event::Received { quantity, .. } => {
                assert_eq!(fact.order, None, "{} is about no order", fact.id);
                *on_hand += quantity.get();
            }
            stock::Event::Held(change) => *held += change.quantity.get(),
            stock::Event::Freed(change) => *held -= change.quantity.get(),
            stock::Event::Shipped(change) => {
                *on_hand -= change.quantity.get();
                *held -= change.quantity.get();
                shipped += change.quantity.get();
            }
            stock::Event::Returned(change) => {
                *on_hand += change.quantity.get();
                shipped -= change.quantity.get();
            }
        }
        assert!(held <= on_hand, "{}", fact.id);
        let after = event.after();
        assert_eq!(
            (after.on_hand, after.held),
            (*on_hand, *held),
            "{}",
            fact.id
        );
    }
    assert!(
        counters.values().all(|(_, held)| *held == 0),
        "{counters:?}"
    );
    // Every order of the load is for one unit.
    let completed = orders
        .0
        .values()
        .filter(|order| order.has("order.completed"))
        .count();
    assert_eq!(shipped, u64::try_from(completed).unwrap());
    counters.values().map(|(on_hand, _)| on_hand).sum()
}

/// The rows of a partition, by their keys in words.
pub type Rows = BTreeMap<String, (Vec<Cell>, Fold)>;

/// What a view is to hold, by partition.
pub fn folded(view: &dyn View, facts: &[Recorded]) -> BTreeMap<String, Rows> {
    let mut folded: BTreeMap<String, Rows> = BTreeMap::new();
    for patch in facts.iter().filter_map(|fact| view.project(fact)) {
        let partition = folded.entry(format!("{:?}", patch.key[0])).or_default();
        let row = partition.entry(format!("{:?}", patch.key));
        let (_, fold) = row.or_insert_with(|| (patch.key.clone(), Fold::default()));
        fold.add(patch);
    }
    folded
}

/// Every row that facts write is there as they write it, and a partition has no others.
async fn views_equal_log(adapters: &Adapters, facts: &[Recorded]) {
    for view in view::ALL {
        let schema = view.schema();
        let live = adapters.kept_views().live(view).await.unwrap();
        let table = live.table(schema);
        for (partition, rows) in folded(view, facts) {
            let (key, _) = rows.values().next().unwrap();
            let slice = Slice {
                partition: &key[0],
                after: None,
                backwards: false,
                limit: MAX_ROWS,
            };
            let stored = adapters.views().list(schema, &table, slice).await.unwrap();
            // Of a customer with more orders than that, those are looked at that are read.
            let all = rows.len().min(MAX_ROWS);
            assert_eq!(stored.len(), all, "{} of {partition}", schema.name);
            for (key, fold) in rows.into_values() {
                let stored = adapters.views().get(schema, &table, &key).await.unwrap();
                assert_eq!(stored, Some(fold.cells(schema)), "{} {key:?}", schema.name);
            }
        }
    }
}
