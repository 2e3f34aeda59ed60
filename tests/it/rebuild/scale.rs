//! Many orders, and the memory that a rebuild of them takes.
//!
//! The logs are filled with copies of one real order, without the services that would take them: what
//! is looked at is the way from the logs to the views.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use domain::view::order_view::OrderView;
use domain::{Recorded, Service, View};
use infra::bus::KafkaPublisher;
use infra::codec;
use infra::event_store::{Append, EventStore};
use infra::ids;
use infra::relay::{self, Relay, RelayStatus};
use infra::tasks::Tasks;
use projectors::Views;
use projectors::rebuild::Report;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};
use waybill::adapters::Adapters;

use super::AT_ONCE;
use super::live::Customers;
use crate::crash::process::{Process, folder};
use crate::support::{Client, Pipeline, Place, config_of};

/// Orders in every test run; `make scale` has ten times as many.
const ORDERS: usize = 20_000;
/// Orders that are appended at once.
const CHUNK: usize = 500;
/// What the rebuilding process may take.
const MEMORY_MB: u64 = 200;
/// Between two orders of a customer who comes meanwhile.
const PAUSE: Duration = Duration::from_millis(100);
/// Until everything is projected.
const PROJECTED_WITHIN: Duration = Duration::from_secs(1200);

/// The facts of an order that was paid and delivered, as the log of each service has them.
async fn history() -> BTreeMap<Service, Vec<Recorded>> {
    let pipeline = Pipeline::start(AT_ONCE).await;
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 1, 1901).await;
    pipeline.order_in(&id, "COMPLETED").await;
    pipeline.caught_up().await;
    let mut history = BTreeMap::new();
    for service in Service::ALL {
        let facts = pipeline.store(service).read_log(0, 100).await.unwrap();
        let facts = facts.iter().map(|fact| codec::decode(fact).unwrap());
        let of_order = facts.filter(|fact| fact.order_id().is_some());
        history.insert(service, of_order.collect());
    }
    pipeline.finish().await;
    history
}

/// Appends copies of a history, and says how many facts they are.
async fn fill(logs: &[Arc<dyn EventStore>], orders: usize) -> usize {
    let history = history().await;
    let mut facts = 0;
    let orders: Vec<String> = (0..orders).map(|_| ids::order().to_string()).collect();
    for log in logs {
        for some in orders.chunks(CHUNK) {
            let mut request = Append::default();
            for order in some {
                let copies = history[&log.service()].iter().map(|fact| {
                    let mut copy = fact.clone();
                    copy.id.stream.id.clone_from(order);
                    copy.correlation.clone_from(order);
                    codec::encode(&copy, ids::unique())
                });
                let copies: Vec<_> = copies.collect();
                request.expect.push((copies[0].stream.clone(), 0));
                request.facts.extend(copies);
            }
            facts += request.facts.len();
            log.append(request).await.unwrap();
        }
    }
    facts
}

/// The view that is rebuilt, without the others.
fn one_view(adapters: &Adapters) -> Views {
    Views {
        all: &[&OrderView],
        ..adapters.kept_views().clone()
    }
}

