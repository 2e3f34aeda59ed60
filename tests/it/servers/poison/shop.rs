//! A shop on servers whose records are broken on their way, and what its operator does about it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::time::{Duration, Instant};

use domain::{Fact, Recorded, Service, Task, order};
use futures::future::join_all;
use infra::bus::Record;
use infra::{clock, codec};
use oracle::World;
use oracle::evidence::{Poison, WAITING};
use oracle::fact::{Fact as Seen, Stored};
use oracle::journal::What;
use oracle::sources::Servers;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor};
use tokio::task::{JoinHandle, spawn, spawn_blocking};
use waybill::adapters::Adapters;

use super::super::fleet::Fleet;
use super::super::load::{Crowd, Habits, Sent};
use super::super::topic;
use super::between::Between;
use super::kinds::{Kind, MARK, text};
use crate::dlq::stray;
use crate::oracle::{audit, look, settings};
use crate::support::provider::StubProvider;
use crate::support::{Addresses, Moment, Place, eventually, eventually_within, torture};

const APART: Duration = Duration::from_millis(30);
/// How long the orders that were not touched may take; they take a second or two.
const OTHERS_END_WITHIN: Duration = Duration::from_secs(40);
const HEALED_WITHIN: Duration = Duration::from_secs(60);
/// Numbers of the calm that are neither cancelled nor given up, and of which there is enough: what is
/// delivered to these is miswritten.
const MISWRITTEN: [usize; 6] = [10, 12, 13, 16, 20, 22];
const UNREADABLE: &str = r#"{"type":"delivery.delivered"}"#;
/// Nobody is killed here: no lease is lost where the machine stands still for a moment, and what is
/// parked is what is wanted.
const CALMLY: [&str; 3] = ["lease_ms=5000", "kafka_session_ms=6000", "log=off"];
const REDRIVE: [&str; 6] = [
    "dlq",
    "redrive",
    "--all-parked",
    "--json",
    "--why",
    "the proxy is mended",
];
const GIVE_UP: [&str; 6] = [
    "dlq",
    "discard",
    "--json",
    "--yes",
    "--why",
    "nobody ordered",
];
/// What a letter says of its reason, in characters.
const REASON: usize = 1000;

pub struct Shop {
    pub fleet: Fleet,
    crowd: Crowd,
    adapters: Adapters,
    provider: StubProvider,
    servers: Servers,
}

/// Facts that nobody can read in their log, and the payloads that they should have.
pub type Healed = BTreeMap<String, String>;

impl Shop {
    pub async fn open(at: &Addresses, between: &Between, provider: StubProvider) -> Self {
        let settings = settings(&provider);
        let settings = settings.iter().map(String::as_str).chain(CALMLY);
        let settings: Vec<_> = settings.collect();
        let through = Addresses {
            kafka: between.brokers(),
            ..at.clone()
        };
        let fleet = Fleet::start(Place::migrated_at(&through, &settings).await).await;
        let crowd = Crowd::new(&fleet.directory(), Habits::Difficult);
        crowd.receive(10, torture::scaled(100, 1000)).await;
        let adapters = Adapters::open(&fleet.place.config()).unwrap();
        let servers = look::servers(at, &fleet.place);
        Self {
            fleet,
            crowd,
            adapters,
            provider,
            servers,
        }
    }

    pub fn come(&self, numbers: Range<usize>) -> JoinHandle<Vec<Sent>> {
        let crowd = self.crowd.clone();
        spawn(async move { crowd.orders(numbers, APART).await })
    }

