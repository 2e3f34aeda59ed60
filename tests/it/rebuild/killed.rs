//! `waybill rebuild` as a process that is killed again and again.

use std::collections::HashSet;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use domain::view::order_view::OrderView;
use projectors::Views;
use projectors::rebuild::Report;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use waybill::adapters::Adapters;

use super::{rows_of, some_orders, verified};
use crate::crash::process::{Process, folder};
use crate::support::{Client, Place, eventually};

const ORDERS: usize = 400;
/// How often it is killed before it may end.
const KILLS: usize = 4;
/// Facts a second, so that it takes longer than until it is killed.
const SLOWLY: &str = "1500";

/// Somebody who reads all orders all the time, and sees each whenever it is read.
struct Reader {
    stop: Arc<AtomicBool>,
    reads: Arc<AtomicU64>,
    reading: JoinHandle<()>,
}

impl Reader {
    fn of(client: Client, orders: Vec<String>) -> Self {
        let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let reading = {
            let (stop, reads) = (stop.clone(), Arc::<AtomicU64>::clone(&reads));
            tokio::task::spawn(async move {
                for order in orders.iter().cycle() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let read = client.get(&format!("/api/orders/{order}")).await;
                    assert_eq!(read.status, 200, "{order}: {}", read.body);
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        Self {
            stop,
            reads,
            reading,
        }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.reading.await.unwrap();
        println!("{} reads", self.reads.load(Ordering::Relaxed));
    }
}

/// Kills the rebuild at random moments, and lets it end.
async fn until_it_may_end(tool: impl Fn() -> Command, views: &Views) -> Report {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for kill in 0..KILLS {
        let mut command = tool();
        command.args(["rebuild", "order_view", "--rate", SLOWLY]);
        let mut child = command
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // A killed one is taken over when it has given no sign of life for a while.
        let begun = || async {
            let generations = views.generations(&OrderView).await.unwrap();
            generations.rebuild.map(|rebuild| rebuild.beat)
        };
        let beat = begun().await;
        eventually(begun, |now| *now != beat).await;
        sleep(Duration::from_millis(random.u64(0..1500))).await;
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "it ended before kill {kill}"
        );
        child.kill().await.unwrap();
    }
    let mut command = tool();
    command
        .args(["rebuild", "order_view", "--json"])
        .kill_on_drop(true);
    let output = timeout(Duration::from_secs(120), command.output()).await;
    let output = output.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let mut reports: Vec<Report> = serde_json::from_str(&said).unwrap();
    assert!(output.status.success(), "{said}");
    reports.remove(0)
}

fn expect(report: &Report) {
    assert!(report.is_right() && report.switched, "{report:#?}");
    assert_eq!(report.orders, ORDERS as u64, "{report:#?}");
    // It went on, and did not begin anew.
    assert_eq!(report.generation, 2, "{report:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_is_killed_again_and_again_ends_right_on_servers() {
    let Some(place) = Place::migrated(&["payment_delay_ms=0", "courier=none"]).await else {
        return;
    };
    let (client, roles) = place.start_all().await;
    let orders = some_orders(&client, ORDERS).await;
    let adapters = Adapters::open(&place.config()).unwrap();
    let views = adapters.kept_views();
    let reader = Reader::of(client, orders.clone());
    let report = until_it_may_end(|| place.waybill(&[]), views).await;
    expect(&report);
    reader.end().await;
    let all: HashSet<_> = orders.into_iter().collect();
    assert_eq!(rows_of(views).await, all);
    let verified = verified(views, &OrderView, false).await;
    assert!(verified.outcome.is_right(), "{verified:#?}");
    for role in roles {
        role.terminate().await;
    }
}

/// There the rebuild is part of the process that holds the folder, and dies with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_whose_pipeline_is_killed_goes_on_when_it_is_run_again() {
    let (_folder, data_dir) = folder();
    let tool = || {
        let mut tool = Command::new(env!("CARGO_BIN_EXE_waybill"));
        tool.arg("--data-dir").arg(&data_dir).stdin(Stdio::null());
        tool
    };
    let mut process = Process::start(&data_dir).await;
    let orders = some_orders(&process.client, ORDERS).await;
    for _ in 0..KILLS {
        let mut command = tool();
        command.args(["rebuild", "order_view", "--rate", SLOWLY]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let reader = Reader::of(process.client.clone(), orders.clone());
        let under_way = || async {
            let mut status = tool();
            let output = status.args(["status", "--json"]).output().await.unwrap();
            serde_json::from_slice(&output.stdout).unwrap_or_default()
        };
        let is_under_way =
            |status: &serde_json::Value| status["views"][0]["rebuild"]["holder"].is_string();
        eventually(under_way, is_under_way).await;
        sleep(Duration::from_millis(fastrand::u64(0..500))).await;
        reader.end().await;
        process.kill().await;
        assert!(!child.wait().await.unwrap().success());
        process = Process::start(&data_dir).await;
    }
    let reader = Reader::of(process.client.clone(), orders.clone());
    let mut command = tool();
    command.args(["rebuild", "order_view", "--json"]);
    let output = timeout(Duration::from_secs(120), command.output()).await;
    let output = output.unwrap().unwrap();
    let mut reports: Vec<Report> = serde_json::from_slice(&output.stdout).unwrap();
    expect(&reports.remove(0));
    reader.end().await;
    let mut verify = tool();
    let verified = verify
        .args(["verify", "order_view"])
        .output()
        .await
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");
    process.terminate().await;
}
