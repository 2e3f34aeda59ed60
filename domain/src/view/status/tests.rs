use super::{Status, Steps};

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

fn derived([order, inventory, payment, delivery]: Streams) -> Status {
    Status::derive(Steps {
        order,
        inventory,
        payment,
        delivery,
    })
}

#[test]
fn the_status_is_the_first_that_matches_for_all_statuses_of_all_streams() {
    let mut met = std::collections::BTreeSet::new();
    for order in ORDER {
        for inventory in INVENTORY {
            for payment in PAYMENT {
                for delivery in DELIVERY {
                    let streams = [order, inventory, payment, delivery];
                    let status = derived(streams);
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
        assert_eq!(derived(streams), status);
    }
}

#[test]
fn a_refused_cancellation_does_not_show_as_cancelling() {
    let refused = ["CANCELLATION_REFUSED", "SHIPPED", "CAPTURED", "DISPATCHED"];
    assert_eq!(derived(refused), Status::Dispatched);
}

#[test]
fn only_the_two_ends_are_over() {
    let over: Vec<Status> = Status::ALL.into_iter().filter(|it| it.is_over()).collect();
    assert_eq!(over, [Status::Cancelled, Status::Completed]);
}

#[test]
fn every_status_is_found_by_its_name() {
    for status in Status::ALL {
        assert_eq!(Status::named(status.name()), Some(status));
    }
    assert_eq!(Status::named("created"), None);
}
