//! Who holds and takes the money.

use std::path::PathBuf;
use std::time::Duration;

use super::secret::Secret;
use super::settings::Settings;
use super::{DAY_MS, within};
use crate::payment_provider::{HttpPlace, InvalidPlace, Simulated};

/// Which payment provider is called.
#[derive(Debug, Clone, PartialEq)]
pub enum Payment {
    /// One that plays.
    Simulated(Simulated),
    /// One behind HTTP.
    Http(PaymentServer),
}

/// A payment provider behind HTTP, and how to talk to it.
#[derive(Debug, Clone, PartialEq)]
pub struct PaymentServer {
    /// What its paths begin with.
    pub url: String,
    /// What is shown to it as a bearer token.
    pub key: Option<Secret>,
    /// The authority that signed its certificate, as PEM; none: those of the system.
    pub ca_file: Option<PathBuf>,
    /// How long it may take to answer a request.
    pub timeout: Duration,
}

impl Payment {
    pub(super) fn read(settings: &Settings) -> Result<Self, (&'static str, String)> {
        let rate = within(
            "payment_success_rate",
            settings.payment_success_rate,
            0..=100,
        )?;
        let delay = within("payment_delay_ms", settings.payment_delay_ms, 0..=DAY_MS)?;
        let server = server(settings)?;
        match (settings.payment_provider.as_str(), server) {
            ("simulated", None) => Ok(Self::Simulated(Simulated {
                success_rate: u8::try_from(rate).unwrap_or(100),
                delay: Duration::from_millis(delay),
                seed: settings.payment_seed,
            })),
            ("http", Some(server)) => Ok(Self::Http(server)),
            ("http", None) => {
                let missing = "is missing: payment_provider=http needs it";
                Err(("payment_url", missing.into()))
            }
            ("simulated", Some(_)) => {
                let alone = "means something only with payment_provider=http";
                Err(("payment_url", alone.into()))
            }
            (other, _) => {
                let known = format!("'{other}' is not one of: simulated, http");
                Err(("payment_provider", known))
            }
        }
    }
}

/// What is said of a provider behind HTTP, where something is.
fn server(settings: &Settings) -> Result<Option<PaymentServer>, (&'static str, String)> {
    let Settings {
        payment_url: url,
        payment_key: key,
        payment_ca_file: ca_file,
        payment_timeout_ms,
        ..
    } = settings;
    if url.is_empty() {
        let alone = [("payment_key", key), ("payment_ca_file", ca_file)];
        return match alone.into_iter().find(|(_, value)| !value.is_empty()) {
            Some((key, _)) => {
                let needs = "needs payment_url and payment_provider=http";
                Err((key, needs.into()))
            }
            None => Ok(None),
        };
    }
    let server = PaymentServer {
        url: url.clone(),
        key: (!key.is_empty()).then(|| Secret(key.clone())),
        ca_file: (!ca_file.is_empty()).then(|| ca_file.into()),
        timeout: Duration::from_millis(*payment_timeout_ms),
    };
    match server.place() {
        Ok(_) => Ok(Some(server)),
        Err(e) => Err((key_of(&e), e.to_string())),
    }
}

impl PaymentServer {
    /// Where the provider is.
    ///
    /// # Errors
    /// [`InvalidPlace`]; of what was read from a configuration only a certificate may have become
    /// unreadable.
    pub fn place(&self) -> Result<HttpPlace, InvalidPlace> {
        let mut place = HttpPlace::new(&self.url)?.with_timeout(self.timeout)?;
        if let Some(key) = &self.key {
            place = place.with_key(key.reveal())?;
        }
        match &self.ca_file {
            Some(file) => place.with_ca_file(file),
            None => Ok(place),
        }
    }
}

fn key_of(e: &InvalidPlace) -> &'static str {
    match e {
        InvalidPlace::Url(_) => "payment_url",
        InvalidPlace::Key => "payment_key",
        InvalidPlace::Ca(_) => "payment_ca_file",
        InvalidPlace::Timeout => "payment_timeout_ms",
    }
}
