//! A pipeline on either stack: one process, or one of every role on servers.

use std::path::PathBuf;
use std::time::Duration;

use oracle::World;
use tempfile::TempDir;
use waybill::adapters::Adapters;

use crate::crash::process::{Process, folder};
use crate::oracle::{Book, look};
use crate::support::{Addresses, Moment, Place, Role, settled};

/// Until all is done that load leaves to be done.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// Quick, and silent about what is refused.
const SETTINGS: [&str; 6] = [
    "payment_success_rate=100",
    "payment_delay_ms=5",
    "courier_assign_ms=10",
    "courier_dispatch_ms=10",
    "courier_deliver_ms=10",
    "log=off",
];

pub enum Stack {
    Here {
        process: Box<Process>,
        data_dir: PathBuf,
        folder: TempDir,
    },
    Apart {
        /// The command API, the projectors and the query API.
        roles: Box<[Role; 3]>,
        adapters: Box<Adapters>,
        place: Place,
    },
}

impl Stack {
    pub async fn here() -> Self {
        let (folder, data_dir) = folder();
        Self::here_in(folder, data_dir).await
    }

    async fn here_in(folder: TempDir, data_dir: PathBuf) -> Self {
        Self::Here {
            process: Box::new(Process::start_with(&data_dir, &SETTINGS).await),
            data_dir,
            folder,
        }
    }

    /// None where a server is missing.
    pub async fn apart() -> Option<Self> {
        let place = Place::migrated_at(&Addresses::shared()?, &SETTINGS).await;
        Some(Self::apart_at(place).await)
    }

    async fn apart_at(place: Place) -> Self {
        let roles = tokio::join!(
            place.start("command-api"),
            place.start("projectors"),
            place.start("query-api"),
        );
        Self::Apart {
            roles: Box::new(roles.into()),
            adapters: Box::new(Adapters::open(&place.config()).unwrap()),
            place,
        }
    }

    /// Where the command API is, and the query API.
    pub fn urls(&self) -> [String; 2] {
        match self {
            Self::Here { process, .. } => {
                [&process.client.command, &process.client.query].map(Clone::clone)
            }
            Self::Apart { roles, .. } => [roles[0].url(), roles[2].url()],
        }
    }

    /// The memory of the process that has the most.
    pub fn resident_mb(&self) -> u64 {
        match self {
            Self::Here { process, .. } => process.resident_mb(),
            Self::Apart { roles, .. } => roles.iter().map(Role::resident_mb).max().unwrap(),
        }
    }

    /// Whether each process says that it is ready.
    pub async fn is_ready(&self) -> bool {
        let mut urls = self.urls().to_vec();
        if let Self::Apart { roles, .. } = self {
            urls.push(roles[1].url());
        }
        for url in urls {
            let asked = reqwest::get(format!("{url}/readyz")).await.unwrap();
            let said: serde_json::Value =
                serde_json::from_slice(&asked.bytes().await.unwrap()).unwrap();
            if said["status"] != "ready" {
                return false;
            }
        }
        true
    }

    /// Waits until all has ended.
    pub async fn rests(&self) {
        match self {
            Self::Here { data_dir, .. } => settled(ENDS_WITHIN, || Moment::within(data_dir)).await,
            Self::Apart { adapters, .. } => settled(ENDS_WITHIN, || Moment::of(adapters)).await,
        };
    }

    /// Asks all processes to end, and waits until they have, in time and in order.
    pub async fn end(self) -> Ended {
        match self {
            Self::Here {
                process,
                data_dir,
                folder,
            } => {
                process.terminate().await;
                Ended::Here { data_dir, folder }
            }
            Self::Apart { roles, place, .. } => {
                futures::future::join_all((*roles).map(Role::terminate)).await;
                Ended::Apart(place)
            }
        }
    }
}

/// What is there of a stack that has ended.
pub enum Ended {
    Here { data_dir: PathBuf, folder: TempDir },
    Apart(Place),
}

impl Ended {
    pub async fn again(self) -> Stack {
        match self {
            Self::Here { data_dir, folder } => Stack::here_in(folder, data_dir).await,
            Self::Apart(place) => Stack::apart_at(place).await,
        }
    }

    /// The provider keeps no books.
    pub async fn world(&self, book: &Book) -> World {
        match self {
            Self::Here { data_dir, .. } => look::in_folder(data_dir, book, None).await,
            Self::Apart(place) => look::at(place, book, None).await,
        }
    }

    /// The checks that have nothing to look at.
    pub fn not_looked_at(&self) -> &'static [&'static str] {
        match self {
            // There are no topics either.
            Self::Here { .. } => &["I3", "I9", "I11", "I12"],
            Self::Apart(_) => &["I9", "I11", "I12"],
        }
    }
}
