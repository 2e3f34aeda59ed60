use std::sync::Arc;
use std::time::{Duration, Instant};

use oracle::journal::What;
use serde_json::Value;
use tokio::task::{JoinHandle, spawn};
use tokio_util::sync::CancellationToken;

use crate::oracle::{expect_clean, look, provider, settings};
use crate::servers::{Crowd, Fleet, Habits};
use crate::support::provider::StubProvider;
use crate::support::{Place, eventually_within};

/// The longest that an order may take after a fault (I6).
const COMPLETED_WITHIN: Duration = Duration::from_secs(60);
/// Goods of the SKU of which there is not enough, and of the others.
const FIRST: u64 = 20;
const OTHERS: u64 = 100_000;

/// A third of what real ones are, and more than a process of a busy machine is ever silent: who loses
/// its leases and partitions again and again hardly gets to work, and who does not wait for a busy
/// provider hears nothing of it.
const LASTS: [&str; 3] = [
    "lease_ms=3000",
    "kafka_session_ms=3000",
    "payment_timeout_ms=1000",
];

/// Two of every role, difficult customers who come until it is enough, and a provider that keeps
/// books and whose answers are sometimes lost.
pub struct Stage {
    pub fleet: Fleet,
    /// The customers, with what they asked and were told.
    pub crowd: Crowd,
    enough: CancellationToken,
    customers: JoinHandle<usize>,
    pub provider: Arc<StubProvider>,
}

/// A provider, and what a pipeline is told of it and of its pace.
pub async fn stub() -> (StubProvider, Vec<String>) {
    let provider = provider().await;
    let mut settings = settings(&provider);
    settings.extend(LASTS.map(ToOwned::to_owned));
    (provider, settings)
}

impl Stage {
    /// Opens at a place whose processes know of the provider; an order comes every `apart`.
    pub async fn open(place: Place, provider: StubProvider, apart: Duration) -> Self {
        let fleet = Fleet::start(place).await;
        let crowd = Crowd::new(&fleet.directory(), Habits::Difficult);
        crowd.receive(FIRST, OTHERS).await;
        let enough = CancellationToken::new();
        let (coming, until) = (crowd.clone(), enough.clone().cancelled_owned());
        let customers = async move { coming.orders_until(0..usize::MAX, apart, until).await.len() };
        Self {
            fleet,
            crowd,
            enough,
            customers: spawn(customers),
            provider: Arc::new(provider),
        }
    }

    /// On the servers that all tests share; none where one is missing.
    pub async fn on_shared_servers(more: &[&str], apart: Duration) -> Option<Self> {
        let (provider, mut settings) = stub().await;
        settings.extend(more.iter().map(|&one| one.to_owned()));
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        let place = Place::migrated(&settings).await?;
        Some(Self::open(place, provider, apart).await)
    }

    /// An order comes to one of the two command APIs and is completed, whatever is in front of it.
    pub async fn completes(&self, which: usize, customer: &str) {
        let client = self.fleet.directory().client(which);
        let id = self.crowd.order(which, customer).await;
        let completed = |order: &Value| order["status"] == "COMPLETED";
        eventually_within(COMPLETED_WITHIN, || client.order(&id), completed).await;
    }

    /// Something was done to the pipeline; it is over.
    pub fn fault(&self, note: &str) {
        self.crowd.book.mark(What::Fault, note);
    }

    /// Whether customers still come and are served.
    pub fn is_under_load(&self) -> bool {
        !self.customers.is_finished()
    }

    /// Ends the load, waits until everything has ended, and lets the oracle look; says how many
    /// orders there were and how long the last took.
    pub async fn finish(mut self) -> String {
        assert!(self.is_under_load(), "the last fault was not under load");
        self.enough.cancel();
        let begun = Instant::now();
        let orders = self.customers.await.unwrap();
        self.fleet.settled().await;
        self.fleet.expect_up();
        let ended = begun.elapsed();
        let provider = Some(&*self.provider);
        let world = look::at(&self.fleet.place, &self.crowd.book, provider).await;
        // No record was broken, and there is one generation of each view.
        expect_clean(&world, &["I9", "I11"]);
        let facts = world.facts.len();
        self.fleet.terminate().await;
        format!("{orders} orders, {facts} facts, all ended {ended:.1?} after the last came")
    }
}
