//! I8: what a consumer says it is done with, it has done.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Value, json};

use crate::evidence::{Due, Offset, Record, Row};
use crate::fact::{Body, Fact, Service, Stream};
use crate::{Case, Checked, promises, views};

/// No committed offset lies beyond its durable effect: for each fact before it the group's own log,
/// or its view, has what follows; or the group has set the fact aside.
pub fn offsets(case: &Case<'_>) -> Checked {
    let mut checked = Checked::new("I8", "no committed offset lies beyond its durable effect");
    let done = Done::of(case);
    if done.due.is_none() && !case.world.offsets.is_empty() {
        let note = "without the open tasks nobody knows which deadlines were set";
        checked.notes.push(note.to_owned());
    }
    let mut log: HashMap<Service, Vec<&Fact>> = HashMap::new();
    for fact in &case.world.facts {
        log.entry(fact.stored.service).or_default().push(fact);
    }
    for offset in &case.world.offsets {
        let Some(reader) = Reader::named(&offset.group) else {
            checked.find(&offset.group, "nobody knows this group");
            continue;
        };
        checked.looked_at("offsets", 1);
        match offset.partition {
            None => {
                let facts = log.get(&offset.service).map_or(&[][..], Vec::as_slice);
                for fact in facts
                    .iter()
                    .filter(|fact| fact.stored.position < offset.next)
                {
                    let parked = done.is_parked(&offset.group, &fact.id(), None);
                    look(&done, &reader, offset, fact, parked, &mut checked);
                }
            }
            Some(partition) => {
                let records = done.records.get(&(offset.service, partition));
                let records = records.map_or(&[][..], Vec::as_slice);
                for record in records.iter().filter(|record| record.offset < offset.next) {
                    of_record(case, &done, &reader, offset, record, &mut checked);
                }
            }
        }
    }
    checked
}

fn of_record(
    case: &Case<'_>,
    done: &Done<'_>,
    reader: &Reader,
    offset: &Offset,
    record: &Record,
    checked: &mut Checked,
) {
    let id = record.fact_id().unwrap_or_default();
    let parked = done.is_parked(&offset.group, id, Some(record));
    match case.by_id.get(id) {
        // A record that says something else than its log is not what its id says.
        Some(fact) if record.value.as_ref() == Some(&fact.stored.payload) => {
            look(done, reader, offset, fact, parked, checked);
        }
        _ if parked => checked.looked_at("dead letters", 1),
        _ => {
            let place = format!(
                "{}[{}]@{}",
                offset.service.name(),
                record.partition,
                record.offset
            );
            checked.find(
                place,
                format!("{} has passed it, and cannot have taken it", offset.group),
            );
        }
    }
}

fn look(
    done: &Done<'_>,
    reader: &Reader,
    offset: &Offset,
    fact: &Fact,
    parked: bool,
    checked: &mut Checked,
) {
    if parked {
        return checked.looked_at("dead letters", 1);
    }
    let missing = match reader {
        Reader::Service(service) => done.missing_of_service(*service, fact),
        Reader::View(view, table) => done.missing_of_view(view, table, fact),
    };
    match missing {
        Missing::Nothing => checked.looked_at("effects", 1),
        Missing::NotForIt => checked.looked_at("facts without an effect", 1),
        Missing::This(what) => {
            let what = format!(
                "{} has passed {} and has no {what}",
                offset.group,
                fact.name()
            );
            checked.find(fact.id(), what);
        }
    }
}

