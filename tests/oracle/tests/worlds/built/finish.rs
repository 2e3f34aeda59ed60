//! What follows from the logs of a world.

use std::collections::BTreeMap;

use oracle::evidence::{Offset, Record, Table};
use oracle::fact::{Fact, Service, Stored, Stream};
use oracle::journal::Read;
use oracle::{Case, World, views};

use super::{BEGAN, Builder};

/// Whose topics each service reads.
const READ_BY: [(&str, &[Service]); 4] = [
    ("order", &[Service::Inventory, Service::Delivery]),
    (
        "inventory",
        &[Service::Order, Service::Payment, Service::Delivery],
    ),
    ("payment", &[Service::Inventory, Service::Delivery]),
    ("delivery", &[Service::Order, Service::Payment]),
];

impl Builder {
    /// With all that follows from the logs: topics, offsets, views, and who saw them.
    pub fn finish(self) -> World {
        let mut world = self.world;
        let mut records: Vec<Record> = vec![];
        for fact in &world.facts {
            let service = fact.stored.service;
            let offset = records.iter().filter(|one| one.service == service).count();
            records.push(record_of(fact, i64::try_from(offset).unwrap()));
        }
        let views = views::ALL.iter().map(|view| format!("{}-g1", view.name));
        let views = views.map(|group| (group, Service::ALL.to_vec()));
        let services = READ_BY.map(|(group, topics)| (group.to_owned(), topics.to_vec()));
        for (group, topics) in services.into_iter().chain(views) {
            for service in topics {
                let many = records.iter().filter(|one| one.service == service).count();
                world.offsets.push(Offset {
                    group: group.clone(),
                    service,
                    partition: Some(0),
                    next: i64::try_from(many).unwrap(),
                });
            }
        }
        world.topics = Some(records);
        world.dead_letters = Some(vec![]);
        world.due = Some(vec![]);
        world.tables = tables(&world);
        world.journal.reads = reads(&world);
        world
    }
}

fn record_of(fact: &Fact, offset: i64) -> Record {
    let Stored {
        service,
        position,
        of,
        sequence,
        name,
        version,
        payload,
        ..
    } = &fact.stored;
    let mut headers = BTreeMap::from([
        ("ce_specversion".to_owned(), "1.0".to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
        ("ce_id".to_owned(), fact.id()),
        ("ce_type".to_owned(), name.clone()),
        (
            "ce_source".to_owned(),
            format!("urn:waybill:{}", service.name()),
        ),
        ("ce_subject".to_owned(), of.clone()),
        (
            "ce_dataschema".to_owned(),
            format!("urn:waybill:{name}:{version}"),
        ),
        ("ce_sequence".to_owned(), sequence.to_string()),
        ("ce_position".to_owned(), position.to_string()),
    ]);
    for (key, value) in &fact.metadata {
        headers.insert(format!("ce_{}", key.to_lowercase()), value.clone());
    }
    Record {
        service: *service,
        partition: 0,
        offset,
        key: Some(of.clone()),
        value: Some(payload.clone()),
        headers,
    }
}

/// Every view three times: the live table and two that were built anew.
fn tables(world: &World) -> Vec<Table> {
    let case = Case::of(world);
    let tables = views::ALL.iter().flat_map(|view| {
        let rows: Vec<_> = views::expected(view, &case).into_values().collect();
        [1, 2, 3].map(|generation| Table {
            view: view.name.to_owned(),
            name: match generation {
                1 => view.name.to_owned(),
                _ => format!("{}_g{generation}", view.name),
            },
            live: generation == 1,
            rows: rows.clone(),
        })
    });
    tables.collect()
}

/// Each order is looked at early and at the end.
fn reads(world: &World) -> Vec<Read> {
    let case = Case::of(world);
    let mut reads = vec![];
    for (at, (id, order)) in (0i64..).zip(&case.orders) {
        for (moment, share) in [(0, 0), (1, 1)] {
            let asked_at = BEGAN + 1_000_000_000 * (moment + 1) + at;
            let version = |stream| {
                let many = i64::try_from(order.stream(stream).len()).unwrap();
                (stream.name().to_owned(), many * share)
            };
            reads.push(Read {
                client: "a reader".to_owned(),
                asked_at,
                answered_at: asked_at + 10,
                order: (*id).to_owned(),
                versions: Stream::OF_ORDERS.into_iter().map(version).collect(),
            });
        }
    }
    reads
}
