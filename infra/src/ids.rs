//! The one place where ids are made up.

use domain::values::OrderId;
use uuid::Uuid;

/// An id for a new order: a UUID v7, so that orders sort by time in every store.
pub fn order() -> OrderId {
    OrderId(unique())
}

/// An id for a command that came from outside, or for this process.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one home of random ids"
)]
pub fn unique() -> Uuid {
    Uuid::now_v7()
}
