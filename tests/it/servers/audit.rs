//! What must be true of the servers afterwards, whatever happened before.
//!
//! The views are read straight from Cassandra and the topics straight from Kafka, not through the
//! adapters that wrote them.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::view::{self, Kind, Schema, Value as Cell};
use domain::{Fact, Recorded, Service, order};
use infra::event_store::StoredFact;
use infra::{codec, envelope};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::value::{CqlValue, Row};
use waybill::adapters::Adapters;

use super::load::Sent;
use super::topic;
use crate::crash::audit::{self, Orders};
use crate::support::Place;

pub async fn audit(place: &Place, adapters: &Adapters, sent: &[Sent]) {
    let logs = audit::logs(adapters).await;
    let facts = audit::decode(&logs);
    audit::streams_have_no_holes(&facts);
    let orders = Orders::of(&facts);
    let completed = orders.expect_consistent_ends();
    audit::stock_adds_up(&facts, &orders);
    commands_are_there_once(&orders, sent);
    views_equal_log(place, &facts).await;
    nothing_is_parked(place).await;
    for service in Service::ALL {
        topic_equals_log(place, service, &logs[service as usize]).await;
    }
    let unknown = sent.iter().filter(|sent| sent.order.is_none()).count();
    println!(
        "{} facts, {} orders, {completed} completed, {unknown} without an answer",
        facts.len(),
        orders.0.len()
    );
}

/// What was answered is there once; what was not, at most once.
pub fn commands_are_there_once(orders: &Orders<'_>, sent: &[Sent]) {
    let mut by_customer: HashMap<&str, Vec<&str>> = HashMap::new();
    for (id, order) in &orders.0 {
        let created = order.facts.iter().find_map(|fact| match &fact.fact {
            Fact::Order(order::Event::Created { .. }) => fact.order.as_ref(),
            _ => None,
        });
        let about = created.unwrap_or_else(|| panic!("{id} was not placed"));
        let customer = about.customer_id.as_str();
        by_customer.entry(customer).or_default().push(id);
    }
    for sent in sent {
        let placed = by_customer.remove(&*sent.customer).unwrap_or_default();
        match &sent.order {
            Some(id) => assert_eq!(placed, [id], "{sent:?}"),
            None => assert!(placed.len() <= 1, "{sent:?}: {placed:?}"),
        }
        if let (true, Some(id)) = (sent.cancelled, &sent.order) {
            let order = &orders.0[id];
            let asked = order.has("order.cancellation-requested");
            assert!(asked || order.has("order.cancelled"), "{id}");
        }
    }
    assert!(by_customer.is_empty(), "nobody sent {by_customer:?}");
}

/// Row by row and cell by cell, with no row that no fact writes.
pub async fn views_equal_log(place: &Place, facts: &[Recorded]) {
    let (session, keyspace) = views_of(place).await;
    for view in view::ALL {
        let Schema {
            name, key, columns, ..
        } = view.schema();
        let key = key.iter().copied();
        let columns = columns.iter().map(|column| (column.name, column.kind));
        let columns: Vec<_> = key.chain(columns).collect();
        let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
        let select = format!("SELECT {} FROM {keyspace}.{name}", names.join(", "));
        let mut rows: BTreeMap<String, Vec<Option<Cell>>> = BTreeMap::new();
        for row in select_all(&session, select).await {
            let cells = columns.iter().zip(row.columns);
            let cells = cells.map(|((_, kind), stored)| stored.map(|stored| cell(*kind, stored)));
            let mut cells: Vec<_> = cells.collect();
            let others = cells.split_off(view.schema().key.len());
            let key: Vec<_> = cells.into_iter().map(Option::unwrap).collect();
            rows.insert(format!("{key:?}"), others);
        }
        let folded = audit::folded(view, facts);
        for (id, (_, fold)) in folded.into_values().flatten() {
            let stored = rows.remove(&id);
            assert_eq!(stored, Some(fold.cells(view.schema())), "{id} in {name}");
        }
        assert!(rows.is_empty(), "of no fact in {name}: {:?}", rows.keys());
    }
}

async fn nothing_is_parked(place: &Place) {
    let (session, keyspace) = views_of(place).await;
    let parked = format!("SELECT fact FROM {keyspace}.parked");
    let parked = select_all(&session, parked).await;
    assert!(parked.is_empty(), "{parked:?}");
}

async fn views_of(place: &Place) -> (Session, String) {
    let servers = place.servers();
    let nodes = servers.cassandra.nodes.split(',');
    let session = SessionBuilder::new().known_nodes(nodes).build().await;
    let keyspace = servers.views().unwrap().keyspace().to_owned();
    (session.unwrap(), keyspace)
}

async fn select_all(session: &Session, select: String) -> Vec<Row> {
    let selected = session.query_unpaged(select, ()).await.unwrap();
    let selected = selected.into_rows_result().unwrap();
    let rows = selected.rows::<Row>().unwrap();
    rows.map(Result::unwrap).collect()
}

fn cell(kind: Kind, stored: CqlValue) -> Cell {
    match (kind, stored) {
        (Kind::Uuid, CqlValue::Uuid(id)) => Cell::Uuid(id),
        (Kind::Text, CqlValue::Text(text)) => Cell::Text(text),
        (Kind::Int, CqlValue::BigInt(n)) => Cell::Int(n),
        (Kind::Time, CqlValue::BigInt(micros)) => {
            Cell::Time(domain::values::Timestamp::from_micros(micros))
        }
        (Kind::Items, CqlValue::Text(json)) => Cell::Items(serde_json::from_str(&json).unwrap()),
        (kind, stored) => panic!("{stored:?} is no {kind:?}"),
    }
}

/// Exactly the facts of the log, in its order but for repeats; and no dead letters.
async fn topic_equals_log(place: &Place, service: Service, log: &[StoredFact]) {
    let servers = place.servers();
    let names = servers.kafka_place();
    let topics = [names.topic(service), names.dead_letters(service)];
    let brokers = servers.kafka.brokers;
    let read = move || topics.map(|topic| topic::read(&brokers, &topic));
    let [facts, dead] = tokio::task::spawn_blocking(read).await.unwrap();
    assert!(dead.values().all(Vec::is_empty), "{service}: {dead:?}");

    let mut seen = HashSet::new();
    let mut published = vec![];
    for (partition, records) in &facts {
        let mut last = 0;
        for record in records {
            let fact = envelope::fact_of(record).unwrap();
            if !seen.insert(fact.id.clone()) {
                continue;
            }
            assert!(last < fact.position, "{} in partition {partition}", fact.id);
            last = fact.position;
            published.push(fact);
        }
    }
    published.sort_by_key(|fact| fact.position);
    assert_eq!(published.len(), log.len(), "{service}");
    for (published, logged) in published.iter().zip(log) {
        assert_eq!(published, logged);
        codec::decode(published).unwrap();
    }
}
