//! Which cluster, which keyspace, and as whom.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::TlsContext;
use scylla::client::session_builder::SessionBuilder;
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::statement::{Consistency, SerialConsistency};

use super::REQUEST;
use super::change::CHANGE;
use crate::prefix::is_prefix;
use crate::tls::certificates;

/// The port of nodes that name none.
const PORT: u16 = 9042;
/// The datacenter, unless told otherwise.
const DATACENTER: &str = "dc1";
/// How long one connection may take to be made.
const CONNECT: Duration = Duration::from_secs(2);
/// How often a connection on which nothing comes is asked whether it still works, and how long the
/// answer may take: a node that is cut off is noticed within ten seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Where views are, and how to talk to the cluster: the keyspace `{prefix}delivery_query`.
#[derive(Clone)]
pub struct CassandraPlace {
    nodes: Vec<String>,
    prefix: String,
    datacenter: String,
    login: Option<(String, String)>,
    tls: Option<Arc<ClientConfig>>,
}

/// A setting that cannot be used. Never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlace {
    /// No nodes. What was given is not repeated: it may be a URL with a password.
    #[error("the nodes must be a list such as host1:9042,host2:9042, without a user")]
    Nodes,
    /// Names are made of it.
    #[error("the prefix must be empty or match [a-z][a-z0-9_]{{0,15}}")]
    Prefix,
    /// It is the name of a part of the keyspace's replication.
    #[error("'{0}' is not the name of a datacenter: letters, digits, '.', '_' and '-'")]
    Datacenter(String),
    /// A certificate or key that cannot be used.
    #[error("TLS: {0}")]
    Tls(String),
}

/// Files in PEM format for TLS. A node's certificate has to name its address.
#[derive(Debug, Clone, Copy)]
pub struct TlsFiles<'a> {
    /// The certificates of who vouches for the nodes.
    pub ca: &'a Path,
    /// Where nodes ask for it: our certificate and its key.
    pub client: Option<(&'a Path, &'a Path)>,
}

impl CassandraPlace {
    /// The keyspace on the cluster of `nodes` (`host:port`, separated by commas), whose name begins
    /// with `prefix`; in the datacenter `dc1`, without a login and without TLS.
    ///
    /// # Errors
    /// [`InvalidPlace`]
    pub fn new(nodes: &str, prefix: &str) -> Result<Self, InvalidPlace> {
        if !is_prefix(prefix) {
            return Err(InvalidPlace::Prefix);
        }
        let parsed = nodes.split(',').map(|one| node(one.trim()));
        let parsed: Option<Vec<_>> = parsed.collect();
        Ok(Self {
            nodes: parsed.ok_or(InvalidPlace::Nodes)?,
            prefix: prefix.to_owned(),
            datacenter: DATACENTER.to_owned(),
            login: None,
            tls: None,
        })
    }

    /// The datacenter whose nodes are asked, and no others.
    ///
    /// # Errors
    /// [`InvalidPlace::Datacenter`]
    pub fn with_datacenter(self, name: &str) -> Result<Self, InvalidPlace> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if name.is_empty() || !name.bytes().all(allowed) {
            return Err(InvalidPlace::Datacenter(name.to_owned()));
        }
        let datacenter = name.to_owned();
        Ok(Self { datacenter, ..self })
    }

    /// Logs in as `user`.
    pub fn with_login(self, user: &str, password: &str) -> Self {
        let login = Some((user.to_owned(), password.to_owned()));
        Self { login, ..self }
    }

    /// Talks TLS, and only to nodes that `files.ca` vouches for.
    ///
    /// # Errors
    /// [`InvalidPlace::Tls`]
    pub fn with_tls(self, files: TlsFiles<'_>) -> Result<Self, InvalidPlace> {
        let tls = Some(Arc::new(tls(files).map_err(InvalidPlace::Tls)?));
        Ok(Self { tls, ..self })
    }

    /// The name of the keyspace.
    pub fn keyspace(&self) -> String {
        format!("{}delivery_query", self.prefix)
    }

    pub(super) fn datacenter(&self) -> &str {
        &self.datacenter
    }

    /// A session to be built. Every replica of a row is in the datacenter, and a request goes to
    /// one of them.
    pub(super) fn session(&self) -> SessionBuilder {
        let nearby = DefaultPolicy::builder()
            .prefer_datacenter(self.datacenter.clone())
            .token_aware(true)
            .permit_dc_failover(false)
            .build();
        let profile = ExecutionProfile::builder()
            .consistency(Consistency::LocalQuorum)
            .serial_consistency(Some(SerialConsistency::LocalSerial))
            .load_balancing_policy(nearby)
            .request_timeout(Some(REQUEST))
            .build();
        let mut session = SessionBuilder::new()
            .known_nodes(&self.nodes)
            .default_execution_profile_handle(profile.into_handle())
            .connection_timeout(CONNECT)
            .schema_agreement_timeout(CHANGE)
            .keepalive_interval(KEEP_ALIVE)
            .keepalive_timeout(KEEP_ALIVE)
            .keyspaces_to_fetch([self.keyspace()])
            .tls_context(self.tls.clone().map(TlsContext::Rustls023));
        if let Some((user, password)) = &self.login {
            session = session.user(user, password);
        }
        session
    }
}

