//! What the views are to show: a fold of the logs, worked out from `schemas/cassandra`.
//!
//! Every cell has the stamp of the one fact that set it, its sequence times 1024; a repair may add
//! less than that.

mod fold;

pub use fold::{Rows, expected};

/// What a sequence is multiplied by to make a stamp.
pub const STAMPS_PER_SEQUENCE: i64 = 1024;

/// A table that readers read.
#[derive(Debug)]
pub struct View {
    /// What it is called.
    pub name: &'static str,
    /// The columns of its key.
    pub key: &'static [&'static str],
    /// The others.
    pub columns: &'static [&'static str],
}

/// All of them.
pub const ALL: [View; 3] = [
    View {
        name: "order_view",
        key: &["order_id"],
        columns: &[
            "customer_id",
            "currency",
            "total_amount",
            "items",
            "order_status",
            "cancel_reason",
            "created_at",
            "order_updated_at",
            "order_version",
            "inventory_status",
            "inventory_reason",
            "inventory_updated_at",
            "reservation_version",
            "payment_id",
            "payment_status",
            "payment_reason",
            "payment_updated_at",
            "payment_version",
            "delivery_id",
            "delivery_status",
            "driver_name",
            "estimated_delivery_time",
            "delivery_updated_at",
            "delivery_version",
        ],
    },
    View {
        name: "orders_by_customer",
        key: &["customer_id", "order_id"],
        columns: &[
            "currency",
            "total_amount",
            "created_at",
            "order_status",
            "order_version",
            "inventory_status",
            "reservation_version",
            "payment_status",
            "payment_version",
            "delivery_status",
            "delivery_version",
        ],
    },
    View {
        name: "order_timeline",
        key: &["order_id", "occurred_at", "stream", "sequence"],
        columns: &[
            "name",
            "version",
            "payload",
            "causation",
            "correlation",
            "service",
            "position",
        ],
    },
];

/// The view of that name.
pub fn named(name: &str) -> Option<&'static View> {
    ALL.iter().find(|view| view.name == name)
}
