//! A moment, to the microsecond.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::Invalid;

/// Microseconds since 1970 in UTC, from year 1 to year 9999; as text RFC 3339 with six decimals.
///
/// Microseconds, because Postgres keeps no more, and a time must be the same on both stacks.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

/// 0001-01-01T00:00:00Z.
const MIN: i64 = -62_135_596_800_000_000;
/// 9999-12-31T23:59:59.999999Z: later years have no RFC 3339 form.
const MAX: i64 = 253_402_300_799_999_999;

impl Timestamp {
    /// A moment `micros` after 1970, held within the years that have a text.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(MIN, MAX))
    }

    /// Microseconds since 1970.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// The moment `ms` milliseconds later.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        let micros = i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1000);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// The next moment.
    #[must_use]
    pub fn next(self) -> Self {
        Self::from_micros(self.0 + 1)
    }

    /// Milliseconds from `earlier` to here; 0 where that lies later.
    pub fn ms_since(self, earlier: Self) -> u64 {
        u64::try_from((self.0 - earlier.0) / 1000).unwrap_or(0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = DateTime::<Utc>::from_timestamp_micros(self.0).unwrap_or_default();
        f.write_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl FromStr for Timestamp {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("must be an RFC 3339 time such as 2026-01-31T12:00:00Z");
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?;
        let micros = time.timestamp_micros();
        if (MIN..=MAX).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(wrong())
        }
    }
}

impl TryFrom<String> for Timestamp {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}
