//! Which database, and as whom.

use std::fmt;
use std::str::FromStr;

use domain::Service;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use crate::prefix::is_prefix;

/// How long to wait for somebody else's lock before giving up.
const LOCK_TIMEOUT: &str = "2s";

/// Where the event store of a service is, and what its parts are called: the database
/// `{prefix}{service}_db`, its owner `{prefix}{service}_owner`, and `{prefix}{service}_run`, which
/// sessions take as their role.
#[derive(Clone)]
pub struct PostgresPlace {
    server: PgConnectOptions,
    prefix: String,
    service: Service,
}

/// A URL or prefix that cannot be used. Never repeats the URL, which may have a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlace {
    /// No URL of a Postgres server.
    #[error("is not a URL such as postgres://user@host:5432/postgres")]
    Url,
    /// Names are made of it.
    #[error("the prefix must be empty or match [a-z][a-z0-9_]{{0,15}}")]
    Prefix,
}

impl PostgresPlace {
    /// The place of `service` on the server at `url`, where all names begin with `prefix`. The
    /// database in the URL is not used.
    ///
    /// # Errors
    /// [`InvalidPlace`]
    pub fn new(url: &str, prefix: &str, service: Service) -> Result<Self, InvalidPlace> {
        if !is_prefix(prefix) {
            return Err(InvalidPlace::Prefix);
        }
        Ok(Self {
            server: parse(url)?,
            prefix: prefix.to_owned(),
            service,
        })
    }

    /// Whose it is.
    pub fn service(&self) -> Service {
        self.service
    }

    /// The name of the database.
    pub fn database(&self) -> String {
        format!("{}{}_db", self.prefix, self.service)
    }

    /// The role that owns the database and migrates it. Nobody can log in as it.
    pub fn owner(&self) -> String {
        format!("{}{}_owner", self.prefix, self.service)
    }

    /// The role of running programs. Nobody can log in as it.
    pub fn run(&self) -> String {
        format!("{}{}_run", self.prefix, self.service)
    }

    /// Whom the URL logs in.
    pub(super) fn login(&self) -> &str {
        self.server.get_username()
    }

    /// A plan is kept that was made when a table was small: it follows the indexes even so.
    pub(super) fn reading(&self) -> PgConnectOptions {
        let name = format!("waybill {}", self.service);
        self.within(self.server.clone(), &self.run())
            .application_name(&name)
            .options([
                ("lock_timeout", LOCK_TIMEOUT),
                ("enable_seqscan", "off"),
                ("jit", "off"),
            ])
    }

    /// Plans of the append functions are made once, whatever the tables hold at that time.
    pub(super) fn writing(&self) -> PgConnectOptions {
        let name = format!("waybill {} writer", self.service);
        self.reading().application_name(&name).options([
            ("plan_cache_mode", "force_generic_plan"),
            // Statements after the lock have to see what was committed before it was ours.
            ("default_transaction_isolation", "read\\ committed"),
        ])
    }

    /// In the database, with the rights of `role` from the first statement on.
    pub(super) fn within(&self, server: PgConnectOptions, role: &str) -> PgConnectOptions {
        server
            .database(&self.database())
            .options([("role", role), ("client_min_messages", "warning")])
            .disable_statement_logging()
    }
}

/// Reads the URL of a server.
pub(super) fn parse(url: &str) -> Result<PgConnectOptions, InvalidPlace> {
    let scheme = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let options = PgConnectOptions::from_str(url).map_err(|_| InvalidPlace::Url)?;
    if scheme {
        Ok(options)
    } else {
        Err(InvalidPlace::Url)
    }
}

impl fmt::Debug for PostgresPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (self.server.get_host(), self.server.get_port());
        write!(f, "{} at {host}:{port}", self.database())
    }
}
