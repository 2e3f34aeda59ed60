use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn load(set: &[&str]) -> Result<Config, ConfigError> {
    Config::load(&Sources {
        file: None,
        set: set.iter().map(|flag| (*flag).to_owned()).collect(),
    })
}

/// As [`load`], from a file, where secrets may be.
fn load_file(set: &[&str]) -> (Sources, Result<Config, ConfigError>) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    // Of those with one key the last counts.
    let pairs: BTreeMap<_, _> = set.iter().filter_map(|flag| flag.split_once('=')).collect();
    let lines = pairs
        .into_iter()
        .map(|(key, value)| match value.parse::<u64>() {
            Ok(number) => format!("{key} = {number}\n"),
            Err(_) => format!("{key} = '{value}'\n"),
        });
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("waybill-config-{}-{n}.toml", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, lines.collect::<String>()).unwrap();
    let sources = Sources {
        file: Some(file.clone()),
        set: vec![],
    };
    let loaded = Config::load(&sources);
    (sources, loaded)
}

#[test]
fn the_defaults_are_valid_and_bind_to_loopback() {
    let config = Config::default();
    assert!(config.http.command_addr.ip().is_loopback());
    assert!(config.http.query_addr.ip().is_loopback());
    assert!(config.http.projectors_addr.ip().is_loopback());
}

#[test]
fn a_flag_overrides_a_default() {
    let config = load(&["payment_delay_ms=5", "courier=none"]).unwrap();
    let Payment::Simulated(play) = config.payment else {
        panic!("{:?}", config.payment);
    };
    assert_eq!(play.delay, Duration::from_millis(5));
    assert_eq!(config.courier, Courier::None);
}

#[test]
fn an_unknown_key_names_itself() {
    let e = load(&["colour=red"]).unwrap_err();
    assert_eq!(
        e.to_string(),
        "configuration: colour (in --set): there is no such key"
    );
}

#[test]
fn a_bad_value_names_its_key_and_what_is_allowed() {
    let e = load(&["payment_success_rate=101"]).unwrap_err();
    assert_eq!(
        e.to_string(),
        "configuration: payment_success_rate (in --set): 101 is not between 0 and 100"
    );
    let e = load(&["command_addr=here"]).unwrap_err();
    assert_eq!(e.key, "command_addr");
    let e = load(&["payment_delay_ms=soon"]).unwrap_err();
    assert_eq!(e.key, "payment_delay_ms");
    let e = load(&["courier=pigeon"]).unwrap_err();
    assert_eq!(e.message, "'pigeon' is not one of: simulated, none");
}

#[test]
fn a_file_that_was_named_has_to_exist() {
    let sources = Sources {
        file: Some("no/such/file.toml".into()),
        set: vec![],
    };
    let e = Config::load(&sources).unwrap_err();
    assert_eq!(e.key, "no/such/file.toml");
}

#[test]
fn every_key_says_where_its_value_comes_from() {
    let sources = Sources {
        file: None,
        set: vec!["payment_seed=7".into()],
    };
    let origins = Config::origins(&sources).unwrap();
    let of = |key| origins.iter().find(|origin| origin.key == key).unwrap();
    assert_eq!(of("payment_seed").source, "--set");
    assert_eq!(of("payment_seed").value, 7);
    assert_eq!(of("courier").source, "default");
}

const SERVERS: [&str; 3] = [
    "postgres_url=postgres://me:hidden@db:5432/postgres",
    "kafka_brokers=kafka:9092",
    "cassandra_nodes=cassandra:9042",
];

#[test]
fn servers_are_set_together_or_not_at_all_and_the_missing_key_is_named() {
    assert_eq!(load(&[]).unwrap().servers, None);
    assert!(load_file(&SERVERS).1.unwrap().servers.is_some());
    for missing in 0..SERVERS.len() {
        let mut some = SERVERS.to_vec();
        let (key, _) = some.remove(missing).split_once('=').unwrap();
        assert_eq!(load_file(&some).1.unwrap_err().key, key);
    }
    let e = load(&["redis_url=redis://cache:6379"]).unwrap_err();
    assert_eq!(e.key, "redis_url");
}

