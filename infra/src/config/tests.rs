use super::*;

fn load(set: &[&str]) -> Result<Config, ConfigError> {
    Config::load(&Sources {
        file: None,
        set: set.iter().map(|flag| (*flag).to_owned()).collect(),
    })
}

#[test]
fn the_defaults_are_valid_and_bind_to_loopback() {
    let config = Config::default();
    assert!(config.http.command_addr.ip().is_loopback());
    assert!(config.http.query_addr.ip().is_loopback());
}

#[test]
fn a_flag_overrides_a_default() {
    let config = load(&["payment_delay_ms=5", "courier=none"]).unwrap();
    assert_eq!(config.payment.delay, Duration::from_millis(5));
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
