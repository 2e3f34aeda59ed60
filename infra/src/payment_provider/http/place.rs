//! Which provider, and as whom.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::{Certificate, Url};

/// The longest that a request may take, and how long it may unless told otherwise. Two of them, an
/// ask and a call, and the wait for a turn fit into the 20 s that a call may take in all.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Where a provider is, and how to talk to it.
#[derive(Clone)]
pub struct HttpPlace {
    url: Url,
    pub(super) key: Option<String>,
    pub(super) vouching: Vec<Certificate>,
    pub(super) timeout: Duration,
}

/// A setting that cannot be used. Never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlace {
    /// The address. What was given is not repeated: it may have a password.
    #[error("{0}")]
    Url(&'static str),
    /// The key, which is not repeated.
    #[error("must have 1 to 1024 visible ASCII characters")]
    Key,
    /// The file of certificates.
    #[error("{0}")]
    Ca(String),
    /// The longest that a request may take.
    #[error("must be 1 to 8000 milliseconds")]
    Timeout,
}

/// The longest key: headers of 8 KiB are taken everywhere.
const MAX_KEY: usize = 1024;

impl HttpPlace {
    /// The provider whose paths begin with `url`; without a key, and if by TLS, then as the
    /// system's certificates say.
    ///
    /// # Errors
    /// [`InvalidPlace::Url`]
    pub fn new(url: &str) -> Result<Self, InvalidPlace> {
        let invalid = |why| Err(InvalidPlace::Url(why));
        let Ok(url) = Url::parse(url) else {
            return invalid("is not a URL such as https://payments.example/v1");
        };
        if !["http", "https"].contains(&url.scheme()) {
            return invalid("must begin with https:// or http://");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return invalid("must not have a user or a password: set payment_key");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return invalid("must not have a query or a fragment");
        }
        Ok(Self {
            url,
            key: None,
            vouching: vec![],
            timeout: TIMEOUT,
        })
    }

    /// Shows `key` with every request, as a bearer token.
    ///
    /// # Errors
    /// [`InvalidPlace::Key`]
    pub fn with_key(self, key: &str) -> Result<Self, InvalidPlace> {
        let visible = key.bytes().all(|b| b.is_ascii_graphic());
        if !visible || !(1..=MAX_KEY).contains(&key.len()) {
            return Err(InvalidPlace::Key);
        }
        let key = Some(key.to_owned());
        Ok(Self { key, ..self })
    }

    /// Takes only those for the provider for whom the certificates in `file` (PEM) vouch.
    ///
    /// # Errors
    /// [`InvalidPlace::Ca`]
    pub fn with_ca_file(self, file: &Path) -> Result<Self, InvalidPlace> {
        let invalid = |why: String| InvalidPlace::Ca(why);
        if !self.is_tls() {
            return Err(invalid("needs a URL that begins with https://".into()));
        }
        let name = file.display();
        let pem = std::fs::read(file).map_err(|e| invalid(format!("{name}: {e}")))?;
        let vouching = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if vouching.is_empty() {
            return Err(invalid(format!("{name} has no certificate in PEM format")));
        }
        Ok(Self { vouching, ..self })
    }

    /// Waits no longer than `timeout` for an answer.
    ///
    /// # Errors
    /// [`InvalidPlace::Timeout`]
    pub fn with_timeout(self, timeout: Duration) -> Result<Self, InvalidPlace> {
        if timeout.as_millis() == 0 || timeout > TIMEOUT {
            return Err(InvalidPlace::Timeout);
        }
        Ok(Self { timeout, ..self })
    }

    /// The address of `path`, which begins with a slash.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url.as_str().trim_end_matches('/'))
    }

    pub(super) fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// True where others on the way could read the key.
    pub(super) fn is_open(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        !self.is_tls() && !here
    }
}

impl fmt::Debug for HttpPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_put_behind_the_url() {
        for (url, at) in [
            ("http://localhost:9090", "http://localhost:9090/x"),
            ("https://pay.example/", "https://pay.example/x"),
            ("https://pay.example/v1/", "https://pay.example/v1/x"),
        ] {
            assert_eq!(HttpPlace::new(url).unwrap().at("/x"), at);
        }
    }

    #[test]
    fn a_url_that_is_none_or_that_has_a_secret_is_refused_and_not_repeated() {
        for url in [
            "",
            "pay.example",
            "ftp://pay.example/",
            "https://",
            "https://me:hidden@pay.example",
            "https://hidden@pay.example",
            "https://pay.example/?key=hidden",
            "https://pay.example/#hidden",
        ] {
            let e = HttpPlace::new(url).unwrap_err();
            assert!(matches!(e, InvalidPlace::Url(_)), "{url}: {e}");
            assert!(!e.to_string().contains("hidden"), "{url}: {e}");
        }
    }

    #[test]
    fn a_key_is_checked_and_never_shown() {
        let place = || HttpPlace::new("https://pay.example").unwrap();
        for bad in ["", "a b", "a\n", "ключ", &"k".repeat(1025)] {
            assert_eq!(place().with_key(bad).unwrap_err(), InvalidPlace::Key);
        }
        let place = place().with_key("hidden").unwrap();
        assert_eq!(format!("{place:?}"), "https://pay.example/");
    }

    #[test]
    fn certificates_need_tls_and_a_file_that_has_them() {
        let here = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        let missing = Path::new("/nowhere/ca.pem");
        for (url, file, says) in [
            ("http://pay.example", here, "https://"),
            ("https://pay.example", here, "has no certificate"),
            ("https://pay.example", missing, "/nowhere/ca.pem"),
        ] {
            let e = HttpPlace::new(url).unwrap().with_ca_file(file).unwrap_err();
            assert!(e.to_string().contains(says), "{e}");
        }
    }

    #[test]
    fn a_key_can_be_read_on_the_way_only_without_tls_and_beyond_this_machine() {
        for (url, open) in [
            ("https://pay.example", false),
            ("http://localhost:9", false),
            ("http://127.0.0.1:9", false),
            ("http://[::1]:9", false),
            ("http://pay.example", true),
            ("http://10.0.0.1", true),
        ] {
            assert_eq!(HttpPlace::new(url).unwrap().is_open(), open, "{url}");
        }
    }
}
