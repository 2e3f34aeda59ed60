//! One fact of a hundred is broken in the log, in every way there is, while customers order.
//!
//! Here the log is the bus: there are no keys and headers beside it that could be broken on their way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use domain::Service;
use futures::future::join_all;
use infra::clock;
use oracle::World;
use oracle::evidence::Poison;
use oracle::fact::{Fact, Stored};
use serde_json::{Value, json};
use waybill::tools::{DlqRequest, Request, Select};

use super::broken::{Way, deliver_in};
use super::stray;
use super::tools::GROUPS;
use crate::oracle::{Book, expect_clean, look};
use crate::support::{Fast, Pipeline, Reply, eventually, order_of, torture};

/// Orders of a round: eight have some hundred facts, of which one is broken.
const ORDERS: usize = 8 * Way::ALL.len();
/// Rounds of a long run.
const ROUNDS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_facts_that_are_broken_in_the_log_each_is_set_aside_and_others_do_not_notice() {
    let begun = Instant::now();
    let shop = Shop::open().await;
    let mut broken: BTreeMap<String, Broken> = BTreeMap::new();
    let (mut others, mut longest) = (0, Duration::ZERO);
    for round in 0..torture::scaled(1, ROUNDS) {
        let numbers = round * ORDERS..(round + 1) * ORDERS;
        let ended = join_all(numbers.map(|n| shop.customer(n))).await;
        let mut now = BTreeMap::new();
        for end in ended {
            match end {
                End::Delivered(took) => {
                    others += 1;
                    longest = longest.max(took);
                }
                End::Broken(id, fact) => drop(now.insert(id, fact)),
            }
        }
        assert_eq!(now.len(), Way::ALL.len());
        shop.expect_set_aside(&now).await;
        shop.heal(&now).await;
        broken.extend(now);
    }
    let stray = shop.stray().await;
    shop.pipeline.caught_up().await;
    let world = shop.world(&broken).await;
    let world = stray::expect_named(world, &stray);
    expect_clean(&world, &["I3", "I11", "I12"]);
    shop.pipeline.finish().await;
    torture::report(
        "poison in one process",
        &format!(
            "{} facts broken in {} ways, {others} other orders, the longest {longest:.1?}, {:.1?}",
            broken.len(),
            Way::ALL.len(),
            begun.elapsed()
        ),
    );
}

struct Shop {
    pipeline: Pipeline,
    book: Book,
}

/// A fact that is broken in its log.
struct Broken {
    way: Way,
    order: String,
    good: String,
}

enum End {
    /// After so long.
    Delivered(Duration),
    /// The fact of that id says so, and cannot be read.
    Broken(String, Broken),
}

impl Shop {
    async fn open() -> Self {
        let fast = Fast {
            by_hand: true,
            ..Fast::default()
        };
        let shop = Self {
            pipeline: Pipeline::start(fast).await,
            book: Book::default(),
        };
        let all = torture::scaled(1, ROUNDS) * ORDERS;
        shop.post(
            "/api/stock/sku-1/receipts",
            "stock",
            json!({"quantity": all}),
        )
        .await;
        shop
    }

    async fn post(&self, path: &str, key: &str, body: Value) -> Reply {
        let asked_at = clock::now();
        let headers = [("idempotency-key", key)];
        let reply = self
            .pipeline
            .post_with(path, body.to_string(), &headers)
            .await;
        self.book.asked(asked_at, path, key, &body, Some(&reply));
        assert!(reply.status.is_success(), "{path}: {}", reply.body);
        reply
    }

    async fn customer(&self, n: usize) -> End {
        let begun = Instant::now();
        let key = format!("order-{n}");
        let placed = self
            .post("/api/orders", &key, order_of("sku-1", 1, 1901))
            .await;
        let order = placed.body["orderId"].as_str().unwrap().to_owned();
        self.pipeline.delivery_requested(&order).await;
        let assignment =
            json!({"driverName": "Ada", "estimatedDeliveryTime": "2026-01-01T10:00:00Z"});
        self.step(&order, "assign", assignment).await;
        self.step(&order, "dispatch", json!({})).await;
        let way = Way::ALL.get(n % ORDERS / 8).filter(|_| n.is_multiple_of(8));
        let Some(way) = way.copied() else {
            self.step(&order, "deliver", json!({})).await;
            self.pipeline.order_in(&order, "COMPLETED").await;
            return End::Delivered(begun.elapsed());
        };
        // By somebody who was told to and never says what came of it.
        let path = format!("/api/deliveries/{order}/deliver");
        let key = format!("{order}-deliver");
        self.book.asked(clock::now(), &path, &key, &json!({}), None);
        let store = self.pipeline.store(Service::Delivery).as_ref();
        let (id, good) = deliver_in(way, store, &order).await.unwrap();
        End::Broken(id, Broken { way, order, good })
    }

