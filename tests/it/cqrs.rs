//! By way of cqrs-es: what a stock repository of postgres-es and waybill make of each other's facts
//! in one table, and our own repository.

mod foreign;
mod ours;
mod stock;

use std::collections::HashMap;
use std::sync::Arc;

use cqrs_es::persist::{PersistedEventRepository, PersistedEventStore};
use cqrs_es::{AggregateError, CqrsFramework, EventStore as _};
use domain::delivery::{Assignment, Command, Delivery, Progress};
use domain::values::{DeliveryId, OrderId};
use domain::{Category, Decider, Service, StreamId};
use infra::event_store::cqrs::{Event, Repository, Stream, upcasters};
use infra::event_store::{EventStore, StoredFact};
use infra::handler::{HandleError, Handled, Handler};
use infra::{Origin, clock, ids};
use postgres_es::PostgresEventRepository;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::contract::postgres::Databases;

type State = domain::delivery::State;
type Failed = AggregateError<domain::Refusal<domain::delivery::Rejection>>;
type Store<R> = PersistedEventStore<R, Stream<Delivery>>;

/// The delivery service's database, with a handler of ours on it and a stock repository.
struct Both {
    store: Arc<dyn EventStore>,
    handler: Handler<Delivery>,
    pool: PgPool,
    order: OrderId,
    _databases: Databases,
}

impl Both {
    /// None where there is no server.
    async fn start() -> Option<Self> {
        let databases = Databases::new()?;
        databases.migrate(Service::Delivery).await;
        let store: Arc<dyn EventStore> = Arc::new(databases.open(Service::Delivery));
        let pool = pool(&databases, Service::Delivery);
        Some(Self {
            handler: Handler::new(store.clone()),
            order: ids::order(),
            store,
            pool,
            _databases: databases,
        })
    }

    fn stream(&self) -> StreamId {
        StreamId::of(Category::Delivery, self.order)
    }

    /// What anybody has who uses postgres-es as its documentation says.
    fn stock(&self) -> Store<PostgresEventRepository> {
        let repository = PostgresEventRepository::new(self.pool.clone());
        PersistedEventStore::new_event_store(repository).with_upcasters(upcasters())
    }

    fn ours(&self) -> Store<Repository> {
        let repository = Repository::new(self.store.clone());
        PersistedEventStore::new_event_store(repository).with_upcasters(upcasters())
    }

    /// Decides a command by our handler.
    async fn handle(&self, command: Command) -> Handled<State> {
        self.try_handle(command).await.unwrap()
    }

    async fn try_handle(
        &self,
        command: Command,
    ) -> Result<Handled<State>, HandleError<domain::delivery::Rejection>> {
        let origin = Origin::of_person(ids::unique(), self.order.to_string(), clock::now());
        let (stream, commands) = (self.stream(), [command]);
        let handled = self.handler.handle(&stream, &commands, &origin, None);
        handled.await
    }

    async fn facts(&self) -> Vec<StoredFact> {
        let facts = self.store.read_stream(&self.stream(), 0, 100).await;
        facts.unwrap()
    }

    /// A row as it may stand there since earlier or later versions, with metadata of nobody.
    async fn insert(&self, sequence: i64, name: &str, version: &str, payload: &str) {
        let sql = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, \
                   event_version, payload, metadata) \
                   VALUES ('delivery', $1, $2, $3, $4, $5::json, '{}')";
        sqlx::query(sql)
            .bind(self.order.to_string())
            .bind(sequence)
            .bind(name)
            .bind(version)
            .bind(payload)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    fn request(&self) -> Command {
        let delivery_id = DeliveryId::of(self.order);
        Command::Request { delivery_id }
    }
}

/// A pool as somebody else has it, with the rights of a running program.
fn pool(databases: &Databases, service: Service) -> PgPool {
    let place = databases.place(service);
    let server: PgConnectOptions = databases.url.parse().unwrap();
    let options = server
        .database(&place.database())
        .options([("role", place.run())]);
    PgPoolOptions::new()
        .max_connections(4)
        .connect_lazy_with(options)
}

fn assign(driver: &str) -> Command {
    Command::Record(Progress::Assign(Assignment {
        driver_name: driver.to_owned().try_into().unwrap(),
        estimated_delivery_time: "2030-01-31T12:00:00Z".parse().unwrap(),
    }))
}

/// The state, and the version, as cqrs-es replays them.
async fn load<R: PersistedEventRepository>(store: &Store<R>, id: &str) -> (State, usize) {
    let context = store.load_aggregate(id).await.unwrap();
    (context.aggregate.state().clone(), context.current_sequence)
}

/// Decides a command as cqrs-es does.
async fn execute<R: PersistedEventRepository>(
    store: Store<R>,
    id: &str,
    command: Command,
    metadata: &[(&str, &str)],
) -> Result<(), Failed> {
    let metadata = metadata.iter();
    let metadata: HashMap<String, String> = metadata
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let framework = CqrsFramework::new(store, vec![], ());
    framework.execute_with_metadata(id, command, metadata).await
}
