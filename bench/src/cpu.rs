//! CPU time of processes: noise of the machine moves it least.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// What the kernel counts it in, on every Linux: `USER_HZ` is part of its interface.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of this process so far, all of its threads.
pub fn of_self() -> anyhow::Result<Duration> {
    read("/proc/self/stat")
}

/// That of another one.
pub fn of(pid: u32) -> anyhow::Result<Duration> {
    read(&format!("/proc/{pid}/stat"))
}

fn read(path: &str) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(path).with_context(|| path.to_owned())?;
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
