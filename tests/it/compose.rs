//! `compose.yml` and the `Dockerfile`, as far as they can be checked where no engine runs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use infra::config::KEYS;
use serde_yaml_ng::Value;

use crate::support::{Fast, Pipeline};

const SERVERS: [&str; 4] = ["postgres", "kafka", "cassandra", "redis"];
const ROLES: [&str; 3] = ["command-api", "projectors", "query-api"];
const MIGRATION: &str = "migrate";

/// What a process on the loopback and a container cannot have in common: where it listens and
/// where its data is.
const KAFKA_PLACES: [&str; 6] = [
    "node.id",
    "process.roles",
    "controller.quorum.voters",
    "listeners",
    "advertised.listeners",
    "log.dirs",
];

#[test]
fn it_has_the_four_servers_the_migration_and_every_role() {
    let services: BTreeSet<_> = services().into_keys().collect();
    let wanted = SERVERS.into_iter().chain(ROLES).chain([MIGRATION]);
    assert_eq!(services, wanted.map(ToOwned::to_owned).collect());
}

#[test]
fn ports_are_published_on_the_loopback_only() {
    for (name, service) in services() {
        for port in list(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
}

#[test]
fn images_and_versions_are_those_that_the_tests_use() {
    let versions = versions();
    for name in SERVERS {
        let upper = name.to_uppercase();
        let image = services()[name]["image"].as_str().unwrap().to_owned();
        assert_eq!(image, format!("${{{upper}_IMAGE:?}}"));
        let version = ["VERSION", "MAJOR"];
        let version = version
            .iter()
            .find_map(|kind| versions.get(&format!("{upper}_{kind}")));
        let image = &versions[&format!("{upper}_IMAGE")];
        assert!(
            image.ends_with(&format!(":{}", version.unwrap())),
            "{image}"
        );
    }
    let linked = std::fs::read_link(root().join(".env")).unwrap();
    assert_eq!(linked, Path::new("scripts/servers/versions.env"));
}

#[test]
fn servers_are_set_as_for_the_tests() {
    let services = services();
    let kafka = texts(&services["kafka"]["environment"]);
    for (key, value) in settings("kafka.properties", '=') {
        if !KAFKA_PLACES.contains(&&*key) {
            let name = format!("KAFKA_{}", key.to_uppercase().replace('.', "_"));
            assert_eq!(kafka.get(&name), Some(&value), "{name}");
        }
    }
    let cassandra = texts(&services["cassandra"]["environment"]);
    let own = settings("cassandra.yaml", ':');
    for (variable, key) in [
        ("CASSANDRA_CLUSTER_NAME", "cluster_name"),
        ("CASSANDRA_NUM_TOKENS", "num_tokens"),
        ("CASSANDRA_ENDPOINT_SNITCH", "endpoint_snitch"),
    ] {
        assert_eq!(cassandra[variable], own[key]);
    }
    for key in ["commitlog_sync", "auto_snapshot"] {
        let set = format!("-Dcassandra.settings.{key}={}", own[key]);
        assert!(cassandra["JVM_EXTRA_OPTS"].contains(&set), "{set}");
    }
    let rack = settings("cassandra-rackdc.properties", '=');
    assert_eq!(cassandra["CASSANDRA_DC"], rack["dc"]);
    assert_eq!(cassandra["CASSANDRA_RACK"], rack["rack"]);
    let postgres = settings("postgresql.conf", '=');
    let connections = format!("max_connections={}", postgres["max_connections"]);
    assert!(list(&services["postgres"]["command"]).contains(&connections));
    let redis = list(&services["redis"]["command"]);
    assert_eq!(redis, ["redis-server", "--save", "", "--appendonly", "no"]);
}

#[test]
fn every_key_that_is_set_is_one_that_the_configuration_knows() {
    let known: BTreeSet<_> = KEYS
        .iter()
        .map(|key| format!("WAYBILL_{}", key.name.to_uppercase()))
        .collect();
    for (name, service) in services() {
        for key in texts(&service["environment"]).into_keys() {
            let ours = key.starts_with("WAYBILL_");
            assert!(!ours || known.contains(&key), "{name}: {key}");
        }
    }
    let image = read("Dockerfile");
    let words = image.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let set: BTreeSet<_> = words.filter(|word| word.starts_with("WAYBILL_")).collect();
    for key in &set {
        assert!(known.contains(*key), "Dockerfile: {key}");
    }
    // On its loopback nobody could reach a container.
    for key in
        ["COMMAND", "QUERY", "PROJECTORS"].map(|role| format!("WAYBILL_{role}_ADDR=0.0.0.0:"))
    {
        assert!(image.contains(&key), "Dockerfile: {key}");
    }
}

#[test]
fn the_configuration_of_every_role_is_valid() {
    for name in ROLES.into_iter().chain([MIGRATION]) {
        let environment = texts(&services()[name]["environment"]);
        let environment = environment.into_iter();
        let shown = Command::new(env!("CARGO_BIN_EXE_waybill"))
            .args(["config", "--json"])
            .current_dir(std::env::temp_dir())
            .envs(environment.map(|(key, value)| (key, with_defaults(&value))))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&shown.stderr);
        assert!(shown.status.success(), "{name}: {said}");
    }
}

#[test]
fn the_migration_waits_for_the_servers_and_every_role_for_the_migration() {
    let services = services();
    let condition = |name: &str, on: &str| services[name]["depends_on"][on]["condition"].as_str();
    for server in SERVERS {
        assert_eq!(condition(MIGRATION, server), Some("service_healthy"));
    }
    for role in ROLES {
        let ended = Some("service_completed_successfully");
        assert_eq!(condition(role, MIGRATION), ended, "{role}");
        assert_eq!(list(&services[role]["command"]), [role]);
    }
    for (name, service) in &services {
        let asks = !list(&service["healthcheck"]["test"]).is_empty();
        assert!(asks || name == MIGRATION, "{name} has no health check");
    }
    for server in SERVERS {
        let volumes = list(&services[server]["volumes"]);
        assert!(
            volumes[0].starts_with(&format!("{server}:/")),
            "{volumes:?}"
        );
    }
}

#[test]
fn docker_compose_takes_the_file() {
    let programs = [vec!["docker-compose"], vec!["docker", "compose"]];
    let run = |program: &[&str], args: &[&str]| {
        Command::new(program[0])
            .args(&program[1..])
            .args(args)
            .current_dir(root())
            .output()
    };
    let there = |program: &&Vec<&str>| {
        run(program, &["version"]).is_ok_and(|answered| answered.status.success())
    };
    let Some(program) = programs.iter().find(there) else {
        let mut out = std::io::stderr();
        writeln!(
            out,
            "SKIPPED docker_compose_takes_the_file: there is no docker-compose"
        )
        .ok();
        return;
    };
    let checked = run(program, &["--file", "compose.yml", "config", "--quiet"]).unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_check_of_the_image_asks_a_role_whether_it_is_ready() {
    let pipeline = Pipeline::start(Fast::default()).await;
    let ready = |port: &str| {
        let mut asking = tokio::process::Command::new(root().join("scripts/image/waybill-ready"));
        let asking = asking.arg(port).output();
        async { asking.await.unwrap().status.success() }
    };
    for url in [&pipeline.command, &pipeline.query] {
        assert!(ready(url.rsplit_once(':').unwrap().1).await, "{url}");
    }
    assert!(!ready("1").await);
    pipeline.finish().await;
}

#[test]
fn the_image_is_built_with_the_compiler_of_the_project_and_with_tls_to_kafka() {
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.split('"').nth(1).unwrap();
    let image = read("Dockerfile");
    assert!(
        image.contains(&format!("FROM rust:{channel}-")),
        "{channel}"
    );
    assert!(image.contains("--features kafka-tls"));
    let user = image.lines().find_map(|line| line.strip_prefix("USER "));
    assert!(user.is_some_and(|user| !user.starts_with('0') && !user.starts_with("root")));
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn services() -> BTreeMap<String, Value> {
    let mut file: Value = serde_yaml_ng::from_str(&read("compose.yml")).unwrap();
    file.apply_merge().unwrap();
    serde_yaml_ng::from_value(file["services"].clone()).unwrap()
}

/// Each `${NAME:-default}` as its default.
fn with_defaults(value: &str) -> String {
    let mut parts = value.split("${");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |so_far, part| {
        let (variable, rest) = part.split_once('}').unwrap();
        let (_, default) = variable.split_once(":-").unwrap();
        format!("{so_far}{default}{rest}")
    })
}

fn versions() -> BTreeMap<String, String> {
    pairs(&read("scripts/servers/versions.env"), '=')
}

/// The settings of a server under test that are the same on every machine.
fn settings(file: &str, separator: char) -> BTreeMap<String, String> {
    let all = pairs(&read(&format!("scripts/servers/conf/{file}")), separator);
    let settled = all.into_iter().filter(|(_, value)| !value.contains('@'));
    settled.collect()
}

fn pairs(text: &str, separator: char) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with(['#', ' ']));
    let pairs = lines.filter_map(|line| line.split_once(separator));
    pairs
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

fn list(value: &Value) -> Vec<String> {
    let items = value.as_sequence().into_iter().flatten();
    items
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    let items = value.as_mapping().into_iter().flatten();
    items
        .map(|(key, value)| {
            (
                key.as_str().unwrap().to_owned(),
                value.as_str().unwrap().to_owned(),
            )
        })
        .collect()
}
