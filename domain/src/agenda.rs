//! What has to be done outside a stream, and when: the calls and timers that facts open and
//! settle.
//!
//! An open task is a row of its service's store, written in the transaction of the fact that
//! opens it and removed in that of the fact that settles it. So a crash can neither lose a call
//! that was decided nor forget that its answer arrived.

use std::fmt;
use std::str::FromStr;

use crate::{Fact, Service, delivery, payment};

/// A call to the outside, or a timer. There is at most one of each kind open for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// Have the provider hold the money.
    Authorize,
    /// Have the provider take it.
    Capture,
    /// Have the provider hold it no longer.
    Void,
    /// Have the provider give it back.
    Refund,
    /// Ask the courier to bring the goods, and how far it is.
    Courier,
    /// Tell the courier that the delivery is called off. Settled by the call itself.
    CallOff,
    /// Close the order if its delivery was not requested in time.
    Deadline,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Authorize,
        Self::Capture,
        Self::Void,
        Self::Refund,
        Self::Courier,
        Self::CallOff,
        Self::Deadline,
    ];

    /// The name, in kebab case; with the order id it is the provider's idempotency key.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::Courier => "courier",
            Self::CallOff => "call-off",
            Self::Deadline => "deadline",
        }
    }

    /// Whose store keeps it.
    pub const fn service(self) -> Service {
        match self {
            Self::Authorize | Self::Capture | Self::Void | Self::Refund => Service::Payment,
            Self::Courier | Self::CallOff | Self::Deadline => Service::Delivery,
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no task named '{0}'")]
pub struct UnknownTask(String);

impl FromStr for Task {
    type Err = UnknownTask;

    fn from_str(name: &str) -> Result<Self, UnknownTask> {
        let named = Self::ALL.into_iter().find(|task| task.name() == name);
        named.ok_or_else(|| UnknownTask(name.to_owned()))
    }
}

/// What a fact opens and settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Agenda {
    /// To be done from now on.
    pub opens: Option<Task>,
    /// Done, or no longer wanted.
    pub settles: &'static [Task],
}

/// What `fact` opens and settles. [`Task::Deadline`] is opened by the delivery service when it
/// takes `order.created`, which is another service's fact, and so is not opened here.
pub fn agenda(fact: &Fact) -> Agenda {
    match fact {
        Fact::Payment(event) => of_payment(event),
        Fact::Delivery(event) => of_delivery(event),
        Fact::Order(_) | Fact::Reservation(_) | Fact::Stock(_) => Agenda::default(),
    }
}

fn of_payment(event: &payment::Event) -> Agenda {
    use payment::Event;
    let (opens, settles): (Option<Task>, &[Task]) = match event {
        Event::Requested { .. } => (Some(Task::Authorize), &[]),
        Event::Authorized { .. } | Event::Failed { .. } => (None, &[Task::Authorize]),
        Event::CaptureRequested { .. } => (Some(Task::Capture), &[]),
        Event::Captured { .. } | Event::CaptureFailed { .. } => (None, &[Task::Capture]),
        Event::VoidRequested { .. } => (Some(Task::Void), &[]),
        Event::Voided { .. } => (None, &[Task::Void]),
        Event::RefundRequested { .. } => (Some(Task::Refund), &[]),
        Event::Refunded { .. } => (None, &[Task::Refund]),
        Event::UndoRequested { .. } => (None, &[]),
    };
    Agenda { opens, settles }
}

fn of_delivery(event: &delivery::Event) -> Agenda {
    use delivery::Event;
    let (opens, settles): (Option<Task>, &[Task]) = match event {
        Event::Requested { .. } => (Some(Task::Courier), &[Task::Deadline]),
        Event::Cancelled {
            delivery_id: Some(_),
            ..
        } => (Some(Task::CallOff), &[Task::Courier]),
        Event::Cancelled {
            delivery_id: None, ..
        } => (None, &[Task::Deadline]),
        Event::Delivered { .. } | Event::Failed { .. } => (None, &[Task::Courier]),
        Event::Assigned { .. }
        | Event::EtaUpdated { .. }
        | Event::Dispatched { .. }
        | Event::CancellationRefused {} => (None, &[]),
    };
    Agenda { opens, settles }
}

#[cfg(test)]
mod tests;
