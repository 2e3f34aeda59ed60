//! What must not be seen: in logs, in errors, in what `waybill config` shows, in the list of
//! processes.

use std::fmt;

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(super) String);

impl Secret {
    /// The value, for the client that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

const MASK: &str = "***";

/// True where values of `key` may hold a secret: of a text that has no form, nothing is shown.
pub(super) fn may_be_one(key: &str) -> bool {
    shown(key, "?") == MASK
}

/// True where `value` holds something that [`shown`] hides.
pub(super) fn is_secret(key: &str, value: &str) -> bool {
    let shown = shown(key, value);
    shown != value && shown.contains(MASK)
}

/// What may be shown of the value of `key`: without passwords.
pub(super) fn shown(key: &str, value: &str) -> String {
    match key {
        _ if value.is_empty() => String::new(),
        "cassandra_password" | "payment_key" => MASK.to_owned(),
        "kafka_properties" => masked_properties(value),
        _ if key.ends_with("_url") => masked_url(value),
        _ => value.to_owned(),
    }
}

/// Names stay, and values that cannot be secret.
fn masked_properties(properties: &str) -> String {
    let mask = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if OPEN.contains(&name.trim()) => format!("{}={value}", name.trim()),
        Some((name, _)) => format!("{}={MASK}", name.trim()),
        None if pair.trim().is_empty() => String::new(),
        None => MASK.to_owned(),
    };
    properties
        .split(';')
        .map(mask)
        .collect::<Vec<_>>()
        .join(";")
}

/// Settings of librdkafka that hold no secrets.
const OPEN: [&str; 4] = [
    "security.protocol",
    "sasl.mechanism",
    "sasl.mechanisms",
    "ssl.ca.location",
];

fn masked_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return MASK.to_owned();
    };
    let (rest, parameters) = match rest.split_once('?') {
        Some((rest, parameters)) => (rest, masked_parameters(parameters)),
        None => (rest, String::new()),
    };
    let Some((login, place)) = rest.rsplit_once('@') else {
        return format!("{scheme}://{rest}{parameters}");
    };
    match login.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:{MASK}@{place}{parameters}"),
        None => format!("{scheme}://{login}@{place}{parameters}"),
    }
}

/// Passwords are also given as parameters.
fn masked_parameters(parameters: &str) -> String {
    let mask = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if OPEN_PARAMETERS.contains(&name) => pair.to_owned(),
        Some((name, _)) => format!("{name}={MASK}"),
        None => MASK.to_owned(),
    };
    let masked: Vec<_> = parameters.split('&').map(mask).collect();
    format!("?{}", masked.join("&"))
}

/// Parameters of URLs that hold no secrets.
const OPEN_PARAMETERS: [&str; 5] = ["sslmode", "sslrootcert", "sslcert", "host", "port"];
