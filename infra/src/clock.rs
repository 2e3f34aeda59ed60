//! The one place where the wall clock is read.

use std::time::{SystemTime, UNIX_EPOCH};

use domain::values::Timestamp;

/// Now, to the microsecond. May go back when the machine's clock is set; facts never do (see
/// [`crate::handler`]).
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one home of the wall clock"
)]
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
