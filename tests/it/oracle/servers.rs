//! Two processes of every role, on servers.

use std::time::Duration;

use oracle::evidence::Poison;
use oracle::fact::Service;
use oracle::journal::What;
use oracle::sources::Servers;
use oracle::{Case, World, checks};
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::Offset;
use scylla::client::session_builder::SessionBuilder;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor};
use tokio::task::spawn;
use tokio::time::sleep;

use super::{
    APART, Book, ORDERS, audit, expect_clean, expect_finding, look, paid, provider, settings,
};
use crate::servers::{Crowd, Fleet, Habits};
use crate::support::provider::StubProvider;
use crate::support::{Addresses, Place, eventually};

/// When one of every role is killed, after the first order.
const KILLED_AFTER: Duration = Duration::from_secs(1);
const WITHIN: Duration = Duration::from_secs(10);

/// What customers and servers were left with.
struct Left {
    servers: Servers,
    book: Book,
    provider: StubProvider,
}

impl Left {
    /// By so many orders, while one of every role is killed; all is over then.
    async fn by(orders: usize) -> Option<(Self, Fleet)> {
        let at = Addresses::shared()?;
        let provider = provider().await;
        let settings = settings(&provider);
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        let place = Place::migrated_at(&at, &settings).await;
        let mut fleet = Fleet::start(place).await;
        let crowd = Crowd::new(&fleet.directory(), Habits::Difficult);
        crowd.receive(10, 100).await;
        let customers = {
            let crowd = crowd.clone();
            spawn(async move { crowd.orders(0..orders, APART).await })
        };
        let left = Self {
            servers: look::servers(&at, &fleet.place),
            book: crowd.book,
            provider,
        };
        // At any moment under load: this is a wait for nothing.
        sleep(KILLED_AFTER).await;
        fleet.kill_and_replace(0).await;
        left.book.mark(What::Fault, "one of every role was killed");
        left.expect_nobody_ahead().await;
        customers.await.unwrap();
        fleet.settled().await;
        Some((left, fleet))
    }

    /// However much is on its way: what is done with was done.
    async fn expect_nobody_ahead(&self) {
        let world = self.look().await;
        let offsets = checks::offsets(&Case::of(&world));
        println!("under load: looked at {:?}", offsets.looked_at);
        assert_eq!(offsets.findings, []);
    }

    async fn look(&self) -> World {
        look::on(&self.servers, &self.book, Some(&self.provider)).await
    }

    async fn cql(&self, statement: &str) {
        let nodes = self.servers.cassandra.split(',');
        let session = SessionBuilder::new().known_nodes(nodes).build().await;
        let keyspace = format!("{}delivery_query", self.servers.prefix);
        let statement = statement.replace("KEYSPACE", &keyspace);
        session.unwrap().query_unpaged(statement, ()).await.unwrap();
    }

    async fn sql(&self, service: &str, statement: &str) {
        let options: PgConnectOptions = self.servers.postgres.parse().unwrap();
        let database = format!("{}{service}_db", self.servers.prefix);
        let mut connection = options.database(&database).connect().await.unwrap();
        connection.execute(statement).await.unwrap();
    }

