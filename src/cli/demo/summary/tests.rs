use super::*;
use crate::cli::demo::follow::Event;
use crate::cli::demo::seen::Seen;
use crate::cli::demo::seen::testing::{CANCELLED, COMPLETED, seen};

const NOW: Duration = Duration::from_secs(17);

fn right_end(play: Play) -> Seen {
    let cancelled =
        |reason, inventory, payment| seen(CANCELLED, Some(reason), inventory, payment, "");
    match play {
        Play::Delivered | Play::TimedOut | Play::CancelledTooLate => {
            seen(COMPLETED, None, "SHIPPED", "CAPTURED", "DELIVERED")
        }
        Play::CaptureRefused => seen(COMPLETED, None, "SHIPPED", "CAPTURE_FAILED", "DELIVERED"),
        Play::Declined => cancelled("payment-declined", "RELEASED", "FAILED"),
        Play::TooLarge => cancelled("out-of-stock", "REJECTED", ""),
        Play::CancelledInTime => cancelled("changed my mind", "RELEASED", "VOIDED"),
    }
}

/// A run where everything ended as it should, and the stock that it should leave.
fn right_run() -> (Script, Watch, Vec<Stock>) {
    let script = Script::new("run", 20);
    let mut watch = Watch::new(&script);
    for (n, order) in script.orders.iter().enumerate() {
        let seen = Box::new(right_end(order.play));
        let order_id = format!("order-{n}");
        watch.take((n, Event::Placed { order_id }), Duration::ZERO);
        let after = Duration::from_millis(n as u64 + 1);
        watch.take((n, Event::Visible(after)), Duration::ZERO);
        watch.take((n, Event::Seen(seen)), NOW);
    }
    let stock = |receipt: &super::super::script::Receipt| Stock {
        on_hand: u64::from(receipt.quantity - shipped(&script, &watch, &receipt.sku)),
        held: 0,
    };
    let stock = script.stock.iter().map(stock).collect();
    (script, watch, stock)
}

#[test]
fn a_right_run_has_no_complaint() {
    let (script, watch, stock) = right_run();
    let summary = Summary::new(&script, &watch, stock, NOW);
    assert_eq!(summary.complaint(), None);
    assert_eq!(
        summary.ends[0].to_string(),
        "✓   9 paid and delivered  COMPLETED, payment CAPTURED  9 COMPLETED"
    );
    assert_eq!(
        summary
            .ends
            .iter()
            .map(|ends| ends.as_it_should)
            .sum::<usize>(),
        20
    );
    assert_eq!(
        summary.visible_ms,
        Some(Percentiles {
            p50: 10.0,
            p99: 20.0
        })
    );
}

#[test]
fn a_wrong_end_is_named_with_what_helps() {
    let (script, mut watch, stock) = right_run();
    let wrong = seen(CANCELLED, Some("deadline"), "RELEASED", "VOIDED", "");
    watch.take((0, Event::Seen(Box::new(wrong))), NOW);
    let complaint = Summary::new(&script, &watch, stock, NOW).complaint();
    let complaint = complaint.unwrap_or_default();
    assert!(
        complaint.contains("order-0 (paid and delivered): is CANCELLED"),
        "{complaint}"
    );
    assert!(complaint.contains("waybill explain order-0"), "{complaint}");
    assert!(!complaint.contains("order-1 "), "{complaint}");
}

#[test]
fn an_order_that_has_not_ended_is_not_right() {
    let (script, mut watch, stock) = right_run();
    watch.orders[3] = Watch::new(&script).orders.swap_remove(3);
    let complaint = Summary::new(&script, &watch, stock, NOW).complaint();
    assert!(complaint.is_some_and(|text| text.contains("could not be placed in time")));
}

#[test]
fn stock_that_is_held_or_missing_is_not_right() {
    let (script, watch, stock) = right_run();
    let mut held = stock.clone();
    held[0].held = 1;
    let mut missing = stock;
    missing[1].on_hand -= 1;
    for (wrong, sku) in [(held, "tea-run has"), (missing, "mug-run has")] {
        let complaint = Summary::new(&script, &watch, wrong, NOW).complaint();
        assert!(complaint.is_some_and(|text| text.contains(sku)));
    }
}

#[test]
fn a_percentile_is_the_smallest_value_that_reaches_it() {
    let values: Vec<_> = (1..=200).map(Duration::from_millis).collect();
    assert_eq!(percentile(&values, 50), Some(Duration::from_millis(100)));
    assert_eq!(percentile(&values, 99), Some(Duration::from_millis(198)));
    assert_eq!(percentile(&values[..1], 99), Some(Duration::from_millis(1)));
    assert_eq!(percentile(&[], 50), None);
}
