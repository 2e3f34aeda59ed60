//! Roles that abort at points of their loops, on real servers, while customers order.
//!
//! Each service is a process of its own here, so that each can die by itself. One after the other it
//! is started with a point armed, has to die there, and is started again. In the end everything has
//! to be as if none had ever died.

mod aborts;
mod poisoned;

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use waybill::adapters::Adapters;

use super::audit;
use super::fleet::Directory;
use super::load::{self, Sent};
use crate::crash::audit::{decode, logs};
use crate::crash::points::books;
use crate::support::provider::StubProvider;
use crate::support::{Client, Moment, Place, Role, settled, torture};
use aborts::{Run, aborts};

/// Quick, with calls under way at any moment, and leases that are soon somebody else's.
const PACE: [&str; 5] = [
    "courier_assign_ms=50",
    "courier_dispatch_ms=200",
    "courier_deliver_ms=100",
    "payment_timeout_ms=500",
    "lease_ms=1000",
];
/// Orders come one every so often, so many at a time, from so many sides.
const APART: Duration = Duration::from_millis(100);
const TOGETHER: usize = 10;
const SIDES: usize = 2;
/// A side's numbers begin so many behind those of the one before.
const NUMBERS: usize = 1_000_000;
/// The longest until everything has ended, as for a fleet.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// A point, and how often it is reached at least.
type Point = (&'static str, u64);

/// Any service comes to these. Each is for the service whose turn it is.
const EVERYWHERE: [Point; 12] = [
    ("relay.after-read", 4),
    ("relay.before-produce", 8),
    ("relay.after-produce", 8),
    ("relay.after-ack", 8),
    ("relay.after-checkpoint", 4),
    ("consumer.before-effect", 8),
    ("consumer.after-effect", 8),
    ("consumer.before-offset", 4),
    ("consumer.after-offset", 4),
    ("postgres-writer.before-send", 8),
    ("postgres-writer.after-commit", 8),
    ("lease.after-acquire", 1),
];
/// Each of these has a service of its own.
const ORDER: [Point; 4] = [
    ("idempotency.before-command", 4),
    ("idempotency.after-command", 4),
    ("append.before-queue", 4),
    ("append.before-answer", 4),
];
const INVENTORY: [Point; 2] = [
    ("inventory.before-append", 4),
    ("inventory.after-append", 4),
];
const PAYMENT: [Point; 3] = [
    ("payment.before-call", 4),
    ("payment.after-call", 4),
    ("payment.before-append", 4),
];
const DELIVERY: [Point; 3] = [
    ("reaction.after-schedule", 4),
    ("courier.before-append", 4),
    ("due.before-put-back", 4),
];
const PROJECTORS: [Point; 5] = [
    ("projector.after-poll", 6),
    ("projector.before-write", 6),
    ("cassandra-views.after-row", 6),
    ("projector.after-write", 6),
    ("projector.after-commit", 6),
];

/// All that a role aborts at on servers.
pub fn aborted_at() -> impl Iterator<Item = &'static str> {
    let own = ORDER
        .iter()
        .chain(&INVENTORY)
        .chain(&PAYMENT)
        .chain(&DELIVERY);
    let all = EVERYWHERE.iter().chain(own).chain(&PROJECTORS);
    all.map(|(name, _)| *name)
        .chain(poisoned::ABORTED_AT.as_flattened().iter().copied())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_that_abort_at_any_point_see_every_order_to_its_end() {
    let begun = Instant::now();
    let provider = StubProvider::playing(crate::crash::points::shop::PLAY).await;
    let settings = provider.settings();
    let settings: Vec<_> = PACE
        .into_iter()
        .chain(settings.iter().map(String::as_str))
        .collect();
    let Some(place) = Place::migrated(&settings).await else {
        return;
    };
    println!("migrated after {:.1?}", begun.elapsed());
    let queries = place.start("query-api").await;
    let directories = [(); 4].map(|()| Directory::of([nobody(&queries), nobody(&queries)]));
    let (done, is_done) = watch::channel(false);
    let goods = directories[1].clone();
    let received = tokio::spawn(async move { load::receive(&goods, 40, 100_000).await });
    let mut customers = JoinSet::new();
    for side in 0..SIDES {
        customers.spawn(order_until(
            directories[0].clone(),
            side * NUMBERS,
            is_done.clone(),
        ));
    }

    let chains = chains();
    let count: usize = chains.iter().map(|(_, runs)| runs.len()).sum();
    let ways = directories.iter().map(Some).chain([None]);
    let dying = chains.iter().zip(ways).map(|((args, runs), directory)| {
        let queries = &queries;
        let goes_to = move |role: &Role| {
            if let Some(directory) = directory {
                directory.moves_to(&Client::new(role.url(), queries.url()));
            }
        };
        aborts(&place, args, runs, goes_to)
    });
    let roles = join_all(dying).await;
    println!("{count} aborts after {:.1?}", begun.elapsed());
    done.send_replace(true);
    received.await.unwrap();
    // Each waits until it has seen its order.
    let served = timeout(ENDS_WITHIN, customers.join_all()).await;
    let sent: Vec<Sent> = served.expect("every order is seen").concat();

    let adapters = Adapters::open(&place.config()).unwrap();
    settled(ENDS_WITHIN, || Moment::of(&adapters)).await;
    audit::audit(&place, &adapters, &sent).await;
    let orders = books::agree(&provider.ledger(), &decode(&logs(&adapters).await));
    join_all(roles.into_iter().chain([queries]).map(Role::terminate)).await;
    torture::report(
        "roles on servers abort at every point",
        &format!("{count} aborts, {orders} orders, {:.1?}", begun.elapsed()),
    );
}

/// What each role is started with, and where it is to abort.
fn chains() -> [(Vec<&'static str>, Vec<Run>); 5] {
    let mut random = torture::random();
    let service = |name| vec!["command-api", "--service", name];
    let mut chains = [
        (service("order"), vec![]),
        (service("inventory"), vec![]),
        (service("payment"), vec![]),
        (service("delivery"), vec![]),
        (vec!["projectors"], vec![]),
    ];
    let own: [&[Point]; 5] = [&ORDER, &INVENTORY, &PAYMENT, &DELIVERY, &PROJECTORS];
    for time in 0..torture::times() {
        let mut of_each = own.map(<[Point]>::to_vec);
        for (turn, point) in EVERYWHERE.into_iter().enumerate() {
            of_each[(turn + time) % 4].push(point);
        }
        for ((_, runs), points) in chains.iter_mut().zip(of_each) {
            let drawn = points.into_iter().map(|(name, often)| Run {
                point: name,
                n: torture::draw(&mut random, often),
            });
            runs.extend(drawn);
        }
    }
    chains
}

/// Where nothing answers until somebody is there.
fn nobody(queries: &Role) -> Client {
    Client::new("http://127.0.0.1:1".to_owned(), queries.url())
}

/// Orders come in until `done`.
async fn order_until(directory: Directory, first: usize, done: watch::Receiver<bool>) -> Vec<Sent> {
    let (mut sent, mut n) = (vec![], first);
    while !*done.borrow() {
        let some = n..n + TOGETHER;
        n = some.end;
        sent.extend(load::orders(directory.clone(), some, APART).await);
    }
    sent
}
