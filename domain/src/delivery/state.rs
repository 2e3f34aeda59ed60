use crate::values::{DeliveryId, DriverName, Reason, Timestamp};

use super::Event;

/// Who brings the goods, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Who.
    pub driver_name: DriverName,
    /// When, as first promised.
    pub estimated_delivery_time: Timestamp,
}

/// How far a delivery is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// Never requested.
    #[default]
    None,
    /// The courier was asked.
    Requested {
        /// The delivery.
        delivery_id: DeliveryId,
    },
    /// Someone will bring the goods.
    Assigned {
        /// The delivery.
        delivery_id: DeliveryId,
        /// Who.
        assignment: Assignment,
        /// When, as last promised.
        eta: Timestamp,
    },
    /// The goods are on their way.
    Dispatched {
        /// The delivery.
        delivery_id: DeliveryId,
        /// Who.
        assignment: Assignment,
        /// When, as last promised.
        eta: Timestamp,
        /// A cancellation has been refused.
        refused: bool,
    },
    /// The goods have arrived.
    Delivered {
        /// The delivery.
        delivery_id: DeliveryId,
        /// Who brought them.
        assignment: Assignment,
    },
    /// The goods will not arrive.
    Failed {
        /// The delivery.
        delivery_id: DeliveryId,
        /// Why.
        reason: Reason,
    },
    /// Called off, or never to begin.
    Cancelled,
}

impl State {
    /// A word for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Requested { .. } => "requested",
            Self::Assigned { .. } => "assigned",
            Self::Dispatched { .. } => "dispatched",
            Self::Delivered { .. } => "delivered",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The delivery, where one was requested and not called off.
    pub fn delivery_id(&self) -> Option<DeliveryId> {
        match self {
            Self::Requested { delivery_id }
            | Self::Assigned { delivery_id, .. }
            | Self::Dispatched { delivery_id, .. }
            | Self::Delivered { delivery_id, .. }
            | Self::Failed { delivery_id, .. } => Some(*delivery_id),
            Self::None | Self::Cancelled => None,
        }
    }

    /// Who brings or brought the goods, as first assigned.
    pub fn assignment(&self) -> Option<&Assignment> {
        match self {
            Self::Assigned { assignment, .. }
            | Self::Dispatched { assignment, .. }
            | Self::Delivered { assignment, .. } => Some(assignment),
            Self::None | Self::Requested { .. } | Self::Failed { .. } | Self::Cancelled => None,
        }
    }

    pub(super) fn evolve(self, event: &Event) -> Self {
        match (event, self) {
            (Event::Requested { delivery_id }, _) => Self::Requested {
                delivery_id: *delivery_id,
            },
            (
                Event::Assigned {
                    delivery_id,
                    driver_name,
                    estimated_delivery_time,
                },
                _,
            ) => Self::Assigned {
                delivery_id: *delivery_id,
                assignment: Assignment {
                    driver_name: driver_name.clone(),
                    estimated_delivery_time: *estimated_delivery_time,
                },
                eta: *estimated_delivery_time,
            },
            (
                Event::EtaUpdated {
                    estimated_delivery_time,
                },
                mut state,
            ) => {
                if let Self::Assigned { eta, .. } | Self::Dispatched { eta, .. } = &mut state {
                    *eta = *estimated_delivery_time;
                }
                state
            }
            (
                Event::Dispatched { .. },
                Self::Assigned {
                    delivery_id,
                    assignment,
                    eta,
                },
            ) => Self::Dispatched {
                delivery_id,
                assignment,
                eta,
                refused: false,
            },
            (
                Event::Delivered { .. },
                Self::Dispatched {
                    delivery_id,
                    assignment,
                    ..
                },
            ) => Self::Delivered {
                delivery_id,
                assignment,
            },
            (
                Event::Failed {
                    delivery_id,
                    reason,
                },
                _,
            ) => Self::Failed {
                delivery_id: *delivery_id,
                reason: reason.clone(),
            },
            (Event::Cancelled { .. }, _) => Self::Cancelled,
            (Event::CancellationRefused {}, mut state) => {
                if let Self::Dispatched { refused, .. } = &mut state {
                    *refused = true;
                }
                state
            }
            // Not a road that our rules lead along: a fold keeps what it has rather than panic.
            (Event::Dispatched { .. } | Event::Delivered { .. }, state) => state,
        }
    }
}