#[test]
fn a_bad_server_names_its_key_and_repeats_no_secret() {
    for (setting, key) in [
        ("postgres_url=http://me:hidden@db", "postgres_url"),
        ("payment_postgres_url=me:hidden@db", "payment_postgres_url"),
        (
            "cassandra_nodes=me:hidden@cassandra:9042",
            "cassandra_nodes",
        ),
        ("cassandra_password=hidden", "cassandra_user"),
        ("cassandra_user=me", "cassandra_password"),
        ("kafka_properties=hidden", "kafka_properties"),
        ("kafka_properties=sasl.pasword=hidden", "kafka_properties"),
        (
            "kafka_properties=socket.timeout.ms=hidden",
            "kafka_properties",
        ),
        ("kafka_partitions=0", "kafka_partitions"),
        ("redis_url=me:hidden@cache", "redis_url"),
        ("redis_ca_file=/no/such/ca.pem", "redis_url"),
        ("prefix=Shop", "prefix"),
    ] {
        let mut settings = SERVERS.to_vec();
        settings.push(setting);
        let e = load_file(&settings).1.unwrap_err();
        assert_eq!(e.key, key, "{setting}: {e}");
        assert!(!e.to_string().contains("hidden"), "{e}");
    }
}

#[test]
fn no_secret_is_shown() {
    let mut set = SERVERS.to_vec();
    set.extend([
        "kafka_properties=security.protocol=SASL_PLAINTEXT; sasl.password=hidden",
        "cassandra_user=me",
        "cassandra_password=hidden",
        "redis_url=rediss://:hidden@cache:6379",
        "order_postgres_url=postgres://db/postgres?sslmode=require&user=me&password=hidden",
        "payment_provider=http",
        "payment_url=https://pay.example/v1",
        "payment_key=hidden",
    ]);
    let (sources, config) = load_file(&set);
    let config = config.unwrap();
    assert!(!format!("{config:?}").contains("hidden"), "{config:?}");
    let shown = Config::origins(&sources).unwrap();
    let shown = serde_json::to_string(&shown).unwrap();
    assert!(!shown.contains("hidden"), "{shown}");
    for open in [
        "postgres://me:***@db:5432/postgres",
        "security.protocol=SASL_PLAINTEXT",
        "?sslmode=require&user=***&password=***",
    ] {
        assert!(shown.contains(open), "{shown}");
    }
}

#[test]
fn a_secret_is_not_taken_from_the_command_line() {
    for setting in [
        "postgres_url=postgres://me:hidden@db:5432/postgres",
        "payment_postgres_url=postgres://db/postgres?password=hidden",
        "kafka_properties=sasl.password=hidden",
        "cassandra_password=hidden",
        "redis_url=redis://:hidden@cache:6379",
        "payment_key=hidden",
    ] {
        let e = load(&[setting]).unwrap_err();
        assert_eq!(Some(&*e.key), setting.split('=').next());
        assert!(e.message.starts_with("holds a secret"), "{e}");
        assert!(!e.to_string().contains("hidden"), "{e}");
    }
    let open = [
        "postgres_url=postgres://me@db:5432/postgres?sslmode=verify-full&sslrootcert=ca.pem",
        "kafka_brokers=kafka:9092",
        "kafka_properties=security.protocol=PLAINTEXT;",
        "cassandra_nodes=cassandra:9042",
    ];
    assert!(load(&open).unwrap().servers.is_some());
}

#[test]
fn a_secret_of_a_wrong_kind_is_not_repeated() {
    for key in ["cassandra_password", "payment_key", "redis_url"] {
        let e = load_file(&[&format!("{key}=12345678")]).1.unwrap_err();
        assert_eq!(e.key, key);
        assert!(!e.to_string().contains("12345678"), "{e}");
        assert!(e.message.contains("string"), "{e}");
    }
}

#[test]
fn tls_to_kafka_needs_a_build_with_it_and_says_which() {
    for property in [
        "security.protocol=SSL",
        "security.protocol=sasl_ssl",
        "sasl.mechanism=SCRAM-SHA-512",
    ] {
        let mut settings = SERVERS.to_vec();
        let property = format!("kafka_properties={property}");
        settings.push(&property);
        let loaded = load_file(&settings).1;
        if cfg!(feature = "kafka-tls") {
            assert!(loaded.is_ok(), "{property}: {loaded:?}");
        } else {
            let e = loaded.unwrap_err();
            assert_eq!(e.key, "kafka_properties");
            assert!(e.message.contains("--features kafka-tls"), "{e}");
        }
    }
}

