//! The configuration: defaults, then `waybill.toml`, then `WAYBILL_*` in the environment, then
//! flags, each over the one before.
//!
//! Keys are flat and have one name everywhere: `payment_delay_ms` in the file is
//! `WAYBILL_PAYMENT_DELAY_MS` in the environment and `--set payment_delay_ms=..` as a flag. An
//! unknown key or a bad value names itself and where it was found, before anything is opened.

mod courier;
mod payment;
mod secret;
mod servers;
mod settings;
mod traces;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::error::Kind;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::{Dict, Map};
use figment::{Figment, Metadata, Profile, Provider};
use serde_json::Value;

use crate::lease::Terms;
use crate::telemetry;

pub use courier::Courier;
pub use payment::{Payment, PaymentServer};
pub use secret::Secret;
pub use servers::{Cassandra, Kafka, Redis, Servers};
pub use settings::{KEYS, Key, Settings};
pub use traces::Traces;

/// What everything is configured with.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the embedded store lives.
    pub data_dir: PathBuf,
    /// Where the real servers are; none: everything is in the embedded store.
    pub servers: Option<Servers>,
    /// The HTTP side.
    pub http: Http,
    /// How orders are taken.
    pub orders: Orders,
    /// The payment provider.
    pub payment: Payment,
    /// The courier.
    pub courier: Courier,
    /// Leases.
    pub lease: Terms,
    /// How long work in hand may take to finish when the process is asked to end.
    pub drain: Duration,
    /// How long a table of a view is kept after reads have gone to another.
    pub keep_generations: Duration,
    /// What is logged: a level, or a filter such as `info,infra=debug`.
    pub log: String,
    /// Where traces go, if anywhere.
    pub traces: Option<Traces>,
}

/// The HTTP side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where the command API listens.
    pub command_addr: SocketAddr,
    /// Where the query API listens.
    pub query_addr: SocketAddr,
    /// Where the projectors listen when they are a process of their own.
    pub projectors_addr: SocketAddr,
    /// How long a read waits for the view to have what `?after=` names.
    pub fresh_wait: Duration,
}

/// How orders are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orders {
    /// How long an order may take until its delivery is requested, in milliseconds; 0 is for ever.
    pub deadline_ms: u64,
    /// How long replies are kept under their idempotency keys.
    pub idempotency: Duration,
}

/// What is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("configuration: {key}{found}: {message}")]
pub struct ConfigError {
    /// Which key.
    pub key: String,
    /// Where it was found.
    found: Found,
    /// What was expected.
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Found(Option<String>);

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(source) => write!(f, " (in {source})"),
            None => Ok(()),
        }
    }
}

/// Where values come from beside the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A file that has to exist; without one, `waybill.toml` is read where it does.
    pub file: Option<PathBuf>,
    /// Flags, as `key=value`.
    pub set: Vec<String>,
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Origin {
    /// The key.
    pub key: &'static str,
    /// Its value.
    pub value: Value,
    /// `default`, the file, the environment or the flags.
    pub source: String,
    /// What it means.
    pub help: &'static str,
}

impl Config {
    /// Reads all sources.
    ///
    /// # Errors
    /// [`ConfigError`] names the first key that is wrong.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let armed = crate::crash::check().and_then(|()| crate::planted::check());
        armed.map_err(|(key, message)| ConfigError {
            key: key.to_owned(),
            found: Found(Some(ENVIRONMENT.into())),
            message,
        })?;
        let figment = figment(sources)?;
        let settings: Settings = figment.extract().map_err(|e| describe(&figment, e))?;
        Self::build(&settings).map_err(|(key, message)| ConfigError {
            found: found(&figment, key),
            key: key.to_owned(),
            message,
        })
    }

    /// Every key with its value and source.
    ///
    /// # Errors
    /// [`ConfigError`] names the first key that is wrong.
    pub fn origins(sources: &Sources) -> Result<Vec<Origin>, ConfigError> {
        Self::load(sources)?;
        let figment = figment(sources)?;
        KEYS.iter()
            .map(|key| {
                let value = figment.extract_inner::<Value>(key.name);
                let value = match value.map_err(|e| describe(&figment, e))? {
                    Value::String(text) => secret::shown(key.name, &text).into(),
                    other => other,
                };
                Ok(Origin {
                    key: key.name,
                    value,
                    source: found(&figment, key.name).0.unwrap_or_default(),
                    help: key.help,
                })
            })
            .collect()
    }

    fn build(settings: &Settings) -> Result<Self, (&'static str, String)> {
        let ms = Duration::from_millis;
        let addr = |key, text: &str| {
            text.parse::<SocketAddr>().map_err(|_| {
                (
                    key,
                    format!("'{text}' is not an address such as 127.0.0.1:8080"),
                )
            })
        };
        if let Err(e) = telemetry::filter(&settings.log) {
            return Err(("log", e));
        }
        let days = within("idempotency_days", settings.idempotency_days, 1..=365)?;
        let lasts = within("lease_ms", settings.lease_ms, 300..=60_000)?;
        Ok(Self {
            data_dir: settings.data_dir.clone(),
            servers: Servers::read(settings)?,
            http: Http {
                command_addr: addr("command_addr", &settings.command_addr)?,
                query_addr: addr("query_addr", &settings.query_addr)?,
                projectors_addr: addr("projectors_addr", &settings.projectors_addr)?,
                fresh_wait: ms(within("fresh_wait_ms", settings.fresh_wait_ms, 0..=60_000)?),
            },
            orders: Orders {
                deadline_ms: within(
                    "order_deadline_ms",
                    settings.order_deadline_ms,
                    0..=365 * DAY_MS,
                )?,
                idempotency: ms(days * DAY_MS),
            },
            payment: Payment::read(settings)?,
            courier: Courier::read(settings)?,
            lease: Terms {
                lasts: ms(lasts),
                renewed_every: ms(lasts * 3 / 10),
            },
            keep_generations: Duration::from_secs(
                3600 * within(
                    "keep_generations_hours",
                    settings.keep_generations_hours,
                    1..=8760,
                )?,
            ),
            drain: ms(within("drain_ms", settings.drain_ms, 0..=600_000)?),
            log: settings.log.clone(),
            traces: Traces::read(settings)?,
        })
    }
}

