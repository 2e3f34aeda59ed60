//! The versions of facts that are written today.

/// Every fact and the version of its payload's shape. A shape that was published is added to and
/// never edited; one that has to change gets the next version, and a step to it in `upcast`.
pub const VERSIONS: &[(&str, &str)] = &[
    ("order.created", "1"),
    ("order.cancellation-requested", "1"),
    ("order.cancellation-refused", "1"),
    ("order.cancelled", "1"),
    ("order.completed", "1"),
    ("inventory.reserved", "1"),
    ("inventory.rejected", "1"),
    ("inventory.released", "1"),
    ("inventory.shipped", "1"),
    ("inventory.returned", "1"),
    ("stock.received", "1"),
    ("stock.held", "1"),
    ("stock.freed", "1"),
    ("stock.shipped", "1"),
    ("stock.returned", "1"),
    ("payment.requested", "1"),
    ("payment.authorized", "1"),
    ("payment.failed", "1"),
    ("payment.capture-requested", "1"),
    ("payment.captured", "1"),
    ("payment.capture-failed", "1"),
    ("payment.void-requested", "1"),
    ("payment.voided", "1"),
    ("payment.refund-requested", "1"),
    ("payment.refunded", "1"),
    ("payment.undo-requested", "1"),
    ("delivery.requested", "1"),
    ("delivery.assigned", "2"),
    ("delivery.eta-updated", "1"),
    ("delivery.dispatched", "1"),
    ("delivery.delivered", "1"),
    ("delivery.failed", "1"),
    ("delivery.cancelled", "1"),
    ("delivery.cancellation-refused", "1"),
];

/// The version in which `name` is written; `None` for a name that is not ours.
pub fn version_of(name: &str) -> Option<&'static str> {
    let found = VERSIONS.iter().find(|(known, _)| *known == name);
    found.map(|(_, version)| *version)
}