/// Waits until the view has everything.
async fn projected(views: &Views) {
    let bus = &views.bus;
    let until = Instant::now() + PROJECTED_WITHIN;
    for group in views.groups().await {
        loop {
            let lags = bus.lag(&group, &Service::ALL).await.unwrap();
            if lags.iter().all(|(_, lag)| *lag == 0) {
                break;
            }
            assert!(Instant::now() < until, "{group}: {lags:?}");
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Groups that are not looked at take nothing of what is there.
async fn pass_over(adapters: &Adapters) {
    let bus = &adapters.kept_views().bus;
    let ends = bus.ends(&Service::ALL).await.unwrap();
    let services = Service::ALL.map(|service| service.name().to_owned());
    let views = adapters.kept_views().groups().await;
    let others = views.into_iter().filter(|group| group != "order_view-g1");
    for group in services.into_iter().chain(others) {
        bus.begin_at(&group, &ends).await.unwrap();
    }
}

/// Runs `waybill rebuild order_view` as a process, and gives its report and the most memory it had.
async fn run(mut command: Command) -> (Report, u64) {
    // How fast it gives way depends on what else runs here.
    command.args(["rebuild", "order_view", "--json", "--no-throttle"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id().unwrap());
    let output = child.wait_with_output();
    tokio::pin!(output);
    let mut most = 0;
    let output = loop {
        if let Ok(status) = std::fs::read_to_string(&status) {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
            most = kilobytes.unwrap_or(most);
        }
        if let Ok(output) = timeout(Duration::from_millis(50), &mut output).await {
            break output.unwrap();
        }
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let mut reports: Vec<Report> = serde_json::from_slice(&output.stdout).unwrap();
    (reports.remove(0), most / 1024)
}

fn expect(report: &Report, memory: u64, orders: usize) {
    expect_of(report, memory, orders, 0);
    assert_eq!(report.orders, orders as u64, "{report:#?}");
}

/// Of so many orders, and some of those that came meanwhile.
fn expect_of(report: &Report, memory: u64, orders: usize, placed: usize) {
    println!(
        "{} facts of {} orders, {:.0} facts/s, {memory} MB at most",
        report.facts, report.orders, report.rate
    );
    assert!(report.is_right() && report.switched, "{report:#?}");
    let rows = (orders as u64)..=((orders + placed) as u64);
    let Report { live, rebuilt, .. } = report;
    for number in [report.orders, report.written, live.equal, rebuilt.equal] {
        assert!(rows.contains(&number), "{report:#?}");
    }
    assert!(memory < MEMORY_MB, "{memory} MB");
}

async fn embedded(orders: usize) {
    let folder = tempfile::tempdir().unwrap();
    let data = format!("data_dir={}", folder.path().join("data").display());
    let config = config_of(std::slice::from_ref(&data));
    {
        let adapters = Adapters::open(&config).unwrap();
        let views = one_view(&adapters);
        let facts = fill(&views.logs, orders).await;
        println!("{facts} facts");
        let tasks = Tasks::new();
        views.run(&tasks);
        projected(&views).await;
        assert!(tasks.drain(Duration::from_secs(10)).await);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
    command.args(["--set", &data]);
    let (report, memory) = run(command).await;
    expect(&report, memory, orders);
}

/// The same by the pipeline that holds the folder, while commands arrive.
async fn in_use(orders: usize) {
    let (_folder, data_dir) = folder();
    let data = format!("data_dir={}", data_dir.display());
    let config = config_of(std::slice::from_ref(&data));
    {
        let adapters = Adapters::open(&config).unwrap();
        let views = one_view(&adapters);
        fill(&views.logs, orders).await;
        let tasks = Tasks::new();
        views.run(&tasks);
        projected(&views).await;
        assert!(tasks.drain(Duration::from_secs(10)).await);
        pass_over(&adapters).await;
    }
    let process = Process::start(&data_dir).await;
    process.client.receive("sku-1", 1_000_000).await;
    let customers = Customers::come(&process.client, 2, PAUSE);
    let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
    command.args(["--set", &data]);
    let (report, _) = run(command).await;
    let placed = customers.leave().await.len();
    println!("{placed} orders came meanwhile");
    expect_of(&report, process.resident_mb(), orders, placed);
    process.terminate().await;
}

/// Where `in_use`, commands arrive meanwhile.
async fn on_servers(orders: usize, in_use: bool) {
    let Some(place) = Place::migrated(&["payment_delay_ms=0"]).await else {
        return;
    };
    let adapters = Adapters::open(&place.config()).unwrap();
    let views = one_view(&adapters);
    let facts = fill(&views.logs, orders).await;
    println!("{facts} facts");
    let (loops, relays) = (Tasks::new(), Tasks::new());
    views.run(&loops);
    for store in &views.logs {
        let lease = store
            .acquire("log", "a test", Duration::from_secs(60))
            .await;
        let epoch = lease.unwrap().unwrap().epoch;
        let relay = Relay {
            store: store.clone(),
            publisher: Arc::new(KafkaPublisher::new(place.servers().kafka_place())),
            status: RelayStatus::default(),
            recheck: relay::RECHECK,
        };
        let stop = relays.stopping();
        relays.spawn("relay", async move { relay.run(epoch, stop).await });
    }
    let published = async {
        for store in &views.logs {
            let last = store.last_position().await.unwrap();
            let at = || async { store.checkpoint(relay::CHECKPOINT).await.unwrap() };
            while at().await.unwrap_or_default().position < last {
                sleep(Duration::from_millis(100)).await;
            }
        }
    };
    timeout(PROJECTED_WITHIN, published).await.unwrap();
    projected(&views).await;
    if in_use {
        assert!(relays.drain(Duration::from_secs(10)).await);
        for store in &views.logs {
            store.release("log", "a test").await.unwrap();
        }
        pass_over(&adapters).await;
        let (commands, queries) =
            tokio::join!(place.start("command-api"), place.start("query-api"));
        let client = Client::new(commands.url(), queries.url());
        client.receive("sku-1", 1_000_000).await;
        let customers = Customers::come(&client, 2, PAUSE);
        let (report, memory) = run(place.waybill(&[])).await;
        let placed = customers.leave().await.len();
        println!("{placed} orders came meanwhile");
        expect_of(&report, memory, orders, placed);
        tokio::join!(commands.terminate(), queries.terminate());
    } else {
        let (report, memory) = run(place.waybill(&[])).await;
        expect(&report, memory, orders);
    }
    let live = views.live(&OrderView).await.unwrap();
    assert_eq!(live.table(OrderView.schema()).name, "order_view_g2");
    assert!(relays.drain(Duration::from_secs(10)).await);
    assert!(loops.drain(Duration::from_secs(10)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_orders_are_rebuilt_in_bounded_memory_on_the_embedded_store() {
    embedded(ORDERS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_orders_are_rebuilt_in_bounded_memory_on_servers() {
    on_servers(ORDERS, false).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make scale"]
async fn at_scale_two_hundred_thousand_are_on_the_embedded_store() {
    embedded(10 * ORDERS).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make scale"]
async fn at_scale_two_hundred_thousand_are_while_commands_arrive() {
    in_use(10 * ORDERS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make scale"]
async fn at_scale_two_hundred_thousand_are_on_servers() {
    on_servers(10 * ORDERS, true).await;
}
