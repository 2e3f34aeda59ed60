//! Processes of their own, made of this executable: roles of waybill, and bare servers to hold
//! them against. What they use of CPU and memory is theirs alone.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

use crate::cpu::{self, Meter};

/// What this process was started as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The program, with its command line.
    Waybill,
    /// A server of [`crate::bare`].
    Bare,
}

/// The name under which it is then started.
const WAYBILL: &str = "waybill";
const BARE: &str = "waybill-bare";
/// Until a server says where it listens.
const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// Until one has ended that was asked to; longer than its drain.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// What this process is to be; none where it is the benchmark.
pub fn role() -> Option<Role> {
    match env::args().next().as_deref() {
        Some(WAYBILL) => Some(Role::Waybill),
        Some(BARE) => Some(Role::Bare),
        _ => None,
    }
}

/// A server in a process of its own. Killed when it is dropped.
pub struct Server {
    child: Child,
    pid: u32,
    /// `host:port`
    pub addr: String,
}

impl Server {
    /// Starts waybill with `args`, and returns once it says where it listens.
    pub async fn waybill(args: &[String]) -> anyhow::Result<Self> {
        Self::start(WAYBILL, args).await
    }

    /// The same for a bare server.
    pub async fn bare(args: &[String]) -> anyhow::Result<Self> {
        Self::start(BARE, args).await
    }

    async fn start(name: &str, args: &[String]) -> anyhow::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.arg0(name).args(args).stdout(Stdio::piped());
        let mut command = tokio::process::Command::from(command);
        let mut child = command.kill_on_drop(true).spawn()?;
        let out = child.stdout.take().context("its output")?;
        let mut lines = BufReader::new(out).lines();
        let up = timeout(STARTS_WITHIN, lines.next_line()).await??;
        let up = up.with_context(|| format!("{name} {args:?} does not start"))?;
        let up: Value = serde_json::from_str(&up)?;
        let addrs = ["command", "query", "projectors"].map(|name| up[name].as_str());
        let addr = addrs.into_iter().flatten().next().context("an address")?;
        Ok(Self {
            pid: child.id().context("its id")?,
            addr: addr.trim_start_matches("http://").to_owned(),
            child,
        })
    }

    /// What it uses of the CPU from now on.
    pub fn meter(&self) -> anyhow::Result<Meter> {
        Meter::of(self.pid)
    }

    /// The most memory that it ever had resident.
    pub fn peak_memory_mb(&self) -> anyhow::Result<f64> {
        cpu::peak_memory_mb(self.pid)
    }

    /// Asks it to end, and waits for that.
    pub async fn end(mut self) -> anyhow::Result<()> {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid)?).context("its id")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        timeout(ENDS_WITHIN, self.child.wait()).await??;
        Ok(())
    }
}
