//! The command line, as a process: what it says, and what it exits with.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::crash::process::{Process, folder};

/// On ports that nobody has.
const SERVE: [&str; 5] = [
    "serve",
    "--set",
    "command_addr=127.0.0.1:0",
    "--set",
    "query_addr=127.0.0.1:0",
];

fn waybill(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
    // A folder without a waybill.toml.
    command.current_dir(std::env::temp_dir()).args(args);
    command
}

fn run(args: &[&str]) -> Output {
    waybill(args).output().unwrap()
}

fn in_folder(data_dir: &Path, args: &[&str]) -> Output {
    waybill(args)
        .arg("--data-dir")
        .arg(data_dir)
        .output()
        .unwrap()
}

#[track_caller]
fn expect(output: &Output, code: i32, stderr: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(stderr), "{said}");
}

#[test]
fn a_bad_configuration_names_the_key_and_exits_with_64_before_anything_is_opened() {
    let (_folder, data_dir) = folder();
    let output = in_folder(&data_dir, &["--set", "colour=red"]);
    expect(
        &output,
        64,
        "configuration: colour (in --set): there is no such key",
    );
    let output = in_folder(&data_dir, &["--set", "query_addr=8081"]);
    expect(
        &output,
        64,
        "query_addr (in --set): '8081' is not an address",
    );
    let output = waybill(&["config"])
        .env("WAYBILL_PAYMENT_DELAY", "5")
        .output()
        .unwrap();
    expect(
        &output,
        64,
        "WAYBILL_PAYMENT_DELAY (in the environment): there is no such key",
    );
    let output = waybill(&["config"])
        .env("WAYBILL_COURIER", "pigeon")
        .output()
        .unwrap();
    expect(
        &output,
        64,
        "courier (in the environment): 'pigeon' is not one of",
    );
    let output = run(&["config", "--set", "log=in fo,=x"]);
    expect(&output, 64, "log (in --set): 'in fo,=x' is no filter");
    let output = run(&["--config", "no-such-file.toml", "config"]);
    expect(&output, 64, "no-such-file.toml");
    assert!(!data_dir.exists());
}