/// Who is behind a group.
enum Reader {
    Service(Service),
    /// With the table that it feeds.
    View(&'static str, String),
}

impl Reader {
    fn named(group: &str) -> Option<Self> {
        let mut services = Service::ALL.into_iter();
        if let Some(service) = services.find(|service| service.name() == group) {
            return Some(Self::Service(service));
        }
        let (view, generation) = group.rsplit_once("-g")?;
        let number: u32 = generation.parse().ok()?;
        let view = views::named(view)?.name;
        let table = match number {
            1 => view.to_owned(),
            number => format!("{view}_g{number}"),
        };
        Some(Self::View(view, table))
    }
}

enum Missing {
    Nothing,
    NotForIt,
    This(String),
}

/// Everything that is done, to be looked up.
struct Done<'a> {
    case: &'a Case<'a>,
    records: BTreeMap<(Service, i32), Vec<&'a Record>>,
    parked: HashSet<(&'a str, &'a str)>,
    places: HashSet<(&'a str, Service, i32, i64)>,
    due: Option<HashSet<&'a Due>>,
    /// Of each table that was read, by key.
    tables: HashMap<&'a str, HashMap<String, &'a Row>>,
}

impl<'a> Done<'a> {
    fn of(case: &'a Case<'a>) -> Self {
        let world = case.world;
        let mut records: BTreeMap<_, Vec<&Record>> = BTreeMap::new();
        for record in world.topics.iter().flatten() {
            let place = (record.service, record.partition);
            records.entry(place).or_default().push(record);
        }
        let by_key = |row: &'a Row| (Value::Array(row.key.clone()).to_string(), row);
        let tables = world.tables.iter();
        let tables = tables.map(|table| (&*table.name, table.rows.iter().map(by_key).collect()));
        let parked = world.parked.iter();
        Self {
            case,
            records,
            parked: parked
                .clone()
                .filter_map(|row| Some((&*row.from.group, row.fact.as_deref()?)))
                .collect(),
            places: parked
                .map(|row| &row.from)
                .map(|from| (&*from.group, from.service, from.partition, from.offset))
                .collect(),
            due: world.due.as_ref().map(|due| due.iter().collect()),
            tables: tables.collect(),
        }
    }

    fn is_parked(&self, group: &str, fact: &str, record: Option<&Record>) -> bool {
        self.parked.contains(&(group, fact))
            || record.is_some_and(|record| {
                let place = (group, record.service, record.partition, record.offset);
                self.places.contains(&place)
            })
    }

    fn missing_of_service(&self, service: Service, fact: &Fact) -> Missing {
        let Some(order) = fact.order().and_then(|id| self.case.orders.get(id)) else {
            return Missing::NotForIt;
        };
        if service == Service::Delivery && fact.name() == "order.created" {
            return self.missing_deadline(fact);
        }
        let effects = promises::effects(service, fact);
        if effects.is_empty() {
            return Missing::NotForIt;
        }
        match order.has_any(effects) {
            true => Missing::Nothing,
            false => Missing::This(effects.join(" or ")),
        }
    }

    /// The only effect that is no fact: a timer, until the delivery stream has begun.
    fn missing_deadline(&self, created: &Fact) -> Missing {
        let order = &self.case.orders[&*created.stored.of];
        let for_ever = matches!(created.says(), Some(Body::Created { deadline_ms: 0, .. }));
        if for_ever {
            return Missing::NotForIt;
        }
        if !order.stream(Stream::Delivery).is_empty() {
            return Missing::Nothing;
        }
        let timer = Due {
            order: created.stored.of.clone(),
            task: "deadline".to_owned(),
        };
        match &self.due {
            None => Missing::NotForIt,
            Some(due) if due.contains(&timer) => Missing::Nothing,
            Some(_) => Missing::This("task deadline".to_owned()),
        }
    }

    fn missing_of_view(&self, view: &str, table: &str, fact: &Fact) -> Missing {
        let Some(rows) = self.tables.get(table) else {
            return Missing::NotForIt;
        };
        let of = &fact.stored.of;
        let key = match view {
            "order_view" => json!([of]),
            "orders_by_customer" => json!([fact.metadata.get("customerId"), of]),
            _ => json!([of, fact.time, fact.stream().name(), fact.sequence()]),
        };
        let column = match fact.stream() {
            Stream::Order => "order_version",
            Stream::Reservation => "reservation_version",
            Stream::Payment => "payment_version",
            Stream::Delivery => "delivery_version",
            Stream::Stock => return Missing::NotForIt,
        };
        let has = rows.get(&key.to_string()).is_some_and(|row| {
            let version = row.cells.get(column).and_then(|cell| cell.value.as_i64());
            view == "order_timeline" || version >= Some(fact.sequence())
        });
        match has {
            true => Missing::Nothing,
            false => Missing::This(format!("row of {table} that shows it")),
        }
    }
}
