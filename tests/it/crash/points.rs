//! A process that aborts at a point of its loops, once for each point there is.
//!
//! Each point gets a folder, customers and a provider of its own: the process is started with the
//! point armed and has to die there by itself, is started again without it, and what it leaves in
//! the end has to be as if it had never died. A point that is not reached fails the test.

pub mod books;
mod list;
mod poison;
pub mod shop;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use rustix::process::Signal;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;
use waybill::control;
use waybill::tools::Request;

use super::audit::audit_healed;
use super::load::Journal;
use super::process::{Process, folder};
use crate::support::provider::StubProvider;
use crate::support::{Moment, eventually, settled, torture};
use list::{EMBEDDED, Point, Reached};
use poison::Poison;

/// Processes at once: two cores are busy with that many, each of which waits most of its time.
const BESIDE: usize = 6;
/// How long a process may take to die at its point. It takes about a second.
const DIES_WITHIN: Duration = Duration::from_secs(60);
/// How long until all is done afterwards. It takes about a second.
const RESTS_WITHIN: Duration = Duration::from_secs(60);
/// Commands that are answered before a process is asked to end, for there is much in hand then.
const UNDER_WAY: usize = 8;

/// Quick, and slow enough to be cancelled on the way.
const PACE: [&str; 3] = [
    "courier_dispatch_ms=300",
    "payment_timeout_ms=300",
    "log=off",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_aborts_at_any_point_loses_nothing_and_does_nothing_twice() {
    let begun = Instant::now();
    let mut random = torture::random();
    let mut runs = vec![];
    for _ in 0..torture::times() {
        let points = EMBEDDED.iter();
        let points = points.filter(|point| torture::is_asked_for(point.name));
        runs.extend(points.map(|point| (*point, torture::draw(&mut random, point.often))));
    }
    assert!(!runs.is_empty(), "POINTS names none of these");
    let (count, runs) = (runs.len(), stream::iter(runs));
    let runs = runs.map(|(point, n)| tokio::spawn(abort_at(point, n)));
    let mut runs = runs.buffer_unordered(BESIDE);
    let mut failed = 0;
    while let Some(run) = runs.next().await {
        match run {
            Ok(said) => println!("{said}"),
            Err(_) => failed += 1,
        }
    }
    assert_eq!(failed, 0, "of these were not as they should be: see above");
    let figures = format!("{count} aborts, {:.1?}", begun.elapsed());
    torture::report("the embedded pipeline aborts at every point", &figures);
}

/// Dies there at the `n`th time of reaching it, goes on, and is looked at; says what happened.
async fn abort_at(point: Point, n: u64) -> String {
    let begun = Instant::now();
    let (folder, data_dir) = folder();
    let provider = StubProvider::playing(shop::PLAY).await;
    let poison = match point.reached {
        Reached::ByPoison | Reached::ByRedriving => Some(Poison::plant(&data_dir).await),
        Reached::AtStart | Reached::ByOrders | Reached::AtTheEnd => None,
    };
    let mut settings = PACE.map(ToOwned::to_owned).to_vec();
    settings.extend(provider.settings());
    settings.extend(point.setting.map(ToOwned::to_owned));
    let journal = Journal::default();
    let (address, at) = watch::channel(None);
    let shopping = tokio::spawn(shop::visit(at, journal.clone()));

    let reached = folder.path().join("reached");
    let armed = [
        format!("crash_at={}:{n}", point.name),
        format!("crash_log={}", reached.display()),
    ];
    let all: Vec<_> = settings.iter().chain(&armed).map(String::as_str).collect();
    let died = async {
        let mut process = match Process::try_start_with(&data_dir, &all).await {
            Ok(process) => process,
            Err(status) => return status,
        };
        address.send_replace(Some(process.client.clone()));
        tokio::select! {
            status = process.ended() => return status,
            () = lead_to(point.reached, &data_dir, &journal, poison.as_ref()) => {}
        }
        process.ask_to_end();
        process.ended().await
    };
    let died = timeout(DIES_WITHIN, died).await;
    address.send_replace(None);
    let died = died.unwrap_or_else(|_| panic!("{} was not reached {n} times", point.name));
    let reached = std::fs::read_to_string(reached).unwrap_or_default();
    assert_died_at(point.name, n, died, &reached);

    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let process = Process::start_with(&data_dir, &settings).await;
    address.send_replace(Some(process.client.clone()));
    let served = timeout(RESTS_WITHIN, shopping).await;
    served.expect("everybody is served").unwrap();
    if let Some(poison) = &poison {
        poison.cure(&data_dir).await;
    }
    settled(RESTS_WITHIN, || Moment::within(&data_dir)).await;
    process.terminate().await;
    let mut answered = journal.lock().unwrap().clone();
    answered.extend(poison.as_ref().map(Poison::receipt));
    let facts = audit_healed(&data_dir, &answered, |fact| {
        if let Some(poison) = &poison {
            poison.heal(fact);
        }
    })
    .await;
    let orders = books::agree(&provider.ledger(), &facts);
    let took = begun.elapsed();
    format!("{}:{n}, {orders} orders, {took:.1?}", point.name)
}

/// That it aborted, and by its own account there.
#[track_caller]
pub fn assert_died_at(point: &str, n: u64, died: ExitStatus, reached: &str) {
    let there = format!("{point}:{n}");
    let aborted = died.signal() == Some(Signal::ABORT.as_raw());
    let said = reached.lines().any(|line| line == there);
    assert!(aborted && said, "{there}: {died}, after {reached}");
}

/// Does what it takes to get there, and returns when the process is to be asked to end.
async fn lead_to(reached: Reached, data_dir: &Path, journal: &Journal, poison: Option<&Poison>) {
    match (reached, poison) {
        (Reached::AtTheEnd, _) => {
            let answered = async || journal.lock().unwrap().len();
            eventually(answered, |answered| *answered >= UNDER_WAY).await;
        }
        (Reached::ByRedriving, Some(poison)) => {
            poison.cure(data_dir).await;
            std::future::pending().await
        }
        _ => std::future::pending().await,
    }
}

/// What a tool is answered; none by a process that has died.
async fn ask(data_dir: &Path, request: &Request) -> Option<Value> {
    control::ask(data_dir, request).await.ok()??.ok()
}
