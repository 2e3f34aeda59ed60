use super::Status;
use crate::testing::values::{items, minute, order_id};
use crate::view::order_view::{DeliverySide, InventorySide, OrderRow, PaymentSide, Versions};

/// The statuses of the order, its stock, its money and its delivery; empty for no fact yet.
type Streams = [&'static str; 4];

const ORDER: [&str; 5] = [
    "CREATED",
    "CANCELLATION_REQUESTED",
    "CANCELLATION_REFUSED",
    "CANCELLED",
    "COMPLETED",
];
const INVENTORY: [&str; 6] = [
    "", "RESERVED", "REJECTED", "RELEASED", "SHIPPED", "RETURNED",
];
const PAYMENT: [&str; 12] = [
    "",
    "REQUESTED",
    "AUTHORIZED",
    "FAILED",
    "CAPTURE_REQUESTED",
    "CAPTURED",
    "CAPTURE_FAILED",
    "VOID_REQUESTED",
    "VOIDED",
    "REFUND_REQUESTED",
    "REFUNDED",
    "UNDO_REQUESTED",
];
const DELIVERY: [&str; 7] = [
    "",
    "REQUESTED",
    "ASSIGNED",
    "DISPATCHED",
    "DELIVERED",
    "FAILED",
    "CANCELLED",
];

/// The first row that matches says where the order stands: a status, a stream by its number in
/// [`Streams`], and what that stream has to be.
const FIRST_MATCH: &[(&str, usize, &str)] = &[
    ("CANCELLED", 0, "CANCELLED"),
    ("COMPLETED", 0, "COMPLETED"),
    ("CANCELLING", 0, "CANCELLATION_REQUESTED"),
    ("CANCELLING", 1, "REJECTED|RELEASED|RETURNED"),
    (
        "CANCELLING",
        2,
        "FAILED|UNDO_REQUESTED|VOID_REQUESTED|VOIDED|REFUND_REQUESTED|REFUNDED",
    ),
    ("CANCELLING", 3, "CANCELLED|FAILED"),
    ("DELIVERED", 3, "DELIVERED"),
    ("DISPATCHED", 3, "DISPATCHED"),
    ("DELIVERY_ASSIGNED", 3, "ASSIGNED"),
    (
        "PAYMENT_AUTHORIZED",
        2,
        "AUTHORIZED|CAPTURE_REQUESTED|CAPTURED|CAPTURE_FAILED",
    ),
    ("INVENTORY_RESERVED", 1, "RESERVED|SHIPPED"),
];

fn first_match(streams: Streams) -> &'static str {
    let matches = |row: &&(&str, usize, &str)| row.2.split('|').any(|it| it == streams[row.1]);
    let found = FIRST_MATCH.iter().find(matches);
    found.map_or("CREATED", |row| row.0)
}

fn row([order, inventory, payment, delivery]: Streams) -> OrderRow {
    let status = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    OrderRow {
        order_id: order_id(),
        customer_id: "customer-7".into(),
        currency: "EUR".into(),
        total_amount: 1999,
        items: items().into(),
        order_status: order.into(),
        cancel_reason: None,
        created_at: minute(1),
        updated_at: minute(1),
        inventory: InventorySide {
            status: status(inventory),
            ..InventorySide::default()
        },
        payment: PaymentSide {
            status: status(payment),
            ..PaymentSide::default()
        },
        delivery: DeliverySide {
            status: status(delivery),
            ..DeliverySide::default()
        },
        versions: Versions::default(),
    }
}

#[test]
fn the_status_is_the_first_that_matches_for_all_statuses_of_all_streams() {
    let mut met = std::collections::BTreeSet::new();
    for order in ORDER {
        for inventory in INVENTORY {
            for payment in PAYMENT {
                for delivery in DELIVERY {
                    let streams = [order, inventory, payment, delivery];
                    let status = row(streams).status();
                    assert_eq!(status.name(), first_match(streams), "{streams:?}");
                    met.insert(status);
                }
            }
        }
    }
    assert!(met.into_iter().eq(Status::ALL), "each status is met");
}

#[test]
fn the_happy_road_passes_every_step_once() {
    let road = [
        (["CREATED", "", "", ""], Status::Created),
        (
            ["CREATED", "RESERVED", "REQUESTED", ""],
            Status::InventoryReserved,
        ),
        (
            ["CREATED", "RESERVED", "AUTHORIZED", "REQUESTED"],
            Status::PaymentAuthorized,
        ),
        (
            ["CREATED", "RESERVED", "AUTHORIZED", "ASSIGNED"],
            Status::DeliveryAssigned,
        ),
        (
            ["CREATED", "SHIPPED", "CAPTURED", "DISPATCHED"],
            Status::Dispatched,
        ),
        (
            ["CREATED", "SHIPPED", "CAPTURED", "DELIVERED"],
            Status::Delivered,
        ),
        (
            ["COMPLETED", "SHIPPED", "CAPTURED", "DELIVERED"],
            Status::Completed,
        ),
    ];
    for (streams, status) in road {
        assert_eq!(row(streams).status(), status);
    }
}

#[test]
fn a_refused_cancellation_does_not_show_as_cancelling() {
    let refused = ["CANCELLATION_REFUSED", "SHIPPED", "CAPTURED", "DISPATCHED"];
    assert_eq!(row(refused).status(), Status::Dispatched);
}

#[test]
fn only_the_two_ends_are_over() {
    let over: Vec<Status> = Status::ALL.into_iter().filter(|it| it.is_over()).collect();
    assert_eq!(over, [Status::Cancelled, Status::Completed]);
}
