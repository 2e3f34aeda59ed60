//! An embedded store, written down. Bytes and cells as they are: what they mean is for the oracle.

use std::collections::BTreeSet;

use domain::Service;
use domain::view::{self, Value as Of};
use infra::event_store::StoredFact;
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
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
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
        let store = adapters.store(home);
        let mut rows = store.parked(&group, None, PARKED).await.unwrap();
        rows.extend(store.ended_parked(&group, None, PARKED).await.unwrap());
        for row in rows {
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
                open: row.ended.is_none(),
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

/// The rows of the tables that are read, with what every cell is stamped with.
async fn tables(adapters: &Adapters, world: &mut World) {
    let (views, store) = (adapters.kept_views(), adapters.views());
    for view in views.all {
        let schema = view.schema();
        let table = views.live(*view).await.unwrap().table(schema);
        let (mut rows, mut after) = (vec![], None);
        loop {
            let (page, next) = store.scan(schema, &table, after.as_ref()).await.unwrap();
            for key in page.into_iter().map(|row| row.key) {
                let cells = store.stamped(schema, &table, &key).await.unwrap();
                let cells = cells.into_iter().map(|cell| {
                    let (value, stamp) = (json_of(&cell.value), Some(cell.stamp));
                    (
                        schema.columns[cell.column].name.to_owned(),
                        Cell { value, stamp },
                    )
                });
                rows.push(Row {
                    key: key.iter().map(json_of).collect(),
                    cells: cells.collect(),
                });
            }
            after = next;
            if after.is_none() {
                break;
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

fn json_of(value: &Of) -> Value {
    match value {
        Of::Uuid(id) => json!(id.to_string()),
        Of::Text(text) => json!(text),
        Of::Int(number) => json!(number),
        Of::Time(time) => json!(time.as_micros()),
        Of::Items(items) => json!(items),
    }
}
