//! Our own repository: a whole writer, unlike a stock one. Over the embedded store, which needs no
//! server.

use std::collections::HashSet;

use cqrs_es::persist::{PersistenceError, SerializedEvent};
use domain::payment::Payment;
use domain::values::Timestamp;
use domain::{OrderContext, Task};
use infra::codec;
use infra::event_store::{Database, EmbeddedEventStore};
use serde_json::json;
use tempfile::TempDir;

use super::*;

struct Ours {
    store: Arc<dyn EventStore>,
    order: OrderId,
    _folder: TempDir,
}

impl Ours {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open(&folder.path().join("data")).unwrap();
        Self {
            store: Arc::new(EmbeddedEventStore::new(db, Service::Delivery)),
            order: ids::order(),
            _folder: folder,
        }
    }

    fn repository(&self) -> Repository {
        Repository::new(self.store.clone())
    }

    async fn execute(&self, command: Command, metadata: &[(&str, &str)]) -> Result<(), Failed> {
        let store = PersistedEventStore::new_event_store(self.repository());
        execute(store, &self.order.to_string(), command, metadata).await
    }

    fn request(&self) -> Command {
        let delivery_id = DeliveryId::of(self.order);
        Command::Request { delivery_id }
    }

    async fn facts(&self) -> Vec<StoredFact> {
        self.store.read_log(0, 10_000).await.unwrap()
    }

    async fn tasks(&self) -> Vec<Task> {
        let ever = Timestamp::from_micros(i64::MAX);
        let due = self.store.due(ever, 10, &HashSet::new()).await.unwrap();
        due.iter().map(|row| row.task).collect()
    }
}

#[tokio::test]
async fn what_it_appends_opens_and_settles_its_tasks() {
    let ours = Ours::start();
    ours.execute(ours.request(), &[]).await.unwrap();
    assert_eq!(ours.tasks().await, [Task::Courier]);
    for command in [
        assign("Driver Ash"),
        Command::Record(Progress::Dispatch),
        Command::Record(Progress::Deliver),
    ] {
        ours.execute(command, &[]).await.unwrap();
    }
    assert_eq!(ours.tasks().await, []);
}

#[tokio::test]
async fn what_it_appends_says_what_our_own_facts_say() {
    let ours = Ours::start();
    let at = "2100-01-31T12:00:00.000000Z";
    let command = ids::unique().to_string();
    let given = [
        ("time", at),
        ("commandId", &command),
        ("customerId", "customer-7"),
        ("currency", "EUR"),
        ("totalAmount", "1999"),
        ("placedAt", at),
        ("tenant", "a"),
    ];
    ours.execute(ours.request(), &given).await.unwrap();
    ours.execute(assign("Driver Ash"), &[]).await.unwrap();

    let facts = ours.facts().await;
    let first: HashMap<String, String> = serde_json::from_slice(&facts[0].metadata).unwrap();
    let mut expected: HashMap<String, String> = given
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let rest = [("correlationId", ours.order.to_string())].into_iter();
    expected.extend(rest.map(|(key, value)| (key.to_owned(), value)));
    let causation = first["causationId"].clone();
    expected.insert("causationId".to_owned(), causation);
    assert_eq!(first, expected);

    let read: Vec<_> = facts
        .iter()
        .map(|fact| codec::decode(fact).unwrap())
        .collect();
    let context = OrderContext {
        customer_id: "customer-7".to_owned().try_into().unwrap(),
        currency: "EUR".parse().unwrap(),
        total_amount: 1999.try_into().unwrap(),
        placed_at: at.parse().unwrap(),
    };
    assert_eq!(read[1].order, Some(context));
    // Later than the first, which lies in the future.
    assert_eq!(read[1].time, read[0].time.next());
    assert_eq!(read[1].correlation, ours.order.to_string());
}

