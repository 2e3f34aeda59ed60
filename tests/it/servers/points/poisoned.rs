//! The same where records are broken on their way: roles that abort while they park, publish dead
//! letters and take up again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use domain::Service;
use infra::bus::{KafkaPlace, KafkaPublisher, Publisher};
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use waybill::adapters::Adapters;

use super::aborts::{Armed, Run};
use super::{APART, ENDS_WITHIN};
use crate::crash::audit::{Orders, decode, logs, stock_adds_up, streams_have_no_holes};
use crate::servers::audit;
use crate::servers::fleet::Directory;
use crate::servers::killed::PACE;
use crate::servers::load::{self, Sent};
use crate::servers::poison::{GROUPS, rubbish};
use crate::servers::topic;
use crate::support::{Client, Moment, Place, Role, eventually, kafka_brokers, settled, torture};

/// Where the services abort, and the projectors beside them, round by round.
pub const ABORTED_AT: [[&str; 2]; 8] = [
    ["consumer.before-park", "projector.before-park"],
    ["consumer.after-park", "projector.after-park"],
    ["consumer.after-letter", "projector.after-letter"],
    ["letter.before-produce", "letter.before-produce"],
    ["letter.after-produce", "letter.after-produce"],
    ["redriver.before-take", "redriver.before-take"],
    ["redriver.after-take", "redriver.after-take"],
    ["redriver.after-end", "redriver.after-end"],
];
/// Orders that are neither cancelled nor given up, of a SKU of which there is enough.
const NUMBERS: [usize; 8] = [10, 11, 12, 13, 15, 16, 20, 22];
/// The next that are like them are so many further.
const NEXT: usize = 7 * 9 * 10;
const REDRIVE: [&str; 4] = ["dlq", "redrive", "--all-parked", "--json"];
/// A group that takes facts of the delivery service comes to a point of parking once a record, and
/// three services and as many views do.
const OFTEN: u64 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_that_abort_around_a_dead_letter_lose_none_and_heal_all() {
    let begun = Instant::now();
    let Some(place) = Place::migrated(&PACE).await else {
        return;
    };
    let mut random = torture::random();
    let queries = place.start("query-api").await;
    let [mut services, mut projectors] = start(&place).await;
    let client = Client::new(services.url(), queries.url());
    let directory = Directory::of([client.clone(), client.clone()]);
    load::receive(&directory, 100, 1000).await;

    let (mut sent, mut broken): (Vec<Sent>, Vec<String>) = (vec![], vec![]);
    let rounds = (0..torture::times()).flat_map(|_| ABORTED_AT);
    for (round, points) in rounds.enumerate() {
        let number = NUMBERS[round % NUMBERS.len()] + NEXT * (round / NUMBERS.len());
        let one = load::orders(directory.clone(), number..number + 1, APART);
        let one = timeout(ENDS_WITHIN, one).await.expect("the order is seen");
        let order = one[0].order.clone().unwrap();
        // What is broken below is in the log, from which it is healed.
        let requested = |order: &Value| order["delivery"]["status"].is_string();
        let client = directory.client(0);
        client.order_until(&order, requested).await;
        sent.extend(one);
        services.terminate().await;
        projectors.terminate().await;
        let armed = points.map(|point| Run {
            point,
            n: torture::draw(&mut random, OFTEN),
        });
        let first = Armed::start(&place, &["command-api"], armed[0]).await;
        let second = Armed::start(&place, &["projectors"], armed[1]).await;
        break_a_record(&place, &order).await;
        broken.push(order);
        let died = async { tokio::join!(first.dies(), second.dies()) };
        let asked = async {
            loop {
                // It follows what it asked for, as long as there is somebody to take it.
                place.run(&REDRIVE).await;
            }
        };
        tokio::select! {
            ((), ()) = died => {}
            () = asked, if points[0].starts_with("redriver") => {}
        }
        [services, projectors] = start(&place).await;
        directory.moves_to(&Client::new(services.url(), queries.url()));
    }

    let healed = async || {
        place.run(&REDRIVE).await;
        place.status().await
    };
    eventually(healed, |status| status["healthy"] == true).await;
    let adapters = Adapters::open(&place.config()).unwrap();
    settled(ENDS_WITHIN, || Moment::of(&adapters)).await;
    let facts = decode(&logs(&adapters).await);
    streams_have_no_holes(&facts);
    let orders = Orders::of(&facts);
    orders.expect_consistent_ends();
    stock_adds_up(&facts, &orders);
    audit::commands_are_there_once(&orders, &sent);
    audit::views_equal_log(&place, &facts).await;
    each_group_has_its_letters(&place, &broken).await;
    futures::future::join_all([services, projectors, queries].map(Role::terminate)).await;
    torture::report(
        "roles on servers abort around a dead letter",
        &format!(
            "{} aborts, {} orders, {:.1?}",
            2 * broken.len(),
            orders.0.len(),
            begun.elapsed()
        ),
    );
}

async fn start(place: &Place) -> [Role; 2] {
    // What they park is what is wanted.
    let start = |role| place.start_with(role, &["--set", "log=off"]);
    tokio::join!(start("command-api"), start("projectors")).into()
}

/// Publishes what is left of the first fact of an order's delivery.
async fn break_a_record(place: &Place, order: &str) {
    let kafka = kafka_of(place);
    let mut session = KafkaPublisher::new(kafka).begin(Service::Delivery).unwrap();
    session.send(&rubbish(order)).unwrap().await.unwrap();
}

/// A crash may publish one again; none is missing, and there is none of anything else.
async fn each_group_has_its_letters(place: &Place, broken: &[String]) {
    let topic = kafka_of(place).dead_letters(Service::Delivery);
    let read = move || topic::read(&kafka_brokers().unwrap(), &topic);
    let letters = spawn_blocking(read).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let of_whom = letters.into_values().flatten().map(|letter| {
        let group = letter.headers.iter().find(|(key, _)| key == "dlq-group");
        (text(&letter.key.unwrap()), text(&group.unwrap().1))
    });
    let expected = broken.iter();
    let expected = expected.flat_map(|order| GROUPS.map(|group| (order.clone(), group.to_owned())));
    assert_eq!(of_whom.collect::<BTreeSet<_>>(), expected.collect());
}

fn kafka_of(place: &Place) -> KafkaPlace {
    let brokers = kafka_brokers().unwrap();
    KafkaPlace::new(&brokers, &place.servers().prefix, BTreeMap::new())
}