    fn kafka(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.servers.kafka);
        client
    }

    /// A record that no log has.
    fn publish(&self, service: &str, key: &str) {
        let producer: BaseProducer = self.kafka().create().unwrap();
        let topic = format!("{}raw.{service}-events", self.servers.prefix);
        let record = BaseRecord::to(&topic).key(key).payload("{");
        producer.send(record).map_err(|(e, _)| e).unwrap();
        producer.flush(WITHIN).unwrap();
    }

    /// Says of a group that it is done with all of a topic.
    fn pass_over(&self, group: &str, service: &str, partitions: i32) {
        let mut client = self.kafka();
        client.set("group.id", format!("{}{group}", self.servers.prefix));
        let consumer: BaseConsumer = client.create().unwrap();
        let topic = format!("{}raw.{service}-events", self.servers.prefix);
        let mut ends = TopicPartitionList::new();
        for partition in 0..partitions {
            let marks = consumer.fetch_watermarks(&topic, partition, WITHIN);
            let end = Offset::Offset(marks.unwrap().1);
            ends.add_partition_offset(&topic, partition, end).unwrap();
        }
        consumer.commit(&ends, CommitMode::Sync).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_of_every_role_leave_behind_is_as_promised() {
    let Some((left, fleet)) = Left::by(ORDERS).await else {
        return;
    };
    // Nothing was broken, and there is one generation of each view.
    expect_clean(&left.look().await, &["I9", "I11"]);
    fleet.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_broken_on_purpose_is_set_aside_once_by_everybody_who_reads_it() {
    let Some((left, fleet)) = Left::by(30).await else {
        return;
    };
    let world = left.look().await;
    let order = paid(&world)[0].to_owned();
    left.publish("delivery", &order);
    let everybody = 6;
    let parked = async || left.look().await.parked.len();
    eventually(parked, |parked| *parked == everybody).await;

    let mut world = left.look().await;
    let from = world.parked[0].from.clone();
    let report = audit(&world);
    expect_finding(&report, "I9", "payment of delivery[", "nobody broke it");
    expect_finding(&report, "I3", "delivery[", "it is no fact of the log");
    world.poison.push(Poison {
        service: Service::Delivery,
        partition: from.partition,
        offset: from.offset,
        key: order,
        groups: None,
        instead_of: None,
    });
    expect_clean(&world, &["I11"]);
    fleet.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_to_what_is_on_the_servers_is_named() {
    let Some((left, fleet)) = Left::by(60).await else {
        return;
    };
    // Nobody is there to set aside what is broken, and nothing is removed yet.
    let _place = fleet.end().await;
    let world = left.look().await;
    expect_clean(&world, &["I9", "I11"]);
    let paid = paid(&world);
    let [wrong, frozen, extra, again] = [0, 1, 2, 3].map(|n| paid[n].to_owned());

    // Above the stamp of any fact, so that the cell stays; and a clock's.
    left.cql(&format!(
        "UPDATE KEYSPACE.order_view USING TIMESTAMP {} SET payment_status = 'REFUNDED' \
         WHERE order_id = {wrong}",
        20 * 1024
    ))
    .await;
    left.cql(&format!(
        "UPDATE KEYSPACE.order_view SET currency = 'EUR' WHERE order_id = {frozen}"
    ))
    .await;
    left.cql(&format!(
        "UPDATE KEYSPACE.orders_by_customer USING TIMESTAMP 1024 SET currency = 'EUR' \
         WHERE customer_id = 'somebody' AND order_id = {extra}"
    ))
    .await;
    left.publish("payment", &again);
    left.pass_over("inventory", "payment", 4);
    left.sql(
        "payment",
        &format!(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, \
             payload, metadata) SELECT aggregate_type, aggregate_id, 5, event_type, event_version, \
             payload, metadata FROM events WHERE aggregate_id = '{again}' AND sequence = 4"
        ),
    )
    .await;

    let report = audit(&left.look().await);
    println!("{report}");
    let stray = format!("somebody\",\"{extra}");
    let twice = format!("payment-{again}-5");
    for (check, subject, what) in [
        (
            "I7",
            &*wrong,
            "payment_status is \"REFUNDED\", and should be",
        ),
        ("I7", &frozen, "currency has the stamp"),
        ("I7", &stray, "no fact writes this row"),
        ("I3", "payment[", "it is no fact of the log"),
        (
            "I8",
            "payment[",
            "inventory has passed it, and cannot have taken it",
        ),
        ("I2", &twice, "was there before, as"),
        ("I3", &twice, "was never published"),
        ("I4", &again, "times capture"),
    ] {
        expect_finding(&report, check, subject, what);
    }
}
