//! What an order is to show, and how it should end.

use super::seen::Seen;

/// What an order is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Play {
    /// Paid and delivered.
    Delivered,
    /// The provider declines.
    Declined,
    /// The provider does not answer the first time.
    TimedOut,
    /// The provider takes no money after all.
    CaptureRefused,
    /// More than there is.
    TooLarge,
    /// Cancelled as soon as it is placed.
    CancelledInTime,
    /// Cancelled when it has left.
    CancelledTooLate,
}

use Play::{
    CancelledInTime, CancelledTooLate, CaptureRefused, Declined, Delivered, TimedOut, TooLarge,
};

/// Why the orders that are cancelled are.
pub const CHANGED_MY_MIND: &str = "changed my mind";

/// What is to be thought of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has not come to an end yet.
    Open,
    /// It has ended as it should.
    Right,
    /// It has ended otherwise.
    Wrong,
}

impl Play {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Delivered,
        Declined,
        TimedOut,
        CaptureRefused,
        TooLarge,
        CancelledInTime,
        CancelledTooLate,
    ];

    /// A name for people.
    pub fn name(self) -> &'static str {
        match self {
            Delivered => "paid and delivered",
            Declined => "payment declined",
            TimedOut => "provider times out",
            CaptureRefused => "capture refused",
            TooLarge => "more than in stock",
            CancelledInTime => "cancelled in time",
            CancelledTooLate => "cancelled too late",
        }
    }

    /// How it should end, for people.
    pub fn should_end(self) -> &'static str {
        match self {
            Delivered | TimedOut => "COMPLETED, payment CAPTURED",
            CaptureRefused => "COMPLETED, CAPTURE_FAILED",
            Declined => "CANCELLED: payment-declined",
            TooLarge => "CANCELLED: out-of-stock",
            CancelledInTime => "CANCELLED, unless it left",
            CancelledTooLate => "COMPLETED, since it left",
        }
    }

    /// Whether it is right for `seen` to be the end. The order's own stream says how it ended; what
    /// the other streams still have to do about it is waited for.
    pub fn judge(self, seen: &Seen) -> Verdict {
        if !seen.is_over() {
            return Verdict::Open;
        }
        let reason = seen.cancel_reason.as_deref();
        let mut ends = self.ends().iter();
        let Some(end) = ends.find(|end| end.status == seen.status && end.reason == reason) else {
            return Verdict::Wrong;
        };
        let parts = [
            (&seen.inventory.status, end.inventory),
            (&seen.payment.status, end.payment),
            (&seen.delivery.status, end.delivery),
        ];
        let settled = parts
            .iter()
            .all(|(status, right)| right.contains(&status.as_deref().unwrap_or_default()));
        if settled {
            Verdict::Right
        } else {
            Verdict::Open
        }
    }

    /// A cancellation races the goods' leaving, and with a courier that takes no time it may lose
    /// even where it is sent at once; both ends are consistent then.
    fn ends(self) -> &'static [End] {
        match self {
            Delivered | TimedOut | CancelledTooLate => &[PAID_AND_DELIVERED],
            CaptureRefused => &[DELIVERED_UNPAID],
            Declined => &[DECLINED],
            TooLarge => &[OUT_OF_STOCK],
            CancelledInTime => &[CALLED_OFF, PAID_AND_DELIVERED],
        }
    }

    /// The last two digits of the total, which tell the simulated provider what to do.
    pub fn cents(self) -> u64 {
        match self {
            Delivered | TooLarge | CancelledInTime | CancelledTooLate => 1,
            Declined => 2,
            TimedOut => 3,
            CaptureRefused => 4,
        }
    }
}

/// An end that is right; parts that are not there are `""`.
struct End {
    status: &'static str,
    reason: Option<&'static str>,
    inventory: &'static [&'static str],
    payment: &'static [&'static str],
    delivery: &'static [&'static str],
}

const PAID_AND_DELIVERED: End = End {
    status: "COMPLETED",
    reason: None,
    inventory: &["SHIPPED"],
    payment: &["CAPTURED"],
    delivery: &["DELIVERED"],
};
const DELIVERED_UNPAID: End = End {
    payment: &["CAPTURE_FAILED"],
    ..PAID_AND_DELIVERED
};
const DECLINED: End = End {
    status: "CANCELLED",
    reason: Some("payment-declined"),
    inventory: &["RELEASED"],
    payment: &["FAILED"],
    delivery: &[""],
};
const OUT_OF_STOCK: End = End {
    status: "CANCELLED",
    reason: Some("out-of-stock"),
    inventory: &["REJECTED"],
    payment: &[""],
    delivery: &[""],
};
/// How far it came before decides what there was to undo.
const CALLED_OFF: End = End {
    status: "CANCELLED",
    reason: Some(CHANGED_MY_MIND),
    inventory: &["", "RELEASED"],
    payment: &["", "VOIDED"],
    delivery: &["", "CANCELLED"],
};

#[cfg(test)]
mod tests;
