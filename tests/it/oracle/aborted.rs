//! One process on an embedded store that aborts again and again under load, at a point of its loops.
//!
//! Where it died nobody may say to be done with what has no effect yet; in the end everything has to
//! be as promised.

use std::time::{Duration, Instant};

use oracle::journal::What;
use oracle::{Case, checks};
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn};
use tokio::time::{interval, timeout};

use super::{expect_clean, look, provider, settings};
use crate::crash::points::assert_died_at;
use crate::crash::process::{Process, folder, is_let_go};
use crate::servers::{Crowd, Directory, Habits};
use crate::support::{Client, Moment, settled, torture};

/// The first is reached by a receipt of goods; the others by orders, whenever the process starts.
const POINTS: [&str; 8] = [
    "append.before-answer",
    "consumer.before-effect",
    "consumer.after-effect",
    "inventory.before-append",
    "inventory.after-append",
    "payment.after-call",
    "projector.before-write",
    "embedded-writer.after-commit",
];
/// So often a process that lives reaches any of them within seconds.
const OFTEN: u64 = 8;
const APART: Duration = Duration::from_millis(60);
/// How long a process may take to die at its point. It takes about a second.
const DIES_WITHIN: Duration = Duration::from_secs(60);
/// Far more than it takes until all orders have ended.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_that_aborts_at_any_step_leaves_behind_is_as_promised() {
    let begun = Instant::now();
    let mut random = torture::random();
    let (folder, data_dir) = folder();
    let provider = provider().await;
    let settings = settings(&provider);
    let nobody = Client::new("http://127.0.0.1:1".into(), "http://127.0.0.1:1".into());
    let directory = Directory::of([nobody.clone(), nobody]);
    let crowd = Crowd::new(&directory, Habits::Difficult);
    let (done, is_done) = watch::channel(false);
    let customers = spawn(order_until(crowd.clone(), is_done));

    let runs = (0..torture::times()).flat_map(|_| POINTS);
    for (run, point) in runs.enumerate() {
        let n = match run {
            0 => 1,
            _ => torture::draw(&mut random, OFTEN),
        };
        let reached = folder.path().join("reached");
        let armed = [
            format!("crash_at={point}:{n}"),
            format!("crash_log={}", reached.display()),
        ];
        let all: Vec<_> = settings.iter().chain(&armed).map(String::as_str).collect();
        let mut process = Process::start_with(&data_dir, &all).await;
        directory.moves_to(&process.client);
        let died = timeout(DIES_WITHIN, process.ended()).await;
        let died = died.unwrap_or_else(|_| panic!("{point} was not reached {n} times"));
        assert_died_at(point, n, died, &std::fs::read_to_string(&reached).unwrap());
        std::fs::remove_file(reached).unwrap();
        crowd.book.mark(What::Fault, point);

        let world = look::in_folder(&data_dir, &crowd.book, Some(&provider)).await;
        is_let_go(&data_dir).await;
        let offsets = checks::offsets(&Case::of(&world));
        assert_eq!(offsets.findings, [], "after {point}:{n}");
    }
    let aborts = begun.elapsed();

    let all: Vec<_> = settings.iter().map(String::as_str).collect();
    let process = Process::start_with(&data_dir, &all).await;
    directory.moves_to(&process.client);
    done.send_replace(true);
    let orders = customers.await.unwrap();
    settled(ENDS_WITHIN, || Moment::within(&data_dir)).await;
    process.terminate().await;
    let world = look::in_folder(&data_dir, &crowd.book, Some(&provider)).await;
    // There are no topics, no dead letters and no generations.
    expect_clean(&world, &["I3", "I9", "I11"]);
    torture::report(
        "the embedded pipeline aborts under load, and the oracle looks",
        &format!(
            "{} aborts in {aborts:.1?}, {orders} orders, {:.1?}",
            torture::times() * POINTS.len(),
            begun.elapsed()
        ),
    );
}

/// Goods come in, and customers order; how many there were.
async fn order_until(crowd: Crowd, done: watch::Receiver<bool>) -> usize {
    crowd.receive(10, 100).await;
    let mut customers = JoinSet::new();
    let mut tick = interval(APART);
    while !*done.borrow() {
        tick.tick().await;
        let (crowd, n) = (crowd.clone(), customers.len());
        customers.spawn(async move { crowd.orders(n..n + 1, APART).await });
    }
    customers.join_all().await.len()
}
