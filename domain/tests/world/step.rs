//! What may happen next.

use std::fmt;

use domain::payment::Settlement;
use domain::{Category, Service, Task};

/// One thing that happens; everything it causes is appended in one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A customer places the order.
    Place { order: usize },
    /// A service takes the next fact of a stream that concerns it.
    Deliver {
        order: usize,
        from: Category,
        to: Service,
    },
    /// What was delivered to a service before, by its number, is delivered once more.
    Again { order: usize, number: usize },
    /// The provider answers an open call.
    Answer {
        order: usize,
        task: Task,
        granted: bool,
    },
    /// The provider does what it was asked, and its answer gets lost.
    AnswerLost {
        order: usize,
        task: Task,
        granted: bool,
    },
    /// The courier takes a step, and reports it with all that was not heard before.
    Courier { order: usize, report: Report },
    /// The courier takes a step, and its report gets lost.
    CourierLost { order: usize, report: Report },
    /// The courier is asked again, and reports what was not heard.
    CourierHeard { order: usize },
    /// The courier hears that the delivery is called off.
    CallOff { order: usize },
    /// The order's time is up.
    Deadline { order: usize },
    /// The customer wants to cancel.
    Cancel { order: usize },
    /// An operator did by hand what the provider would not do, and says so.
    Settle { order: usize, outcome: Settlement },
    /// A person says how far the delivery is.
    Record { order: usize, report: Report },
    /// Goods arrive.
    Receive { receipt: usize },
}

impl Step {
    /// The order that it is about.
    pub fn order(&self) -> Option<usize> {
        match *self {
            Self::Place { order }
            | Self::Deliver { order, .. }
            | Self::Again { order, .. }
            | Self::Answer { order, .. }
            | Self::AnswerLost { order, .. }
            | Self::Courier { order, .. }
            | Self::CourierLost { order, .. }
            | Self::CourierHeard { order }
            | Self::CallOff { order }
            | Self::Deadline { order }
            | Self::Cancel { order }
            | Self::Settle { order, .. }
            | Self::Record { order, .. } => Some(order),
            Self::Receive { .. } => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(order) = self.order() {
            write!(f, "#{order} ")?;
        }
        let answer = |granted| if granted { "grants" } else { "refuses" };
        match self {
            Self::Place { .. } => write!(f, "is placed"),
            Self::Deliver { from, to, .. } => write!(f, "{from} fact to {to}"),
            Self::Again { number, .. } => write!(f, "delivery {number} again"),
            Self::Answer { task, granted, .. } => write!(f, "provider {} {task}", answer(*granted)),
            Self::AnswerLost { task, granted, .. } => {
                write!(f, "provider {} {task}, unheard", answer(*granted))
            }
            Self::Courier { report, .. } => write!(f, "courier: {report:?}"),
            Self::CourierLost { report, .. } => write!(f, "courier: {report:?}, unheard"),
            Self::CourierHeard { .. } => write!(f, "courier is asked again"),
            Self::CallOff { .. } => write!(f, "courier hears that it is called off"),
            Self::Deadline { .. } => write!(f, "time is up"),
            Self::Cancel { .. } => write!(f, "customer cancels"),
            Self::Settle { outcome, .. } => write!(f, "operator settles: {outcome:?}"),
            Self::Record { report, .. } => write!(f, "person: {report:?}"),
            Self::Receive { receipt } => write!(f, "goods arrive: receipt {receipt}"),
        }
    }
}

/// How far a delivery is, said by the courier or by a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Report {
    /// Someone will bring it.
    Assigned,
    /// It has left.
    Dispatched,
    /// It has arrived.
    Delivered,
    /// It will not arrive.
    Failed,
    /// It will arrive at another time.
    Later,
}

impl Report {
    pub const ALL: [Self; 5] = [
        Self::Assigned,
        Self::Dispatched,
        Self::Delivered,
        Self::Failed,
        Self::Later,
    ];
}
