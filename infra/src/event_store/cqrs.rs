//! Streams as aggregates of cqrs-es, for whoever reads or writes them by way of that library.
//!
//! waybill itself appends through [`Handler`](crate::handler::Handler): cqrs-es reports no version,
//! has no idempotency key and one stream a command. But what it does means the same there: every
//! decider is an [`Aggregate`](cqrs_es::Aggregate) ([`Stream`]), a store is a repository
//! ([`Repository`]), and older versions pass through its upcasters ([`upcasters`]). So a stock
//! repository of postgres-es reads our table, and what it writes there is read here.
//!
//! Use `PersistedEventStore::new_event_store` and nothing else of its kind: the two with snapshots
//! of cqrs-es 0.5 apply events twice. A [`Stream`] cannot be made a snapshot, so they fail.
//!
//! A stock repository is no whole writer. It opens no tasks: what it writes of
//! `payment.requested` asks no provider. [`Repository`] opens and settles them.

mod repository;
mod request;

use std::fmt;

use cqrs_es::DomainEvent;
use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use domain::delivery::Delivery;
use domain::inventory::stock::Stock;
use domain::order::Order;
use domain::payment::Payment;
use domain::{Category, Decider, Fact, Refusal};
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::{STEPS, Step, version_of};

pub use repository::Repository;

/// Which streams a decider decides.
pub trait Decides:
    Decider<Event: Into<Fact> + Serialize + DeserializeOwned + PartialEq + fmt::Debug>
{
    /// Their category, which is the aggregate's type.
    const CATEGORY: Category;
}

impl Decides for Order {
    const CATEGORY: Category = Category::Order;
}

impl Decides for Stock {
    const CATEGORY: Category = Category::Stock;
}

impl Decides for Payment {
    const CATEGORY: Category = Category::Payment;
}

impl Decides for Delivery {
    const CATEGORY: Category = Category::Delivery;
}

/// The streams of a decider as an aggregate: what their state is, and what they answer.
pub struct Stream<D: Decider>(D::State);

impl<D: Decider> Stream<D> {
    /// What the decider remembers.
    pub fn state(&self) -> &D::State {
        &self.0
    }
}

impl<D: Decider> Default for Stream<D> {
    fn default() -> Self {
        Self(D::State::default())
    }
}

impl<D: Decider<State: fmt::Debug>> fmt::Debug for Stream<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stream").field(&self.0).finish()
    }
}

const NO_SNAPSHOTS: &str = "streams have no snapshots: use PersistedEventStore::new_event_store";

impl<D: Decider> Serialize for Stream<D> {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom(NO_SNAPSHOTS))
    }
}

impl<'de, D: Decider> Deserialize<'de> for Stream<D> {
    fn deserialize<F: Deserializer<'de>>(_: F) -> Result<Self, F::Error> {
        Err(F::Error::custom(NO_SNAPSHOTS))
    }
}

impl<D: Decides> cqrs_es::Aggregate for Stream<D> {
    const TYPE: &'static str = D::CATEGORY.name();

    type Command = D::Command;
    type Event = Event<D::Event>;
    type Error = Refusal<D::Rejection>;
    type Services = ();

    async fn handle(
        &mut self,
        command: D::Command,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        for event in D::decide(&self.0, command)? {
            // Applies the event too.
            sink.write(Event(event), self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        let state = std::mem::take(&mut self.0);
        self.0 = D::evolve(state, &event.0);
    }
}

/// An event of a decider, under the name and in the version in which it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Event<E>(pub E);

impl<E> DomainEvent for Event<E>
where
    E: Into<Fact> + Serialize + DeserializeOwned + Clone + PartialEq + fmt::Debug + Send + Sync,
{
    fn event_type(&self) -> String {
        name_of(&self.0).to_owned()
    }

    fn event_version(&self) -> String {
        version_of(name_of(&self.0)).unwrap_or("1").to_owned()
    }
}

fn name_of<E: Into<Fact> + Clone>(event: &E) -> &'static str {
    event.clone().into().name()
}

/// The steps of the codec, as cqrs-es takes them.
pub fn upcasters() -> Vec<Box<dyn EventUpcaster>> {
    let boxed = |step: &Step| Box::new(*step) as Box<dyn EventUpcaster>;
    STEPS.iter().map(boxed).collect()
}

impl EventUpcaster for Step {
    fn can_upcast(&self, event_type: &str, event_version: &str) -> bool {
        (self.name, self.from) == (event_type, event_version)
    }

    fn upcast(&self, event: SerializedEvent) -> SerializedEvent {
        SerializedEvent {
            payload: (self.up)(event.payload),
            event_version: self.to.to_owned(),
            ..event
        }
    }
}
