//! Topics that a test fills by itself.

use std::sync::Arc;

use domain::{Position, Service};
use infra::bus::{KafkaReader, Publisher, Record};
use infra::envelope;
use infra::event_store::{Checkpoint, StoredFact};
use infra::relay::CHECKPOINT;
use projectors::verify::log::{Reconciliation, TopicReport};

use crate::relay::given::{Given, batch};

/// A log whose facts the test itself publishes.
pub struct Published {
    pub given: Given,
    pub facts: Vec<StoredFact>,
}

impl Published {
    /// None where there are no brokers.
    pub async fn with(count: u64) -> Option<Self> {
        let given = Given::start().await?;
        batch(&given, count).await;
        let facts = given.log().await;
        Some(Self { given, facts })
    }

    /// The records that the relay would publish.
    pub fn records(&self) -> Vec<Record> {
        let of = |fact| envelope::record_of(fact).unwrap();
        self.facts.iter().map(of).collect()
    }

    pub async fn send(&self, records: impl IntoIterator<Item = Record>) {
        let mut session = self.given.publisher.begin(Service::Payment).unwrap();
        let records = records.into_iter();
        let sent: Vec<_> = records
            .map(|record| session.send(&record).unwrap())
            .collect();
        for sent in sent {
            sent.await.unwrap();
        }
    }

    /// As if the relay had published so far.
    pub async fn up_to(&self, position: Position) {
        let checkpoint = Checkpoint {
            position,
            ..Checkpoint::default()
        };
        let set = self
            .given
            .store
            .set_checkpoint(CHECKPOINT, &checkpoint, None);
        set.await.unwrap();
    }

    pub async fn all(&self) {
        self.up_to(self.facts.last().unwrap().position).await;
    }

    pub fn id(&self, n: usize) -> String {
        self.facts[n].id.to_string()
    }
}

pub async fn reconciled(given: &Given) -> TopicReport {
    let reader = Arc::new(KafkaReader::new(given.place.clone()));
    let begun = Reconciliation::begin(given.store.clone(), reader).await;
    begun.unwrap().run().await.unwrap()
}
