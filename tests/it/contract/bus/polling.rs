//! Taking records: all of them, in order, and at once.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use domain::{Category, Recorded, Service, StreamId};
use infra::bus::Delivered;
use infra::{codec, ids};
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use uuid::Uuid;

use super::Buses;
use super::given::*;

pub async fn a_fact_comes_as_it_was_published(buses: impl Buses) {
    let mut published: Vec<Recorded> = vec![];
    for topic in Service::ALL {
        let mut of_topic = facts(topic, ids::order(), 1..=3);
        of_topic[1].traceparent =
            Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
        published.extend(of_topic);
    }
    let sku = StreamId {
        category: Category::Stock,
        id: "a.b-C_1".to_owned(),
    };
    published.push(Recorded {
        id: sku.fact(1),
        ..fact(Service::Inventory, ids::order(), 1)
    });
    buses.publish(&published).await;

    let mut subscription = buses.bus().subscribe("group", &Service::ALL).await.unwrap();
    let taken = take(&mut subscription, published.len()).await;
    assert_eq!(taken.len(), published.len());
    for fact in &published {
        let record = taken
            .iter()
            .find(|record| record.fact_id() == Some(fact.id.to_string()))
            .unwrap();
        assert_eq!(read(record), *fact);
        assert_eq!(record.key, fact.id.stream.id);
        assert_eq!(record.partition.topic, fact.fact.category().service());
        assert_eq!(
            record.fact.as_ref().unwrap().payload,
            codec::encode(fact, Uuid::nil()).payload
        );
        assert!(record.fact.as_ref().unwrap().position > 0);
    }
}

pub async fn facts_of_a_key_come_in_order(buses: impl Buses) {
    let topic = Service::Payment;
    let orders: Vec<_> = (0..20).map(|_| ids::order()).collect();
    let mut subscription = buses.bus().subscribe("group", &[topic]).await.unwrap();
    let mut taken: Vec<Delivered> = vec![];
    for round in 0..10 {
        let of_round = |order: &_| facts(topic, *order, 3 * round + 1..=3 * round + 3);
        let published: Vec<_> = orders.iter().flat_map(of_round).collect();
        buses.publish(&published).await;
        taken.extend(poll(&mut subscription, 7).await);
    }
    let missing = orders.len() * 30 - taken.len();
    taken.extend(take(&mut subscription, missing).await);

    let keys = by_key(&taken);
    assert_eq!(keys.len(), orders.len());
    for order in &orders {
        assert!(
            keys[&order.to_string()] == facts(topic, *order, 1..=30),
            "{order}"
        );
    }
    let mut partitions: Vec<_> = taken.iter().map(|record| record.partition).collect();
    partitions.sort();
    partitions.dedup();
    for partition in partitions {
        let of_it = taken.iter().filter(|record| record.partition == partition);
        let offsets: Vec<_> = of_it.map(|record| record.offset).collect();
        assert!(
            offsets.is_sorted_by(|a, b| a < b),
            "{partition:?}: {offsets:?}"
        );
    }
}

pub async fn a_poll_returns_no_more_than_it_was_asked_for(buses: impl Buses) {
    let topics = [Service::Order, Service::Payment, Service::Delivery];
    for topic in topics {
        buses.publish(&facts(topic, ids::order(), 1..=40)).await;
    }
    let mut subscription = buses.bus().subscribe("group", &topics).await.unwrap();
    let mut taken = 0;
    for max in (1..=5).cycle() {
        let records = poll(&mut subscription, max).await.len();
        assert!((1..=max).contains(&records), "{records} of at most {max}");
        taken += records;
        if taken == 120 {
            break;
        }
    }
}

pub async fn a_busy_topic_does_not_hold_up_a_quiet_one(buses: impl Buses) {
    let topics = [Service::Order, Service::Payment, Service::Delivery];
    for quiet in topics {
        let awaited = fact(quiet, ids::order(), 1);
        buses.publish(std::slice::from_ref(&awaited)).await;
        let bus = buses.bus();
        let mut subscription = bus.subscribe(quiet.name(), &topics).await.unwrap();
        let busy = ids::order();
        for n in 1.. {
            // More than is taken.
            for topic in topics.into_iter().filter(|topic| *topic != quiet) {
                buses.publish(&[fact(topic, busy, n)]).await;
            }
            if read_all(&poll(&mut subscription, 1).await).contains(&awaited) {
                break;
            }
            assert!(
                n < 300,
                "a fact of {quiet} waits for the other topics to be quiet"
            );
        }
    }
}

pub async fn a_poll_that_is_given_up_loses_nothing(buses: impl Buses) {
    const EACH: u64 = 100;
    let topics = [Service::Order, Service::Payment];
    let orders = [ids::order(), ids::order(), ids::order()];
    let mut subscription = buses.bus().subscribe("group", &topics).await.unwrap();
    // Beside the polls, so that these are given up while they wait for facts, too.
    let mut publishing = JoinSet::new();
    publishing.spawn(async move {
        for n in 1..=EACH {
            for (topic, order) in topics.iter().flat_map(|t| orders.map(|order| (*t, order))) {
                buses.publish(&[fact(topic, order, n)]).await;
            }
        }
        buses
    });
    let mut taken: Vec<Delivered> = vec![];
    let taking = async {
        for round in 1.. {
            if taken.len() as u64 >= EACH * 6 {
                break;
            }
            // Wherever it may wait, it is given up there, and sometimes never.
            let times = if round % 7 == 0 { u64::MAX } else { round % 7 };
            let polled = at_most(times, records(&mut subscription, 3)).await;
            taken.extend(polled.map(Result::unwrap).unwrap_or_default());
        }
    };
    let in_time = timeout(PATIENCE, taking).await;
    for topic in topics {
        let of_topic = taken.iter().filter(|r| r.partition.topic == topic);
        let keys = by_key(&of_topic.cloned().collect::<Vec<_>>());
        for order in orders {
            let of_order = keys.get(&order.to_string()).into_iter().flatten();
            let came: Vec<u64> = of_order.map(|fact| fact.id.sequence).collect();
            assert_eq!(came, Vec::from_iter(1..=EACH), "{topic} {order}");
        }
    }
    in_time.unwrap();
    publishing.join_all().await;
}

/// Gives a future up once it has been left waiting that often.
async fn at_most<T>(times: u64, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        left -= 1;
        match polled {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

pub async fn facts_that_are_published_while_somebody_waits_come_at_once(buses: impl Buses) {
    const ROUNDS: u64 = 12;
    let topics = [Service::Order, Service::Payment];
    let order = ids::order();
    let mut subscription = buses.bus().subscribe("group", &topics).await.unwrap();
    // Joining a group may take its time.
    buses
        .publish(&[
            fact(Service::Order, order, 1),
            fact(Service::Payment, order, 1),
        ])
        .await;
    take(&mut subscription, 2).await;
    let mut waited = Duration::ZERO;
    for n in 2..2 + ROUNDS {
        let topic = topics[n as usize % 2];
        let publishing = async {
            // The other is in its poll by then.
            for _ in 0..50 {
                yield_now().await;
            }
            let begun = Instant::now();
            buses.publish(&[fact(topic, order, n / 2 + 1)]).await;
            begun
        };
        let (begun, taken) = tokio::join!(publishing, take(&mut subscription, 1));
        waited += begun.elapsed();
        assert_eq!(taken.len(), 1);
    }
    // A bus that only looks from time to time takes a second or so each.
    assert!(waited < Duration::from_secs(4), "{waited:?} for {ROUNDS}");
}
