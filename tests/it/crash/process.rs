#[cfg(feature = "crash-points")]
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

#[cfg(feature = "crash-points")]
use crate::support::eventually;
use crate::support::{Client, resident_mb};

/// `waybill serve`, as a process of its own.
pub struct Process {
    child: Child,
    pub client: Client,
    /// How long it took until it listened.
    pub up_after: Duration,
}

/// How the process is configured: quick, and yet with calls under way at any moment.
const SETTINGS: [&str; 9] = [
    "command_addr=127.0.0.1:0",
    "query_addr=127.0.0.1:0",
    "payment_delay_ms=40",
    "courier_assign_ms=20",
    "courier_dispatch_ms=40",
    "courier_deliver_ms=20",
    "order_deadline_ms=60000",
    "drain_ms=10000",
    "log=error",
];

impl Process {
    pub async fn start(data_dir: &Path) -> Self {
        Self::start_with(data_dir, &[]).await
    }

    /// Starts it with settings over the usual ones.
    pub async fn start_with(data_dir: &Path, settings: &[&str]) -> Self {
        let started = Self::try_start_with(data_dir, settings).await;
        started.expect("the process says where it listens")
    }

    /// The same for one that may end before it listens.
    ///
    /// # Errors
    /// How it ended.
    pub async fn try_start_with(data_dir: &Path, settings: &[&str]) -> Result<Self, ExitStatus> {
        let begun = Instant::now();
        let Begun(mut child) = Self::begin_with(data_dir, settings);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(up) = lines.next_line().await.unwrap() else {
            return Err(child.wait().await.unwrap());
        };
        let up: Value = serde_json::from_str(&up).unwrap();
        let url = |key: &str| up[key].as_str().unwrap().to_owned();
        Ok(Self {
            child,
            client: Client::new(url("command"), url("query")),
            up_after: begun.elapsed(),
        })
    }

    /// Starts the process, and does not wait until it is up.
    pub fn begin(data_dir: &Path) -> Begun {
        Self::begin_with(data_dir, &[])
    }

    fn begin_with(data_dir: &Path, settings: &[&str]) -> Begun {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
        command
            .args(["serve", "--json", "--data-dir"])
            .arg(data_dir);
        // A secret is refused on the command line.
        for setting in SETTINGS.iter().chain(settings) {
            let (key, value) = setting.split_once('=').unwrap();
            command.env(format!("WAYBILL_{}", key.to_uppercase()), value);
        }
        command.stdout(Stdio::piped()).kill_on_drop(true);
        Begun(command.spawn().unwrap())
    }

    /// The memory that the process has in RAM.
    pub fn resident_mb(&self) -> u64 {
        resident_mb(self.child.id().unwrap())
    }

    /// SIGKILL: the process gets no chance to do anything.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM: the process drains.
    pub async fn terminate(mut self) {
        self.ask_to_end();
        let status = self.ended().await;
        assert!(status.success(), "{status}");
    }

    /// SIGTERM, and does not wait. One that is there no more is left alone.
    pub fn ask_to_end(&self) {
        if let Some(pid) = self.child.id() {
            let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
            kill_process(pid, Signal::TERM).ok();
        }
    }

    /// Waits until it has ended, and says how.
    pub async fn ended(&mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }
}

/// A process that may not be up yet.
pub struct Begun(Child);

impl Begun {
    pub async fn kill(mut self) {
        self.0.kill().await.unwrap();
    }
}

/// Waits until nobody has the folder, which this process had open: the writer may be about to end,
/// and so may a process that was begun by this one at that moment and has what this one had.
#[cfg(feature = "crash-points")]
pub async fn is_let_go(data_dir: &Path) {
    let inode = std::fs::metadata(data_dir.join("LOCK")).unwrap().ino();
    let locks = async || std::fs::read_to_string("/proc/locks").unwrap();
    let free = |locks: &String| !locks.contains(&format!(":{inode} "));
    eventually(locks, free).await;
}

/// A folder for a process's data, short enough for its socket.
pub fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    (folder, path)
}