#[tokio::test]
async fn events_of_one_commit_are_appended_together_or_not_at_all() {
    let ours = Ours::start();
    let id = ours.order.to_string();
    let delivery = DeliveryId::of(ours.order);
    let event = |sequence, name: &str, version: &str| {
        let payload = json!({"type": name, "deliveryId": delivery, "reason": "late"});
        let (name, version) = (name.to_owned(), version.to_owned());
        let kind = "delivery".to_owned();
        SerializedEvent::new(
            id.clone(),
            sequence,
            kind,
            name,
            version,
            payload,
            json!({}),
        )
    };
    let requested = || event(1, "delivery.requested", "1");
    let persist = async |events: &[SerializedEvent]| {
        let repository = ours.repository();
        repository.persist::<Stream<Delivery>>(events, None).await
    };
    for bad in [
        vec![requested(), event(3, "delivery.failed", "1")],
        vec![requested(), event(2, "delivery.failed", "2")],
        vec![requested(), event(2, "delivery.lost", "1")],
        vec![event(0, "delivery.requested", "1")],
    ] {
        assert!(persist(&bad).await.is_err(), "{bad:?}");
        assert_eq!(ours.facts().await, []);
    }
    persist(&[]).await.unwrap();
    persist(&[requested(), event(2, "delivery.failed", "1")])
        .await
        .unwrap();
    let late = persist(&[requested()]).await;
    assert!(
        matches!(late, Err(PersistenceError::OptimisticLockError)),
        "{late:?}"
    );
    let facts = ours.facts().await;
    let times: Vec<_> = facts
        .iter()
        .map(|fact| codec::decode(fact).unwrap().time)
        .collect();
    assert!(times.len() == 2 && times[0] < times[1], "{times:?}");
}

#[tokio::test]
async fn a_replay_has_every_event_of_its_aggregate_in_order() {
    let ours = Ours::start();
    // More than a page, and than is read ahead.
    for n in 0..700 {
        let order = OrderId(uuid::Uuid::from_u128(n));
        let delivery_id = DeliveryId::of(order);
        let store = PersistedEventStore::new_event_store(ours.repository());
        let command = Command::Request { delivery_id };
        execute(store, &order.to_string(), command, &[])
            .await
            .unwrap();
    }
    ours.execute(ours.request(), &[]).await.unwrap();
    ours.execute(assign("Driver Ash"), &[]).await.unwrap();

    let count = async |mut replay: cqrs_es::persist::ReplayStream| {
        let mut met = vec![];
        while let Some(event) = replay.next::<Stream<Delivery>>(&upcasters()).await {
            let event = event.unwrap();
            met.push((event.aggregate_id, event.sequence));
        }
        met
    };
    let repository = ours.repository();
    let all = repository.stream_all_events::<Stream<Delivery>>().await;
    let facts = ours.facts().await;
    let ids = facts.iter().map(|fact| {
        let sequence = usize::try_from(fact.id.sequence).unwrap();
        (fact.id.stream.id.clone(), sequence)
    });
    assert_eq!(count(all.unwrap()).await, ids.collect::<Vec<_>>());
    let id = ours.order.to_string();
    let one = repository.stream_events::<Stream<Delivery>>(&id).await;
    assert_eq!(
        count(one.unwrap()).await,
        [(id.clone(), 1), (id.clone(), 2)]
    );
    let other = repository.stream_all_events::<Stream<Payment>>().await;
    assert_eq!(count(other.unwrap()).await, []);
    let last = repository.get_last_events::<Stream<Delivery>>(&id, 1).await;
    assert_eq!(last.unwrap().len(), 1);
}

#[tokio::test]
async fn a_store_with_snapshots_which_applies_events_twice_fails_at_once() {
    let ours = Ours::start();
    let id = ours.order.to_string();
    let snapshots = PersistedEventStore::new_snapshot_store(ours.repository(), 1);
    let aggregates = PersistedEventStore::new_aggregate_store(ours.repository());
    for store in [snapshots, aggregates] {
        let refused = execute(store, &id, ours.request(), &[]).await.unwrap_err();
        assert!(refused.to_string().contains("new_event_store"), "{refused}");
    }
    assert_eq!(ours.facts().await, []);
}