#[test]
fn the_file_is_overridden_by_the_environment_and_that_by_flags() {
    let (folder, _) = folder();
    let file = folder.path().join("own.toml");
    std::fs::write(
        &file,
        "payment_seed = 1\npayment_delay_ms = 1\ncourier = \"none\"\n",
    )
    .unwrap();
    let output = waybill(&["config", "--json", "--set", "payment_seed=3", "--config"])
        .arg(&file)
        .env("WAYBILL_PAYMENT_SEED", "2")
        .env("WAYBILL_PAYMENT_DELAY_MS", "2")
        .output()
        .unwrap();
    let origins: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let of = |key: &str| {
        let origin = origins.iter().find(|origin| origin["key"] == key).unwrap();
        (
            origin["value"].to_string(),
            origin["source"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(of("payment_seed"), ("3".into(), "--set".into()));
    assert_eq!(
        of("payment_delay_ms"),
        ("2".into(), "the environment".into())
    );
    assert_eq!(
        of("courier"),
        ("\"none\"".into(), file.display().to_string())
    );
    assert_eq!(of("payment_success_rate"), ("80".into(), "default".into()));
}

#[test]
fn a_data_directory_that_is_not_ours_is_left_alone() {
    let (_folder, data_dir) = folder();
    std::fs::create_dir(&data_dir).unwrap();
    std::fs::write(data_dir.join("thesis.txt"), "do not lose").unwrap();
    let output = in_folder(&data_dir, &SERVE);
    expect(
        &output,
        1,
        "is neither empty nor a data directory of waybill",
    );
    assert_eq!(std::fs::read_dir(&data_dir).unwrap().count(), 1);

    let file = data_dir.join("thesis.txt");
    let output = in_folder(&file, &SERVE);
    expect(&output, 1, "cannot be used");
    assert_eq!(std::fs::read(&file).unwrap(), b"do not lose");
}

#[test]
fn a_store_that_is_not_ours_is_left_alone_and_one_that_was_never_finished_is_not() {
    let (_folder, data_dir) = folder();
    let store = data_dir.join("store");
    std::fs::create_dir_all(&store).unwrap();
    std::fs::write(store.join("books.txt"), "do not lose").unwrap();
    let settings = [
        "--set",
        "command_addr=127.0.0.1:0",
        "--set",
        "query_addr=127.0.0.1:0",
    ];
    let output = in_folder(&data_dir, &settings);
    expect(
        &output,
        1,
        "is neither empty nor a data directory of waybill",
    );
    assert_eq!(
        std::fs::read(store.join("books.txt")).unwrap(),
        b"do not lose"
    );

    // What a kill in the middle of the very first start leaves behind.
    std::fs::remove_file(store.join("books.txt")).unwrap();
    std::fs::write(store.join("0.jnl"), "").unwrap();
    std::fs::write(data_dir.join("LOCK"), "").unwrap();
    let output = in_folder(&data_dir, &["status"]);
    expect(&output, 0, "");
}

#[test]
fn a_data_directory_of_a_newer_version_is_refused_and_not_damaged() {
    let (_folder, data_dir) = folder();
    std::fs::create_dir(&data_dir).unwrap();
    std::fs::write(data_dir.join("FORMAT"), "waybill-data 2\n").unwrap();
    for command in [&SERVE[..], &["status"]] {
        let output = in_folder(&data_dir, command);
        expect(
            &output,
            1,
            "has the format 'waybill-data 2', which this version cannot read",
        );
    }
    assert_eq!(std::fs::read_dir(&data_dir).unwrap().count(), 1);
}

#[test]
fn a_data_directory_whose_path_is_too_long_for_a_socket_says_so() {
    let (_folder, data_dir) = folder();
    let data_dir = data_dir.join("x".repeat(100));
    let output = in_folder(&data_dir, &SERVE);
    expect(&output, 1, "is too long for a socket");
    let output = in_folder(&data_dir, &["status"]);
    expect(&output, 1, "is too long for a socket");
}

#[test]
fn a_tool_without_a_pipeline_says_where_it_looked() {
    let (_folder, data_dir) = folder();
    let output = in_folder(&data_dir, &["status"]);
    expect(&output, 1, "there is no pipeline at");
    assert!(!data_dir.exists(), "asking makes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_reach_a_running_pipeline_and_the_folder_of_one_that_is_not() {
    let (_folder, data_dir) = folder();
    let process = Process::start(&data_dir).await;
    process.client.receive("sku-1", 1).await;
    let id = process.client.place("sku-1", 1, 1901).await;
    process.client.order_in(&id, "COMPLETED").await;
    let captured = |order: &Value| order["payment"]["status"] == "CAPTURED";
    process.client.order_until(&id, captured).await;

    let output = in_folder(&data_dir, &SERVE);
    expect(&output, 1, "is in use by another process");
    let explain = |json: bool| {
        let mut args = vec!["explain", id.as_str()];
        args.extend(json.then_some("--json"));
        in_folder(&data_dir, &args)
    };
    let running = explain(true);
    expect(&running, 0, "");
    let output = in_folder(
        &data_dir,
        &["explain", "01890a5d-ac96-774b-bcce-b302099a8057"],
    );
    expect(
        &output,
        1,
        "there is no order 01890a5d-ac96-774b-bcce-b302099a8057",
    );
    let settle = [
        "settle",
        id.as_str(),
        "--outcome",
        "refunded",
        "--reason",
        "by phone",
    ];
    let output = in_folder(&data_dir, &settle);
    expect(
        &output,
        1,
        "the payment has no open void or refund with that outcome",
    );
    let output = in_folder(&data_dir, &["explain", "seven"]);
    expect(&output, 2, "must be a UUID in its hyphenated form");

    process.terminate().await;
    let stopped = explain(true);
    expect(&stopped, 0, "");
    let explanation: Value = serde_json::from_slice(&stopped.stdout).unwrap();
    assert_eq!(explanation["over"], true);
    assert_eq!(running.stdout, stopped.stdout);
    let words = String::from_utf8(explain(false).stdout).unwrap();
    assert!(
        words.contains("order.completed") && words.contains("it is over"),
        "{words}"
    );
    let status = in_folder(&data_dir, &["status"]);
    let words = String::from_utf8(status.stdout).unwrap();
    assert!(words.contains("nothing waits for a person"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_names_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (_folder, data_dir) = folder();
    let query_addr = format!("query_addr={}", taken.local_addr().unwrap());
    let settings = ["--set", "command_addr=127.0.0.1:0", "--set", &query_addr];
    let output = in_folder(&data_dir, &settings);
    expect(&output, 1, "(query_addr): Address already in use");
    assert!(!data_dir.exists());
}

/// A pipeline of the demo's own, without delays.
fn demo(data_dir: &Path, args: &[&str]) -> Output {
    let mut command = waybill(&["demo"]);
    for setting in [
        "command_addr=127.0.0.1:0",
        "query_addr=127.0.0.1:0",
        "courier_assign_ms=0",
        "courier_dispatch_ms=200",
        "courier_deliver_ms=200",
    ] {
        command.args(["--set", setting]);
    }
    command
        .args(args)
        .arg("--data-dir")
        .arg(data_dir)
        .output()
        .unwrap()
}

#[test]
fn the_demo_walks_at_least_twenty_orders_to_their_ends() {
    let (_folder, data_dir) = folder();
    let output = demo(&data_dir, &["--json", "--set", "payment_delay_ms=0"]);
    expect(&output, 0, "");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["ok"], true, "{summary:#}");
    let ends = summary["ends"].as_array().unwrap();
    let sum = |key: &str| {
        ends.iter()
            .map(|end| end[key].as_u64().unwrap())
            .sum::<u64>()
    };
    assert!(sum("orders") >= 20, "{summary:#}");
    assert_eq!(sum("orders"), sum("asItShould"), "{summary:#}");
    assert!(
        ends.iter().all(|end| end["orders"] != 0),
        "every end is shown: {summary:#}"
    );
}

#[test]
fn the_demo_fails_where_orders_do_not_end() {
    let (_folder, data_dir) = folder();
    let late = ["--timeout-s", "2", "--set", "payment_delay_ms=60000"];
    let output = demo(&data_dir, &late);
    expect(&output, 1, "waybill explain");
}
