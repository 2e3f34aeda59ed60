use std::fmt;

/// The last step of each stream of an order, as a view has it; empty where there is none yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Steps<'a> {
    /// Of the order stream.
    pub order: &'a str,
    /// Of the reservation.
    pub inventory: &'a str,
    /// Of the payment.
    pub payment: &'a str,
    /// Of the delivery.
    pub delivery: &'a str,
}

/// Where an order stands as a whole, derived when it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Placed.
    Created,
    /// Its stock is held.
    InventoryReserved,
    /// Its money is held.
    PaymentAuthorized,
    /// Someone will bring it.
    DeliveryAssigned,
    /// It is on its way.
    Dispatched,
    /// It has arrived.
    Delivered,
    /// It is being undone, or may be.
    Cancelling,
    /// Over, with everything undone.
    Cancelled,
    /// Over, and delivered.
    Completed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::InventoryReserved,
        Self::PaymentAuthorized,
        Self::DeliveryAssigned,
        Self::Dispatched,
        Self::Delivered,
        Self::Cancelling,
        Self::Cancelled,
        Self::Completed,
    ];

    /// The name, in capitals.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::InventoryReserved => "INVENTORY_RESERVED",
            Self::PaymentAuthorized => "PAYMENT_AUTHORIZED",
            Self::DeliveryAssigned => "DELIVERY_ASSIGNED",
            Self::Dispatched => "DISPATCHED",
            Self::Delivered => "DELIVERED",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
            Self::Completed => "COMPLETED",
        }
    }

    /// True where nothing more will happen.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Cancelled | Self::Completed)
    }

    /// The status with that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// The first that matches: the ends, then the way back, then the way there from its end.
    pub fn derive(steps: Steps<'_>) -> Self {
        let Steps {
            order,
            inventory,
            payment,
            delivery,
        } = steps;
        match order {
            "CANCELLED" => return Self::Cancelled,
            "COMPLETED" => return Self::Completed,
            "CANCELLATION_REQUESTED" => return Self::Cancelling,
            _ => {}
        }
        match (delivery, payment, inventory) {
            ("CANCELLED" | "FAILED", _, _) | (_, _, "REJECTED" | "RELEASED" | "RETURNED") => {
                Self::Cancelling
            }
            (_, "FAILED" | "UNDO_REQUESTED", _)
            | (_, "VOID_REQUESTED" | "VOIDED", _)
            | (_, "REFUND_REQUESTED" | "REFUNDED", _) => Self::Cancelling,
            ("DELIVERED", _, _) => Self::Delivered,
            ("DISPATCHED", _, _) => Self::Dispatched,
            ("ASSIGNED", _, _) => Self::DeliveryAssigned,
            (_, "AUTHORIZED" | "CAPTURE_REQUESTED" | "CAPTURED" | "CAPTURE_FAILED", _) => {
                Self::PaymentAuthorized
            }
            (_, _, "RESERVED" | "SHIPPED") => Self::InventoryReserved,
            _ => Self::Created,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