fn within(
    key: &'static str,
    value: u64,
    range: RangeInclusive<u64>,
) -> Result<u64, (&'static str, String)> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (min, max) = range.into_inner();
    Err((key, format!("{value} is not between {min} and {max}")))
}

/// The file that is read where it exists.
const FILE: &str = "waybill.toml";
const DAY_MS: u64 = 24 * 3600 * 1000;

impl Default for Config {
    /// What an empty configuration means.
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "a test builds it")]
        Self::build(&Settings::default()).expect("the defaults are valid")
    }
}

fn figment(sources: &Sources) -> Result<Figment, ConfigError> {
    let mut figment = Figment::from(Serialized::defaults(Settings::default()));
    let file = sources.file.clone();
    let file = file.or_else(|| Path::new(FILE).exists().then(|| FILE.into()));
    if let Some(path) = file {
        check_readable(&path)?;
        figment = figment.merge(Toml::file_exact(path));
    }
    figment = figment.merge(Texts {
        source: ENVIRONMENT,
        pairs: Env::prefixed("WAYBILL_")
            .ignore(crate::crash::SETTINGS)
            .iter()
            .map(|(key, value)| (key.to_string(), value))
            .collect(),
    });
    let mut pairs = vec![];
    for flag in &sources.set {
        let Some((key, value)) = flag.split_once('=') else {
            return Err(ConfigError {
                key: flag.clone(),
                found: Found(Some(FLAG.into())),
                message: "must have the form key=value".into(),
            });
        };
        let key = key.trim();
        if secret::is_secret(key, value) {
            return Err(ConfigError {
                key: key.to_owned(),
                found: Found(Some(FLAG.into())),
                message:
                    "holds a secret, which everyone on this machine could read in the list of \
                          processes: set it in the file or the environment"
                        .into(),
            });
        }
        pairs.push((key.to_owned(), value.to_owned()));
    }
    let source = FLAG;
    Ok(figment.merge(Texts { source, pairs }))
}

const ENVIRONMENT: &str = "the environment";
const FLAG: &str = "--set";

/// Values that come as texts: what is a text by default stays one, also where it looks like a
/// number.
struct Texts {
    source: &'static str,
    pairs: Vec<(String, String)>,
}

impl Provider for Texts {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source)
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let defaults = figment::value::Value::serialize(Settings::default())?;
        let defaults = defaults.into_dict().unwrap_or_default();
        let value = |(key, text): &(String, String)| {
            let value = match defaults.get(key) {
                Some(figment::value::Value::String(..)) => text.clone().into(),
                _ => text
                    .parse()
                    .unwrap_or_else(|never: Infallible| match never {}),
            };
            (key.clone(), value)
        };
        let dict = self.pairs.iter().map(value).collect();
        Ok(Map::from([(Profile::Default, dict)]))
    }
}

fn check_readable(path: &Path) -> Result<(), ConfigError> {
    std::fs::metadata(path).map(drop).map_err(|e| ConfigError {
        key: path.display().to_string(),
        found: Found(None),
        message: e.to_string(),
    })
}

fn found(figment: &Figment, key: &str) -> Found {
    Found(figment.find_metadata(key).map(source_name))
}

fn source_name(metadata: &Metadata) -> String {
    match (&metadata.source, metadata.name.as_ref()) {
        (Some(figment::Source::File(path)), _) => path.display().to_string(),
        (_, name @ (ENVIRONMENT | FLAG)) => name.to_owned(),
        _ => "default".into(),
    }
}

fn describe(figment: &Figment, e: figment::Error) -> ConfigError {
    let e = e
        .into_iter()
        .next()
        .unwrap_or_else(|| "unknown".to_owned().into());
    let path = e.path.join(".");
    let (key, message) = match &e.kind {
        Kind::UnknownField(name, _) => (name.clone(), "there is no such key".to_owned()),
        // The words of others repeat the value.
        Kind::InvalidType(_, wanted) if secret::may_be_one(&path) => {
            (path, format!("is not {wanted}"))
        }
        kind => (path, kind.to_string()),
    };
    let source = e.metadata.as_ref().map(source_name);
    let found = Found(source.or_else(|| found(figment, &key).0));
    let in_environment = found.0.as_deref() == Some(ENVIRONMENT);
    let key = if in_environment {
        format!("WAYBILL_{}", key.to_ascii_uppercase())
    } else {
        key
    };
    ConfigError {
        key,
        found,
        message,
    }
}

#[cfg(test)]
mod tests;