#[test]
fn an_authority_of_redis_is_a_file_with_certificates_and_means_tls() {
    let with = |url: &str, file: &str| {
        let mut settings = SERVERS.to_vec();
        let (url, file) = (format!("redis_url={url}"), format!("redis_ca_file={file}"));
        settings.extend([&*url, &*file]);
        load_file(&settings).1.unwrap_err()
    };
    let e = with("redis://cache:6379", "ca.pem");
    assert_eq!(e.key, "redis_ca_file");
    assert!(e.message.contains("rediss://"), "{e}");
    let e = with("rediss://cache:6379", "/no/such/ca.pem");
    assert_eq!(e.key, "redis_ca_file");
    assert!(e.message.contains("/no/such/ca.pem"), "{e}");
}

#[test]
fn a_provider_behind_http_has_a_url_and_no_other_is_given_one() {
    let url = "payment_url=https://pay.example/v1";
    let config = load(&["payment_provider=http", url, "payment_timeout_ms=500"]).unwrap();
    let Payment::Http(server) = config.payment else {
        panic!("{:?}", config.payment);
    };
    assert_eq!(server.timeout, Duration::from_millis(500));
    for (settings, key, says) in [
        (
            vec!["payment_provider=cash"],
            "payment_provider",
            "simulated, http",
        ),
        (vec!["payment_provider=http"], "payment_url", "is missing"),
        (vec![url], "payment_url", "payment_provider=http"),
        (
            vec!["payment_key=hidden"],
            "payment_key",
            "payment_provider=http",
        ),
        (
            vec!["payment_ca_file=a.pem"],
            "payment_ca_file",
            "payment_provider=http",
        ),
    ] {
        let e = load_file(&settings).1.unwrap_err();
        assert_eq!(e.key, key, "{e}");
        assert!(e.message.contains(says), "{e}");
        assert!(!e.to_string().contains("hidden"), "{e}");
    }
}

#[test]
fn a_bad_setting_of_the_provider_names_its_key_and_repeats_no_secret() {
    for (setting, key) in [
        ("payment_url=https://me:hidden@pay.example", "payment_url"),
        ("payment_url=hidden", "payment_url"),
        ("payment_key=hid den hidden", "payment_key"),
        ("payment_ca_file=/nowhere/ca.pem", "payment_ca_file"),
        ("payment_timeout_ms=0", "payment_timeout_ms"),
        ("payment_timeout_ms=8001", "payment_timeout_ms"),
    ] {
        let http = "payment_provider=http";
        let settings = [http, "payment_url=https://pay.example", setting];
        let e = load_file(&settings).1.unwrap_err();
        assert_eq!(e.key, key, "{setting}: {e}");
        assert!(!e.to_string().contains("hidden"), "{e}");
    }
}

#[test]
fn traces_go_to_an_address_without_secrets_or_nowhere() {
    assert_eq!(load(&[]).unwrap().traces, None);
    let traces = load(&["otlp_endpoint=http://collector:4318", "trace_ratio=0.25"]);
    let traces = traces.unwrap().traces.unwrap();
    assert_eq!(traces.endpoint, "http://collector:4318");
    assert_eq!(traces.ratio, 0.25);
    for (setting, key) in [
        ("otlp_endpoint=collector:4318", "otlp_endpoint"),
        ("otlp_endpoint=ftp://collector:4318", "otlp_endpoint"),
        ("otlp_endpoint=http://me:hidden@collector", "otlp_endpoint"),
        (
            "otlp_endpoint=http://collector?token=hidden",
            "otlp_endpoint",
        ),
        ("trace_ratio=1.5", "trace_ratio"),
        ("trace_ratio=NaN", "trace_ratio"),
        ("trace_ratio=some", "trace_ratio"),
    ] {
        let e = load(&[setting]).unwrap_err();
        assert_eq!(e.key, key, "{setting}: {e}");
        assert!(!e.to_string().contains("hidden"), "{e}");
    }
}
