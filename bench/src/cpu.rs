//! CPU time of processes: noise of the machine moves it least.

use std::fs;
use std::process;
use std::time::Duration;

use anyhow::Context;

/// What the kernel counts it in, on every Linux: `USER_HZ` is part of its interface.
const TICK: Duration = Duration::from_millis(10);

/// What a process, all of its threads, has used since this was made.
pub struct Meter {
    pid: u32,
    before: Duration,
}

impl Meter {
    /// Of this process.
    pub fn start() -> anyhow::Result<Self> {
        Self::of(process::id())
    }

    /// Of another one.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let before = so_far(pid)?;
        Ok(Self { pid, before })
    }

    pub fn used(&self) -> anyhow::Result<Duration> {
        Ok(so_far(self.pid)?.saturating_sub(self.before))
    }
}

fn so_far(pid: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).context(path)?;
    // The name of the process may have any characters, and ends with the last bracket.
    let (_, rest) = stat.rsplit_once(')').context("no stat of a process")?;
    let mut ticks = rest
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<u32>);
    let (user, system) = (
        ticks.next().context("utime")??,
        ticks.next().context("stime")??,
    );
    Ok(TICK * (user + system))
}

/// The most memory that a process ever had resident, in MB.
pub fn peak_memory_mb(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .context("no VmHWM")?
        .trim()
        .parse()?;
    Ok(kib * 1024.0 / 1e6)
}