    async fn step(&self, order: &str, step: &str, body: Value) {
        let path = format!("/api/deliveries/{order}/{step}");
        self.post(&path, &format!("{order}-{step}"), body).await;
    }

    async fn ask(&self, request: DlqRequest) -> Value {
        self.pipeline.ask(Request::Dlq(request)).await.unwrap()
    }

    async fn letters(&self) -> Vec<Value> {
        let select = Select::default();
        let list = DlqRequest::List {
            select,
            ended: false,
        };
        let mut listed = self.ask(list).await;
        serde_json::from_value(listed["letters"].take()).unwrap()
    }

    /// That each is set aside once by everybody who reads it, and says why; and nothing else is.
    async fn expect_set_aside(&self, broken: &BTreeMap<String, Broken>) {
        let expected = broken.len() * GROUPS.len();
        let letters = eventually(|| self.letters(), |letters| letters.len() >= expected).await;
        let mut seen = BTreeSet::new();
        for letter in &letters {
            let [what, group] = ["what", "group"].map(|key| letter[key].as_str().unwrap());
            let Broken { way, order, .. } = &broken[what];
            let (class, says) = way.says();
            assert_eq!(letter["class"], class, "{way:?}: {letter}");
            let reason = letter["reason"].as_str().unwrap();
            assert!(reason.contains(says), "{way:?}: {reason}");
            assert_eq!(letter["key"], **order);
            assert!(GROUPS.contains(&group));
            seen.insert((what, group));
        }
        assert_eq!((letters.len(), seen.len()), (expected, expected));
    }

    /// Gives each the payload that it should have, which brings its order to its end.
    async fn heal(&self, broken: &BTreeMap<String, Broken>) {
        for (id, fact) in broken {
            self.ask(DlqRequest::Redrive {
                select: Select {
                    ids: vec![id.clone()],
                    ..Select::default()
                },
                replacement: Some(fact.good.clone()),
                reason: None,
                dry_run: false,
            })
            .await;
        }
        for Broken { order, .. } in broken.values() {
            self.pipeline.order_in(order, "COMPLETED").await;
        }
        eventually(|| self.letters(), Vec::is_empty).await;
    }

    /// What breaks an invariant is set aside by whom it concerns, and can only be given up; says of
    /// which order it is.
    async fn stray(&self) -> String {
        let order = stray::append(self.pipeline.store(Service::Delivery).as_ref()).await;
        let all = |letters: &Vec<Value>| letters.len() == stray::MINDED_BY.len();
        for letter in eventually(|| self.letters(), all).await {
            stray::expect_letter(&letter, &order);
        }
        self.ask(DlqRequest::Discard {
            select: Select {
                order: Some(order.parse().unwrap()),
                ..Select::default()
            },
            reason: "nobody ordered".to_owned().try_into().unwrap(),
            dry_run: false,
        })
        .await;
        assert_eq!(self.letters().await, Vec::<Value>::new());
        order
    }

    /// What is there, with what the broken facts were to say.
    async fn world(&self, broken: &BTreeMap<String, Broken>) -> World {
        let mut world = look::in_stores(self.pipeline.adapters(), &self.book, None).await;
        let facts = world.facts.iter_mut();
        for (fact, of) in facts.filter_map(|fact| Some((broken.get(&fact.id())?, fact))) {
            *of = Fact::read(Stored {
                name: "delivery.delivered".to_owned(),
                version: "1".to_owned(),
                payload: fact.good.clone(),
                ..of.stored.clone()
            });
            world.poison.push(Poison {
                service: of.stored.service,
                partition: 0,
                offset: of.stored.position,
                key: fact.order.clone(),
                groups: None,
                instead_of: None,
            });
        }
        world
    }
}
