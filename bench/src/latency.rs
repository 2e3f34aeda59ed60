//! How long things took, to three digits.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest that is told apart; what takes longer counts as this.
const LONGEST: Duration = Duration::from_secs(60);
/// Digits that count.
const DIGITS: u8 = 3;

/// Times, by how often they were met.
pub struct Latency(Histogram<u64>);

impl Latency {
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_max(nanos(LONGEST), DIGITS)?))
    }

    pub fn record(&mut self, took: Duration) {
        self.0.saturating_record(nanos(took));
    }

    /// The time within which so many of a hundred were done, in milliseconds.
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        self.0.value_at_percentile(percent) as f64 / 1e6
    }

    /// How many times there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
