#[cfg(feature = "crash-points")]
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{Client, Reply};

/// Until a role that was asked to end has ended: it would take half of its `drain_ms` of 20 s to
/// cut off what does not.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// A process with one role. Killed when it is dropped.
pub struct Role {
    child: Child,
    url: String,
    /// What it logs, where that is kept.
    log: Option<NamedTempFile>,
}

impl Role {
    /// Runs the command, and returns once it listens.
    pub async fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let up = lines.next_line().await.unwrap();
        let up = up.expect("the process says where it listens");
        let up: Value = serde_json::from_str(&up).unwrap();
        let url = ["command", "query", "projectors"]
            .into_iter()
            .find_map(|name| up[name].as_str());
        let url = url.expect("an address").to_owned();
        Self {
            child,
            url,
            log: None,
        }
    }

    /// The same, and keeps what it logs.
    pub async fn start_heard(mut command: Command) -> Self {
        let log = NamedTempFile::new().unwrap();
        command.stderr(log.reopen().unwrap());
        Self {
            log: Some(log),
            ..Self::start(command).await
        }
    }

    /// What it has logged so far.
    pub fn said(&self) -> String {
        let log = self.log.as_ref().expect("one whose log is kept");
        std::fs::read_to_string(log.path()).unwrap()
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// What it says of its readiness.
    pub async fn readiness(&self) -> Reply {
        let client = Client::new(self.url(), self.url());
        let url = format!("{}/readyz", self.url);
        client
            .try_send(Method::GET, &url, None, &[])
            .await
            .expect("an answer")
    }

    /// That it has not exited.
    #[track_caller]
    pub fn expect_up(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert_eq!(ended, None, "{} has exited", self.url);
    }

    /// The memory that it has in RAM.
    pub fn resident_mb(&self) -> u64 {
        resident_mb(self.child.id().unwrap())
    }

    /// Waits until it has ended, and says how.
    #[cfg(feature = "crash-points")]
    pub async fn ended(&mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }

    /// SIGKILL: it gets no chance to do anything.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGSTOP: it keeps its connections and does nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT: it goes on and knows of nothing.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// SIGTERM: it drains, in time.
    pub async fn terminate(mut self) {
        self.signal(Signal::TERM);
        let begun = Instant::now();
        let status = self.child.wait().await.unwrap();
        assert!(status.success(), "{status}");
        let took = begun.elapsed();
        assert!(took < ENDS_WITHIN, "{} took {took:?} to end", self.url);
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().unwrap().try_into().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }
}

/// The memory that a process has in RAM.
pub fn resident_mb(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() / 1024
}
