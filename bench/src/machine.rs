//! What it was measured on: figures without it mean nothing.

use std::fmt;
use std::fs;
use std::thread;

use serde::Serialize;

/// The machine.
#[derive(Debug, Serialize)]
pub struct Machine {
    cores: usize,
    cpu: String,
    memory_gib: u64,
    kernel: String,
    /// Processes that wanted to run, over the last minute: what else there was.
    load: String,
}

impl Machine {
    /// This one; a part that cannot be read is empty.
    pub fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let after = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key));
            let value = line.and_then(|line| line.split_once(':'));
            value.map_or(String::new(), |(_, value)| value.trim().to_owned())
        };
        let kib = after(&text("/proc/meminfo"), "MemTotal");
        let kib: u64 = kib.trim_end_matches(" kB").parse().unwrap_or(0);
        Self {
            cores: thread::available_parallelism().map_or(0, usize::from),
            cpu: after(&text("/proc/cpuinfo"), "model name"),
            memory_gib: kib / 1024 / 1024,
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: text("/proc/loadavg")
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cores,
            cpu,
            memory_gib,
            kernel,
            load,
        } = self;
        write!(
            f,
            "{cores} cores ({cpu}), {memory_gib} GiB, Linux {kernel}, load {load}"
        )
    }
}
