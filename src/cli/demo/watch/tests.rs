use domain::values::Timestamp;

use super::*;
use crate::cli::demo::seen::testing::{CANCELLED, COMPLETED, seen};

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn begun() -> Watch {
    let mut watch = Watch::new(&Script::new("run", 20));
    let order_id = "01890a5d-ac96-774b-bcce-b302099a8057".to_owned();
    watch.take((0, Event::Placed { order_id }), at(2));
    watch
}

fn see(watch: &mut Watch, seen: Seen, seconds: u64) -> bool {
    watch
        .take((0, Event::Seen(Box::new(seen))), at(seconds))
        .is_some()
}

#[test]
fn a_change_of_status_is_told_once() {
    let mut watch = begun();
    let created = seen("CREATED", None, "", "", "");
    assert!(see(&mut watch, created.clone(), 3));
    assert!(!see(&mut watch, created, 4));
    // The status is the same: another part has moved.
    assert!(!see(
        &mut watch,
        seen("CREATED", None, "", "REQUESTED", ""),
        5
    ));
    assert!(see(
        &mut watch,
        seen("INVENTORY_RESERVED", None, "RESERVED", "REQUESTED", ""),
        6
    ));
}

#[test]
fn an_end_is_told_when_the_last_part_has_settled() {
    let mut watch = begun();
    let completed = |payment| seen(COMPLETED, None, "SHIPPED", payment, "DELIVERED");
    assert!(see(&mut watch, completed("CAPTURE_REQUESTED"), 3));
    assert!(!watch.orders[0].is_right());
    assert!(see(&mut watch, completed("CAPTURED"), 4));
    assert!(watch.orders[0].is_right());
    assert_eq!(watch.ended(), 1);
    assert!(!watch.is_over());
}

#[test]
fn an_order_that_has_ended_ages_no_more() {
    let mut watch = begun();
    see(&mut watch, seen("CREATED", None, "", "", ""), 3);
    assert_eq!(watch.orders[0].age(at(7)), at(5));
    see(
        &mut watch,
        seen(COMPLETED, None, "SHIPPED", "CAPTURED", "DELIVERED"),
        9,
    );
    assert_eq!(watch.orders[0].age(at(100)), at(7));
}

#[test]
fn a_note_says_who_comes_when_or_else_why_not() {
    let mut watch = begun();
    let now = Timestamp::from_micros(0);
    assert_eq!(watch.orders[0].note(now), "");
    let mut on_its_way = seen("DISPATCHED", None, "SHIPPED", "CAPTURED", "DISPATCHED");
    on_its_way.delivery.estimated_delivery_time = Some(now.plus_ms(41 * 60_000 + 1));
    see(&mut watch, on_its_way, 3);
    assert_eq!(watch.orders[0].note(now), "Driver Hazel, 42 min");
    see(
        &mut watch,
        seen(COMPLETED, None, "SHIPPED", "CAPTURED", "DELIVERED"),
        4,
    );
    assert_eq!(watch.orders[0].note(now), "Driver Hazel");
    see(
        &mut watch,
        seen(CANCELLED, Some("out-of-stock"), "REJECTED", "", ""),
        5,
    );
    assert_eq!(watch.orders[0].note(now), "out-of-stock");
}