/// `host` or `host:port`; an IPv6 address in brackets.
fn node(text: &str) -> Option<String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (text, PORT),
    };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let valid = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(plain),
    };
    (valid && port > 0).then(|| format!("{host}:{port}"))
}

fn tls(files: TlsFiles<'_>) -> Result<ClientConfig, String> {
    let mut vouching = RootCertStore::empty();
    for certificate in certificates(files.ca)? {
        let added = vouching.add(certificate);
        added.map_err(|e| format!("{}: {e}", files.ca.display()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(vouching);
    let Some((certificate, key)) = files.client else {
        return Ok(config.with_no_client_auth());
    };
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|_| format!("{} has no private key in PEM format", key.display()))?;
    let ours = config.with_client_auth_cert(certificates(certificate)?, private);
    ours.map_err(|e| format!("{}: {e}", certificate.display()))
}

impl fmt::Debug for CassandraPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.keyspace(), self.nodes.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_read_with_and_without_their_ports() {
        let place =
            CassandraPlace::new("a, b.example:9043,127.0.0.1,[::1]:9044,[::1]", "").unwrap();
        let nodes = [
            "a:9042",
            "b.example:9043",
            "127.0.0.1:9042",
            "[::1]:9044",
            "[::1]:9042",
        ];
        assert_eq!(place.nodes, nodes);
        for bad in [
            "",
            ",",
            "a,",
            "a b",
            "a:",
            "a:0",
            "a:x",
            "a:70000",
            "::1",
            "[a]",
            "http://a",
            "u:hunter2@a:9042",
        ] {
            let refused = CassandraPlace::new(bad, "").unwrap_err();
            assert_eq!(refused, InvalidPlace::Nodes, "{bad}");
        }
    }

    #[test]
    fn prefixes_and_datacenters_are_checked() {
        for prefix in ["", "a", "team_1_", "abcdefghijklmnop"] {
            let place = CassandraPlace::new("a", prefix).unwrap();
            assert_eq!(place.keyspace(), format!("{prefix}delivery_query"));
        }
        for prefix in ["1a", "_", "A", "a-b", "a'", "abcdefghijklmnopq", "é"] {
            let refused = CassandraPlace::new("a", prefix).unwrap_err();
            assert_eq!(refused, InvalidPlace::Prefix, "{prefix}");
        }
        let datacenter = |name| CassandraPlace::new("a", "").unwrap().with_datacenter(name);
        assert_eq!(
            datacenter("eu-west_1.b").unwrap().datacenter(),
            "eu-west_1.b"
        );
        for name in ["", "a b", "a'"] {
            assert!(datacenter(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_place_does_not_show_its_password() {
        let place = CassandraPlace::new("a", "").unwrap();
        let place = place.with_login("somebody", "hunter2");
        assert_eq!(format!("{place:?}"), "delivery_query at a:9042");
    }

    #[test]
    fn files_that_hold_no_certificate_are_named() {
        let place = || CassandraPlace::new("a", "").unwrap();
        let missing = Path::new("/nowhere/ca.pem");
        let here = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        for ca in [missing, here] {
            let refused = place().with_tls(TlsFiles { ca, client: None }).unwrap_err();
            assert!(
                refused.to_string().contains(&ca.display().to_string()),
                "{refused}"
            );
        }
    }
}
