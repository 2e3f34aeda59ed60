//! A fact that nobody can read, in the log before the process is first started, and one behind it.
//!
//! It is about a SKU that no order has, so that nothing waits for it but that one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::inventory::stock::{Command, Stock};
use domain::values::Quantity;
use domain::{Category, Service, StreamId};
use infra::event_store::{Append, Database, EmbeddedEventStore, EventStore, NewFact, StoredFact};
use infra::handler::Handler;
use infra::{Origin, clock, ids};
use serde_json::{Value, json};
use waybill::tools::{DlqRequest, Request, Select};

use super::super::load::Answered;
use super::super::process::is_let_go;
use super::ask;
use crate::support::eventually_within;

/// The groups that take facts of the inventory: two services and three views.
const GROUPS: usize = 5;
/// Between two looks a redriver pauses for many times as long as the look took, which on a busy
/// machine is long.
const CURED_WITHIN: Duration = Duration::from_secs(60);
const BROKEN: &str = r#"{"type":"stock.received"}"#;

pub struct Poison {
    /// As it should have been.
    whole: StoredFact,
}

impl Poison {
    /// Two receipts of one unit, of which the first is broken.
    pub async fn plant(data_dir: &Path) -> Self {
        let elsewhere = tempfile::tempdir().unwrap();
        let facts = receipts(&elsewhere.path().join("data")).await;
        let stream = facts[0].id.stream.clone();
        let mut planted = facts.iter().map(|fact| NewFact {
            stream: stream.clone(),
            sequence: fact.id.sequence,
            name: "stock.received",
            version: "1",
            payload: fact.payload.clone(),
            metadata: fact.metadata.clone(),
        });
        let broken = NewFact {
            payload: BROKEN.into(),
            ..planted.next().unwrap()
        };
        let request = Append {
            expect: vec![(stream.clone(), 0)],
            facts: [broken].into_iter().chain(planted).collect(),
            ..Append::default()
        };
        open(data_dir).append(request).await.unwrap();
        is_let_go(data_dir).await;
        Self {
            whole: facts.into_iter().next().unwrap(),
        }
    }

    /// Says what the fact was to be, and waits until all have taken it and what waits behind it.
    pub async fn cure(&self, data_dir: &Path) {
        let broken = || Select {
            ids: vec![self.whole.id.to_string()],
            ..Select::default()
        };
        // Those that ended too, and not those of what waits behind it.
        let in_all = async || letters(data_dir, broken(), true).await;
        eventually_within(CURED_WITHIN, in_all, |letters| *letters >= Some(GROUPS)).await;
        let replacement = String::from_utf8(self.whole.payload.to_vec()).unwrap();
        let redrive = Request::Dlq(DlqRequest::Redrive {
            select: broken(),
            replacement: Some(replacement),
            reason: None,
            dry_run: false,
        });
        // Each time anew: a group may have parked it in the meantime.
        let left = async || {
            ask(data_dir, &redrive).await;
            letters(data_dir, Select::default(), false).await
        };
        eventually_within(CURED_WITHIN, left, |letters| *letters == Some(0)).await;
    }

    /// Makes the fact what it was to be.
    pub fn heal(&self, fact: &mut StoredFact) {
        if fact.id == self.whole.id {
            assert_eq!(fact.payload, BROKEN);
            fact.payload = self.whole.payload.clone();
        }
    }

    /// How the goods came in, as far as an audit is concerned.
    pub fn receipt(&self) -> Answered {
        Answered {
            path: "/api/stock/poison/receipts".to_owned(),
            key: String::new(),
            body: json!({ "quantity": 2 }),
            status: 200,
            reply: b"{}".to_vec(),
        }
    }
}

/// How many dead letters there are, or were; none where nobody can say.
async fn letters(data_dir: &Path, select: Select, ended: bool) -> Option<usize> {
    let list = Request::Dlq(DlqRequest::List { select, ended });
    let listed = ask(data_dir, &list).await?;
    listed["letters"].as_array().map(Vec::len)
}

/// Two facts as the inventory writes them.
async fn receipts(data_dir: &Path) -> Vec<StoredFact> {
    let store = open(data_dir);
    let stream = StreamId {
        category: Category::Stock,
        id: "poison".to_owned(),
    };
    let stock: Handler<Stock> = Handler::new(store.clone()).from_last_fact();
    let quantity: Quantity = serde_json::from_value(Value::from(1)).unwrap();
    for _ in 0..2 {
        let origin = Origin::of_person(ids::unique(), "poison".to_owned(), clock::now());
        let receive = [Command::Receive { quantity }];
        stock
            .handle(&stream, &receive, &origin, None)
            .await
            .unwrap();
    }
    store.read_stream(&stream, 0, 2).await.unwrap()
}

fn open(data_dir: &Path) -> Arc<dyn EventStore> {
    let database = Database::open(data_dir).unwrap();
    Arc::new(EmbeddedEventStore::new(database, Service::Inventory))
}