    /// The facts that were miswritten, with the payloads that they should have.
    pub async fn unreadable(&self) -> Healed {
        let delivery = self.adapters.store(Service::Delivery);
        let log = delivery.read_log(0, usize::MAX).await.unwrap();
        let mut left = HashMap::new();
        let mut healed = Healed::new();
        for fact in log {
            let of = fact.id.stream.id.clone();
            if fact.name == "delivery.dispatched" {
                left.insert(of, String::from_utf8(fact.payload.to_vec()).unwrap());
            } else if fact.payload == UNREADABLE {
                let good = left[&of].replace("delivery.dispatched", "delivery.delivered");
                healed.insert(fact.id.to_string(), good);
            }
        }
        assert!(!healed.is_empty());
        healed
    }

    /// From now on what is delivered to some customers is written without what it has to say.
    pub async fn write_unreadably(&self) {
        let customers = MISWRITTEN.map(|n| format!("'customer-{n}'")).join(", ");
        let statement = format!(
            "CREATE FUNCTION miswrite() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN NEW.payload := '{UNREADABLE}'; RETURN NEW; END $$; \
             CREATE TRIGGER miswrites BEFORE INSERT ON events FOR EACH ROW \
             WHEN (NEW.event_type = 'delivery.delivered' \
             AND NEW.metadata ->> 'customerId' IN ({customers})) EXECUTE FUNCTION miswrite()"
        );
        let options: PgConnectOptions = self.servers.postgres.parse().unwrap();
        let database = format!("{}delivery_db", self.servers.prefix);
        let mut connection = options.database(&database).connect().await.unwrap();
        connection.execute(&*statement).await.unwrap();
    }

    async fn orders(&self) -> BTreeMap<String, Placed> {
        let store = self.adapters.store(Service::Order);
        let log = store.read_log(0, usize::MAX).await.unwrap();
        let mut orders: BTreeMap<String, Placed> = BTreeMap::new();
        for fact in log.iter().map(|fact| codec::decode(fact).unwrap()) {
            let id = fact.id.stream.id.clone();
            match &fact.fact {
                Fact::Order(order::Event::Created { customer_id, .. }) => {
                    let customer = customer_id.as_str().to_owned();
                    orders.insert(id, Placed::new(customer, &fact));
                }
                Fact::Order(order::Event::Completed {} | order::Event::Cancelled { .. }) => {
                    orders.get_mut(&id).unwrap().ended = Some(fact.time.as_micros());
                }
                _ => {}
            }
        }
        orders
    }

    /// What is held up by a dead letter, in a service.
    async fn held(&self) -> BTreeSet<String> {
        let mut held = BTreeSet::new();
        for service in Service::ALL {
            let store = self.adapters.store(service);
            let rows = store.parked(service.name(), None, usize::MAX).await;
            held.extend(rows.unwrap().into_iter().map(|row| row.key));
        }
        held
    }

    /// How many tasks are open, but for the deadlines of orders, which are far away.
    async fn due(&self) -> u64 {
        let mut due = 0;
        for service in Service::ALL {
            let counts = self.adapters.store(service).count_tasks(clock::now()).await;
            let others = counts.unwrap().into_iter();
            due += others
                .filter(|count| count.task != Task::Deadline)
                .map(|count| count.open)
                .sum::<u64>();
        }
        due
    }

    /// Waits until all `placed` orders were asked for, and those have ended that are not held up;
    /// which are.
    pub async fn others_end(&self, placed: usize) -> BTreeSet<String> {
        let look = async || {
            let journal = self.crowd.book.read();
            let asked = journal
                .commands
                .iter()
                .filter(|one| one.path == "/api/orders");
            let asked: BTreeSet<_> = asked.map(|one| one.key.clone()).collect();
            let (mut open, held) = (self.orders().await, self.held().await);
            open.retain(|id, order| order.ended.is_none() && !held.contains(id));
            (asked.len() == placed, open, held)
        };
        let ended = |(asked, open, _): &(bool, BTreeMap<_, _>, _)| *asked && open.is_empty();
        let (.., held) = eventually_within(OTHERS_END_WITHIN, look, ended).await;
        held
    }

