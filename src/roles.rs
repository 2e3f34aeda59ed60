//! Which parts of the pipeline a process runs, and where they listen.

use std::io;
use std::net::SocketAddr;

use domain::Service;
use infra::config::Http;
use tokio::net::TcpListener;

/// What a process does. One that does everything is the whole pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// The services whose commands, reactions and calls to the outside it runs.
    pub services: Vec<Service>,
    /// It keeps the views.
    pub projectors: bool,
    /// It answers queries.
    pub queries: bool,
}

impl Roles {
    /// Everything.
    pub fn all() -> Self {
        Self {
            services: Service::ALL.to_vec(),
            projectors: true,
            queries: true,
        }
    }

    /// The command API of `services`.
    pub fn commands(services: Vec<Service>) -> Self {
        Self {
            services,
            projectors: false,
            queries: false,
        }
    }

    /// The projectors.
    pub fn projectors() -> Self {
        Self {
            services: vec![],
            projectors: true,
            queries: false,
        }
    }

    /// The query API.
    pub fn queries() -> Self {
        Self {
            services: vec![],
            projectors: false,
            queries: true,
        }
    }

    /// What a process that does this is called: as the command that starts it.
    pub fn name(&self) -> &'static str {
        match (self.services.is_empty(), self.projectors, self.queries) {
            (false, false, false) => "command-api",
            (true, true, false) => "projectors",
            (true, false, true) => "query-api",
            _ => "serve",
        }
    }

    /// Binds the addresses that these roles listen on. The projectors have one where no command
    /// API is beside them, whose metrics would be theirs too.
    ///
    /// # Errors
    /// [`BindError`]
    pub async fn bind(&self, http: &Http) -> Result<Listeners, BindError> {
        let commands = !self.services.is_empty();
        let projectors = self.projectors && !commands;
        Ok(Listeners {
            command: bind_if(commands, http.command_addr, "command_addr").await?,
            query: bind_if(self.queries, http.query_addr, "query_addr").await?,
            projectors: bind_if(projectors, http.projectors_addr, "projectors_addr").await?,
        })
    }
}

/// Bound addresses.
#[derive(Debug)]
pub struct Listeners {
    /// Of the command API.
    pub command: Option<TcpListener>,
    /// Of the query API.
    pub query: Option<TcpListener>,
    /// Of projectors that are a process of their own.
    pub projectors: Option<TcpListener>,
}

/// An address that cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr} ({key})")]
pub struct BindError {
    /// Which.
    pub addr: SocketAddr,
    /// What it is configured by.
    pub key: &'static str,
    /// What the system said.
    pub source: io::Error,
}

async fn bind_if(
    wanted: bool,
    addr: SocketAddr,
    key: &'static str,
) -> Result<Option<TcpListener>, BindError> {
    if !wanted {
        return Ok(None);
    }
    let bound = TcpListener::bind(addr).await;
    bound
        .map(Some)
        .map_err(|source| BindError { addr, key, source })
}
