//! Two handlers with caches of their own over one store, as in two processes.

use std::sync::Arc;

use domain::delivery::{Assignment, Command, Delivery, Progress, Rejection};
use domain::values::{DeliveryId, OrderId, Timestamp};
use domain::{Category, Service, StreamId};
use futures::future::join_all;
use infra::event_store::{Database, EmbeddedEventStore, EventStore};
use infra::handler::{HandleError, Handled, Handler};
use infra::{Origin, clock, ids};
use tempfile::TempDir;

struct Two {
    here: Handler<Delivery>,
    there: Handler<Delivery>,
    order: OrderId,
    _folder: TempDir,
}

type Result = std::result::Result<Handled<domain::delivery::State>, HandleError<Rejection>>;

impl Two {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open(&folder.path().join("data")).unwrap();
        let store = EmbeddedEventStore::new(db, Service::Delivery);
        let store: Arc<dyn EventStore> = Arc::new(store);
        Self {
            here: Handler::new(store.clone()),
            there: Handler::new(store),
            order: ids::order(),
            _folder: folder,
        }
    }

    async fn send(&self, handler: &Handler<Delivery>, command: Command) -> Result {
        self.send_at(handler, command, clock::now()).await
    }

    async fn send_at(
        &self,
        handler: &Handler<Delivery>,
        command: Command,
        at: Timestamp,
    ) -> Result {
        let stream = StreamId::of(Category::Delivery, self.order);
        let origin = Origin::of_person(ids::unique(), self.order.to_string(), at);
        handler.handle(&stream, &[command], &origin, None).await
    }

    fn request(&self) -> Command {
        let delivery_id = DeliveryId::of(self.order);
        Command::Request { delivery_id }
    }
}

fn assign(driver: &str) -> Command {
    Command::Record(Progress::Assign(Assignment {
        driver_name: driver.to_owned().try_into().unwrap(),
        estimated_delivery_time: "2030-01-31T12:00:00Z".parse().unwrap(),
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stale_state_would_refuse_is_decided_again_over_the_fresh_one() {
    let two = Two::new();
    two.send(&two.here, two.request()).await.unwrap();
    two.send(&two.there, assign("Driver Ash")).await.unwrap();
    // Here, the delivery is still known as requested, from where it cannot leave.
    let left = two
        .send(&two.here, Command::Record(Progress::Dispatch))
        .await
        .unwrap();
    assert_eq!(left.facts.len(), 1);
    // There, it is still known as assigned.
    let other = two.send(&two.there, assign("Driver Oak")).await;
    assert!(
        matches!(other, Err(HandleError::Rejected(Rejection::AnotherDriver))),
        "{other:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_state_is_caught_by_the_version_that_an_append_expects() {
    let two = Two::new();
    two.send(&two.here, two.request()).await.unwrap();
    two.send(&two.there, assign("Driver Ash")).await.unwrap();
    // Decided over a stale state, this would assign a second driver.
    let again = two.send(&two.here, assign("Driver Ash")).await.unwrap();
    assert!(again.facts.is_empty());
    let token = again.token.unwrap().to_string();
    assert_eq!(token, format!("delivery-{}-2", two.order));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_commands_that_race_each_is_decided_over_what_the_one_before_left() {
    let two = Two::new();
    two.send(&two.here, two.request()).await.unwrap();
    let handlers = [&two.here, &two.there];
    let racing = (0..32).map(|n| two.send(handlers[n % 2], assign(&format!("Driver {n}"))));
    let results = join_all(racing).await;
    let won = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(won, 1, "{results:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_facts_of_a_stream_go_forward_in_time_though_the_clock_goes_back() {
    let two = Two::new();
    let early = Timestamp::from_micros(1_000_000);
    let requested = two.send(&two.here, two.request()).await.unwrap();
    let assigned = two
        .send_at(&two.here, assign("Driver Ash"), early)
        .await
        .unwrap();
    assert_eq!(assigned.facts[0].time, requested.facts[0].time.next());
}

#[test]
fn an_effect_happens_after_its_cause_though_the_clock_is_behind() {
    let time = |micros| Timestamp::from_micros(micros);
    let mut origin = Origin::of_person(ids::unique(), "order".into(), time(100));
    assert_eq!(origin.fact_time(None), time(100));
    assert_eq!(origin.fact_time(Some(time(100))), time(101));
    origin.cause_time = Some(time(500));
    assert_eq!(origin.fact_time(Some(time(100))), time(501));
    assert_eq!(origin.fact_time(Some(time(900))), time(901));
}