    /// How long orders took that are not `held`: half of them, 95 of a hundred, and all.
    pub async fn took(&self, numbers: Range<usize>, held: &BTreeSet<String>) -> [Duration; 3] {
        let customers: BTreeSet<_> = numbers.map(|n| format!("customer-{n}")).collect();
        let orders = self.orders().await.into_iter();
        let orders =
            orders.filter(|(id, order)| customers.contains(&order.customer) && !held.contains(id));
        let mut took: Vec<_> = orders
            .filter_map(|(_, order)| u64::try_from(order.ended? - order.at).ok())
            .map(Duration::from_micros)
            .collect();
        took.sort_unstable();
        let last = took.len() - 1;
        [last / 2, last * 95 / 100, last].map(|at| took[at])
    }

    pub async fn look(&self, healed: &Healed) -> World {
        let mut world = look::on(&self.servers, &self.crowd.book, Some(&self.provider)).await;
        for fact in &mut world.facts {
            if let Some(payload) = healed.get(&fact.id()) {
                *fact = Seen::read(Stored {
                    payload: payload.clone(),
                    ..fact.stored.clone()
                });
            }
        }
        world
    }

    /// That each broken record is set aside by everybody who reads it, with its reason, and what is
    /// behind it waits; how many there are.
    pub async fn expect_set_aside(&self, healed: &Healed) -> usize {
        // Those that are held up somewhere go on elsewhere, until only redrives are left to come.
        let rest = async || {
            let earlier = Moment::of(&self.adapters).await;
            let due = self.due().await;
            (earlier, due, Moment::of(&self.adapters).await)
        };
        let over = |(earlier, due, later): &(Moment, u64, Moment)| {
            *due == 0 && later.at_rest_since(earlier)
        };
        eventually(rest, over).await;
        let mut world = self.look(healed).await;
        let broken = declare(&mut world, healed);
        let report = audit(&world);
        for check in ["I3", "I8", "I9"] {
            let checked = report.check(check).unwrap();
            assert_eq!(checked.findings, [], "{report}");
        }
        let waiting = world.parked.iter().filter(|row| row.class == WAITING);
        println!("{broken} broken, {} wait behind them", waiting.count());
        let came = self.expect_reasons().await;
        let missing = Kind::ALL.into_iter().filter(|kind| !came.contains(kind));
        assert_eq!(missing.collect::<Vec<_>>(), []);
        broken
    }

    /// That the letters of each kind say what is wrong; the kinds of which there are.
    async fn expect_reasons(&self) -> BTreeSet<Kind> {
        let mut came = BTreeSet::new();
        for service in Service::ALL {
            let names = self.fleet.place.servers().kafka_place();
            let (topic, brokers) = (names.dead_letters(service), self.servers.kafka.clone());
            let read = spawn_blocking(move || topic::read(&brokers, &topic));
            let letters = read.await.unwrap().into_values().flatten();
            for letter in letters.filter(|letter| mark_of(letter).is_some()) {
                let kind = Kind::named(mark_of(&letter).unwrap().split(' ').next().unwrap());
                let (class, reason) = (text(&letter, "dlq-class"), text(&letter, "dlq-reason"));
                let (expected, says) = kind.says();
                assert_eq!(class, expected, "{kind:?}: {reason}");
                assert!(reason.chars().count() <= REASON, "{kind:?}");
                assert!(reason.contains(says), "{kind:?}: {reason}");
                came.insert(kind);
            }
        }
        came
    }

    /// What breaks an invariant is set aside by whom it concerns, as the oracle sees it too, and can
    /// only be given up; says of which order it is.
    pub async fn stray(&self) -> String {
        let store = self.adapters.store(Service::Delivery).as_ref();
        let order = stray::append(store).await;
        let place = &self.fleet.place;
        let list = ["dlq", "list", "--json", "--order", &order];
        let letters = async || {
            let (_, mut listed) = place.run(&list).await;
            serde_json::from_value::<Vec<Value>>(listed["letters"].take()).unwrap()
        };
        let all = |letters: &Vec<Value>| letters.len() == stray::MINDED_BY.len();
        for letter in eventually(letters, all).await {
            stray::expect_letter(&letter, &order);
        }
        let (code, _) = place
            .run(&[&GIVE_UP[..], &["--order", &order]].concat())
            .await;
        assert_eq!(code, 0);
        assert_eq!(letters().await, Vec::<Value>::new());
        order
    }

