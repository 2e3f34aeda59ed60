//! An embedded store, written down. Bytes and cells as they are: what they mean is for the oracle.

use std::collections::{BTreeMap, BTreeSet};

use domain::Service;
use domain::view::{self, Value as Of};
use infra::event_store::StoredFact;
use infra::view_store::{self, MAX_ROWS, Slice};
use oracle::World;
use oracle::evidence::{Cell, Due, Offset, Origin, Parked, Row, StoredReply, Table};
use oracle::fact::{self, Fact, Stored, Stream};
use serde_json::{Value, json};
use waybill::adapters::Adapters;

const SERVICES: [(Service, fact::Service); 4] = [
    (Service::Order, fact::Service::Order),
    (Service::Inventory, fact::Service::Inventory),
    (Service::Payment, fact::Service::Payment),
    (Service::Delivery, fact::Service::Delivery),
];
/// How many facts are read at once.
const PAGE: usize = 1000;
const PARKED: usize = 1000;

/// Adds everything that is in the store.
pub async fn of(adapters: &Adapters, world: &mut World) {
    offsets(adapters, world).await;
    parked(adapters, world).await;
    for (service, named) in SERVICES {
        let mut after = 0;
        loop {
            let page = adapters.store(service).read_log(after, PAGE).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.position;
            world
                .facts
                .extend(page.iter().map(|fact| Fact::read(stored(named, fact))));
        }
    }
    replies(adapters, world).await;
    due(adapters, world).await;
    tables(adapters, world).await;
}

fn stored(service: fact::Service, fact: &StoredFact) -> Stored {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Stored {
        service,
        position: fact.position.try_into().unwrap(),
        stream: Stream::named(fact.id.stream.category.name()).unwrap(),
        of: fact.id.stream.id.clone(),
        sequence: fact.id.sequence.try_into().unwrap(),
        name: fact.name.clone(),
        version: fact.version.clone(),
        payload: text(&fact.payload),
        metadata: text(&fact.metadata),
        recorded_at: 0,
    }
}

/// The groups, each with the service whose store has its dead letters.
fn groups() -> Vec<(String, Service)> {
    let services = Service::ALL.map(|service| (service.name().to_owned(), service));
    let views = view::ALL
        .iter()
        .map(|view| (format!("{}-g1", view.schema().name), Service::Order));
    services.into_iter().chain(views).collect()
}

async fn offsets(adapters: &Adapters, world: &mut World) {
    for (group, _) in groups() {
        for (service, named) in SERVICES {
            let name = format!("group:{group}");
            let checkpoint = adapters.store(service).checkpoint(&name).await.unwrap();
            world.offsets.extend(checkpoint.map(|checkpoint| Offset {
                group: group.clone(),
                service: named,
                partition: None,
                next: i64::try_from(checkpoint.position).unwrap() + 1,
            }));
        }
    }
}

async fn parked(adapters: &Adapters, world: &mut World) {
    for (group, home) in groups() {
        let rows = adapters.store(home).parked(&group, None, PARKED).await;
        for row in rows.unwrap() {
            let mut services = SERVICES.into_iter();
            let from = services.find(|(service, _)| row.topic.contains(service.name()));
            world.parked.push(Parked {
                from: Origin {
                    group: row.group,
                    service: from.unwrap().1,
                    partition: row.partition,
                    offset: row.offset,
                },
                key: row.key,
                class: row.class,
                fact: row.fact,
                open: true,
            });
        }
    }
}

/// What is kept under the keys that customers sent.
async fn replies(adapters: &Adapters, world: &mut World) {
    let commands = world.journal.commands.iter();
    let keys: BTreeSet<_> = commands
        .filter_map(|command| Some((command.path.clone(), command.key.clone()?)))
        .collect();
    for (path, key) in keys {
        let service = match path.split('/').nth(2).unwrap() {
            "orders" => Service::Order,
            "stock" => Service::Inventory,
            _ => Service::Delivery,
        };
        let scope = format!("POST {path}");
        let store = adapters.store(service);
        let reply = store.stored_reply(&scope, &key).await.unwrap();
        world.replies.extend(reply.map(|reply| StoredReply {
            status: reply.status,
            body: String::from_utf8(reply.body.to_vec()).unwrap(),
            location: reply.location,
            token: reply.token,
            scope,
            key,
        }));
    }
}

async fn due(adapters: &Adapters, world: &mut World) {
    let orders = world
        .facts
        .iter()
        .filter(|fact| fact.name() == "order.created");
    let orders: Vec<String> = orders.map(|fact| fact.stored.of.clone()).collect();
    let all = world.due.get_or_insert_default();
    for id in orders {
        for service in [Service::Payment, Service::Delivery] {
            let store = adapters.store(service);
            let rows = store.due_of(id.parse().unwrap()).await.unwrap();
            all.extend(rows.into_iter().map(|row| Due {
                order: id.clone(),
                task: row.task.name().to_owned(),
            }));
        }
    }
}

/// The rows of every partition that a fact names: an embedded store lists no others.
async fn tables(adapters: &Adapters, world: &mut World) {
    for view in view::ALL {
        let schema = view.schema();
        // The first of its generations.
        let table = view_store::Table {
            name: schema.name.to_owned(),
        };
        let of = |fact: &Fact| match schema.key[0].0 {
            "customer_id" => fact.metadata.get("customerId").cloned().map(Of::Text),
            _ => Some(Of::Uuid(fact.order()?.parse().unwrap())),
        };
        let partitions = world.facts.iter().filter_map(of);
        let partitions: BTreeMap<_, _> = partitions
            .map(|of| (json_of(&of).to_string(), of))
            .collect();
        let mut rows = vec![];
        for partition in partitions.values() {
            let mut after: Option<Vec<Of>> = None;
            loop {
                let slice = Slice {
                    partition,
                    after: after.as_deref(),
                    backwards: false,
                    limit: MAX_ROWS,
                };
                let page = adapters.views().list(schema, &table, slice).await.unwrap();
                let full = page.len() == MAX_ROWS;
                after = page.last().map(|row| row.rest.clone());
                rows.extend(page.into_iter().map(|row| {
                    Row {
                        key: [partition]
                            .into_iter()
                            .chain(&row.rest)
                            .map(json_of)
                            .collect(),
                        cells: cells(schema, row.cells),
                    }
                }));
                if !full {
                    break;
                }
            }
        }
        world.tables.push(Table {
            view: schema.name.to_owned(),
            name: table.name,
            live: true,
            rows,
        });
    }
}

fn cells(schema: &view::Schema, cells: view::Cells) -> BTreeMap<String, Cell> {
    let cells = schema.columns.iter().zip(cells);
    let cells = cells.filter_map(|(column, value)| {
        let value = json_of(&value?);
        // This store does not tell its stamps.
        Some((column.name.to_owned(), Cell { value, stamp: None }))
    });
    cells.collect()
}

fn json_of(value: &Of) -> Value {
    match value {
        Of::Uuid(id) => json!(id.to_string()),
        Of::Text(text) => json!(text),
        Of::Int(number) => json!(number),
        Of::Time(time) => json!(time.as_micros()),
        Of::Items(items) => json!(items),
    }
}
