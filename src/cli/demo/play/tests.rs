use super::*;
use crate::cli::demo::seen::testing::{CANCELLED, COMPLETED, seen};

#[test]
fn an_order_is_open_until_every_part_has_settled() {
    let judge = |payment| Delivered.judge(&seen(COMPLETED, None, "SHIPPED", payment, "DELIVERED"));
    assert_eq!(judge("CAPTURE_REQUESTED"), Verdict::Open);
    assert_eq!(judge("CAPTURED"), Verdict::Right);
    let on_its_way = seen("DISPATCHED", None, "SHIPPED", "CAPTURED", "DISPATCHED");
    assert_eq!(Delivered.judge(&on_its_way), Verdict::Open);
}

#[test]
fn another_end_or_another_reason_is_wrong() {
    let cancelled = |reason| seen(CANCELLED, Some(reason), "RELEASED", "FAILED", "");
    assert_eq!(
        Delivered.judge(&cancelled("payment-declined")),
        Verdict::Wrong
    );
    assert_eq!(
        Declined.judge(&cancelled("payment-declined")),
        Verdict::Right
    );
    assert_eq!(Declined.judge(&cancelled("deadline")), Verdict::Wrong);
    let delivered = seen(COMPLETED, None, "SHIPPED", "CAPTURED", "DELIVERED");
    assert_eq!(TooLarge.judge(&delivered), Verdict::Wrong);
}

#[test]
fn a_refused_capture_and_a_lack_of_stock_have_ends_of_their_own() {
    let unpaid = seen(COMPLETED, None, "SHIPPED", "CAPTURE_FAILED", "DELIVERED");
    assert_eq!(CaptureRefused.judge(&unpaid), Verdict::Right);
    let short = seen(CANCELLED, Some("out-of-stock"), "REJECTED", "", "");
    assert_eq!(TooLarge.judge(&short), Verdict::Right);
}

#[test]
fn a_cancellation_in_time_may_find_the_goods_gone_but_never_keeps_anything() {
    let cancelled = |inventory, payment, delivery| {
        let reason = Some(CHANGED_MY_MIND);
        CancelledInTime.judge(&seen(CANCELLED, reason, inventory, payment, delivery))
    };
    assert_eq!(cancelled("", "", ""), Verdict::Right);
    assert_eq!(cancelled("RELEASED", "VOIDED", "CANCELLED"), Verdict::Right);
    assert_eq!(cancelled("RESERVED", "VOIDED", "CANCELLED"), Verdict::Open);
    assert_eq!(
        cancelled("RELEASED", "AUTHORIZED", "CANCELLED"),
        Verdict::Open
    );
    let delivered = seen(COMPLETED, None, "SHIPPED", "CAPTURED", "DELIVERED");
    assert_eq!(CancelledInTime.judge(&delivered), Verdict::Right);
    let too_late = seen(
        CANCELLED,
        Some(CHANGED_MY_MIND),
        "RELEASED",
        "VOIDED",
        "CANCELLED",
    );
    assert_eq!(CancelledTooLate.judge(&too_late), Verdict::Wrong);
}