    /// Has everything taken up again that is parked; what is unreadable in its log with the payload
    /// that it should have.
    pub async fn redrive(&self, healed: &Healed) {
        let (begun, place) = (Instant::now(), &self.fleet.place);
        // What waits for an operator may take as long as that does.
        let mended = "what was broken is taken up again";
        self.crowd.book.mark(What::Fault, mended);
        let (_, listed) = place
            .run(&["dlq", "list", "--json", "--class", "undecodable"])
            .await;
        let letters = listed["letters"].as_array().unwrap().iter();
        let facts: BTreeSet<_> = letters
            .filter_map(|letter| letter["what"].as_str())
            .collect();
        let replace = healed
            .iter()
            .filter(|(fact, _)| facts.contains(fact.as_str()))
            .map(|(fact, payload)| replace(place, fact, payload));
        join_all(replace).await;
        let healed = async || {
            place.run(&REDRIVE).await;
            place.status().await
        };
        let done = |status: &Value| status["healthy"] == true;
        eventually_within(HEALED_WITHIN, healed, done).await;
        println!("healed after {:.1?}", begun.elapsed());
    }
}

/// Has a fact taken up again, with the payload that it should have.
async fn replace(place: &Place, fact: &str, payload: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, payload).unwrap();
    let file = file.path().to_str().unwrap();
    let redrive = ["dlq", "redrive", fact, "--replace", file, "--json"];
    let (code, became) = place.run(&redrive).await;
    assert_eq!(code, 0, "{became:#}");
}

/// An order, and when it was placed and ended, in microseconds.
#[derive(Debug)]
pub struct Placed {
    customer: String,
    at: i64,
    ended: Option<i64>,
}

impl Placed {
    fn new(customer: String, created: &Recorded) -> Self {
        Self {
            customer,
            at: created.time.as_micros(),
            ended: None,
        }
    }
}

fn mark_of(record: &Record) -> Option<String> {
    let marked = record.headers.iter().any(|(key, _)| key == MARK);
    marked.then(|| text(record, MARK))
}

/// Says of each broken record that it is; how many there are.
pub fn declare(world: &mut World, healed: &Healed) -> usize {
    let mut poison = vec![];
    for record in world.topics.iter().flatten() {
        let marked = record.headers.get(MARK);
        let fact = marked.and_then(|mark| mark.split(' ').nth(1));
        let fact = fact.or(record.fact_id().filter(|id| healed.contains_key(*id)));
        let Some(fact) = fact else { continue };
        let (stream, _) = fact.rsplit_once('-').unwrap();
        poison.push(Poison {
            service: record.service,
            partition: record.partition,
            offset: record.offset,
            key: stream.split_once('-').unwrap().1.to_owned(),
            groups: None,
            instead_of: Some(fact.to_owned()),
        });
    }
    world.poison = poison;
    world.poison.len()
}

/// Says of a stray fact that it is in the way of some.
pub fn declare_stray(world: &mut World, order: &str) {
    let mut records = world.topics.iter().flatten();
    let record = records.find(|record| record.key.as_deref() == Some(order));
    let record = record.unwrap();
    world.poison.push(Poison {
        service: record.service,
        partition: record.partition,
        offset: record.offset,
        key: order.to_owned(),
        groups: Some(stray::MINDED_BY.map(ToOwned::to_owned).to_vec()),
        instead_of: record.fact_id().map(ToOwned::to_owned),
    });
}
