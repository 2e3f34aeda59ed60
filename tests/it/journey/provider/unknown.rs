//! Payments of which nobody knows what came, on both stacks: answers that do not come, before and
//! after the provider has acted, that come twice, in half, or minutes later and when the customer has
//! cancelled; a provider that does not know itself yet; and one that is down.
//!
//! The oracle holds the provider's books against the log (I4): never two charges, never a lost one.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use infra::payment_provider::Operation;
use oracle::World;
use oracle::journal::What;
use tokio::task::{AbortHandle, spawn};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::crash::process::{Process, folder};
use crate::oracle::{expect_clean, look};
use crate::servers::faults::{Stage, stub};
use crate::servers::{Crowd, Directory, Habits};
use crate::support::provider::{Fault, Outcome, Reply, StubProvider, When};
use crate::support::{Moment, settled, torture};

const APART: Duration = Duration::from_millis(60);
/// How long answers go astray, and how long the provider is down after that: minutes, in a long run.
const ASTRAY: Duration = Duration::from_secs(5);
const ASTRAY_LONG: Duration = Duration::from_secs(60);
const DOWN: Duration = Duration::from_secs(3);
const DOWN_LONG: Duration = Duration::from_secs(150);
/// Between two that go astray, in milliseconds: of a handful of calls one does.
const PAUSE_MS: Range<u64> = 5..60;
/// How soon the provider decides what was pending: long enough for customers to cancel.
const DECIDES_EVERY: Duration = Duration::from_millis(700);
/// As for the oracle's embedded pipeline, and a minute for what waits for a provider that was down.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

const OPERATIONS: [Operation; 4] = [
    Operation::Authorize,
    Operation::Capture,
    Operation::Void,
    Operation::Refund,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_payments_of_one_process_are_found_out_and_nobody_pays_twice() {
    let random = torture::random();
    let (provider, settings) = stub().await;
    let provider = Arc::new(provider);
    let (_folder, data_dir) = folder();
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let process = Process::start_with(&data_dir, &settings).await;
    let directory = Directory::of([process.client.clone(), process.client.clone()]);
    let crowd = Crowd::new(&directory, Habits::Difficult);
    crowd.receive(20, 100_000).await;
    let enough = CancellationToken::new();
    let customers = {
        let (crowd, until) = (crowd.clone(), enough.clone().cancelled_owned());
        spawn(async move { crowd.orders_until(0..usize::MAX, APART, until).await.len() })
    };
    let unknown = Unknown::of(&provider, random).await;
    crowd.book.mark(What::Fault, "the provider is up");
    enough.cancel();
    let orders = customers.await.unwrap();
    settled(ENDS_WITHIN, || Moment::within(&data_dir)).await;
    process.terminate().await;

    let world = look::in_folder(&data_dir, &crowd.book, Some(&provider)).await;
    expect_clean(&world, &["I3", "I9", "I11"]);
    let cancelled = count(&world, "payment.undo-requested");
    assert!(
        cancelled > 0,
        "no customer cancelled while a payment was unknown"
    );
    unknown.report(
        "embedded",
        &format!("{orders} orders, {cancelled} cancelled meanwhile"),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_payments_of_two_of_every_role_are_found_out_and_nobody_pays_twice() {
    let random = torture::random();
    let Some(stage) = Stage::on_shared_servers(&[], APART).await else {
        return;
    };
    let unknown = Unknown::of(&stage.provider, random).await;
    stage.fault("the provider is up");
    let left = stage.finish().await;
    unknown.report("on servers", &left);
}

fn count(world: &World, name: &str) -> usize {
    world
        .facts
        .iter()
        .filter(|fact| fact.name() == name)
        .count()
}

/// What went astray.
struct Unknown {
    provider: Arc<StubProvider>,
    astray: usize,
    took: Duration,
    /// Decides what is pending from time to time, until this is dropped.
    deciding: AbortHandle,
}

impl Unknown {
    /// Answers go astray for a while, and then the provider is down for a while.
    async fn of(provider: &Arc<StubProvider>, mut random: Rng) -> Self {
        let begun = Instant::now();
        let deciding = spawn(decide(provider.clone(), random.fork())).abort_handle();
        let mut astray = 0;
        while begun.elapsed() < torture::scaled(ASTRAY, ASTRAY_LONG) {
            // At any moment: this is a wait for nothing.
            sleep(Duration::from_millis(random.u64(PAUSE_MS))).await;
            if random.u8(..).is_multiple_of(4) {
                provider.fail_asking(answer(&mut random));
            } else {
                // Most calls are of the first two.
                let operation = OPERATIONS[random.usize(0..8) % 5 % 4];
                let (when, fault) = unknown(&mut random);
                provider.fail(operation, when, fault);
            }
            astray += 1;
        }
        provider.down();
        sleep(torture::scaled(DOWN, DOWN_LONG)).await;
        provider.relent();
        provider.up();
        Self {
            provider: provider.clone(),
            astray,
            took: begun.elapsed(),
            deciding,
        }
    }

    fn report(&self, stack: &str, left: &str) {
        let requests = self.provider.requests();
        let asked = requests
            .iter()
            .filter(|it| it.operation().is_none())
            .count();
        torture::report(
            &format!("payments are unknown, {stack}"),
            &format!(
                "{} answers astray in {:.1?}, {} requests of which {asked} asked what had come of \
                 one, {} carried out; {left}",
                self.astray,
                self.took,
                requests.len(),
                self.provider.ledger().len(),
            ),
        );
    }
}

impl Drop for Unknown {
    fn drop(&mut self) {
        self.deciding.abort();
    }
}

/// How a call goes wrong, and whether it was carried out by then.
fn unknown(random: &mut Rng) -> (When, Fault) {
    match random.u8(0..12) {
        0..3 => (When::Before, answer(random)),
        3..9 => (When::After, answer(random)),
        9 => (When::After, Fault::Twice),
        _ => (When::After, Fault::Decides(Outcome::Pending)),
    }
}

/// How an answer does not come.
fn answer(random: &mut Rng) -> Fault {
    match random.u8(0..4) {
        0 => Fault::Silence,
        1 => Fault::Cut,
        2 => Fault::Half,
        _ => Fault::Instead(Reply::problem(500, "internal")),
    }
}

/// What was pending is approved or not, later.
async fn decide(provider: Arc<StubProvider>, mut random: Rng) {
    loop {
        sleep(DECIDES_EVERY).await;
        let outcome = match random.u8(0..3) {
            0 => Outcome::Refused("not-this-time"),
            _ => Outcome::Approved,
        };
        provider.decide_all(&outcome);
    }
}
