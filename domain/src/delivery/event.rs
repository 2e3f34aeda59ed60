use serde::{Deserialize, Serialize};

use crate::fact::event_names;
use crate::values::{DeliveryId, DriverName, Reason, Timestamp};

/// What happened to a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Event {
    /// Intent: the courier is asked to bring the goods.
    #[serde(rename = "delivery.requested")]
    Requested {
        /// The delivery.
        delivery_id: DeliveryId,
    },
    /// Someone will bring them.
    #[serde(rename = "delivery.assigned")]
    Assigned {
        /// The delivery.
        delivery_id: DeliveryId,
        /// Who. The one thing in any fact that is about a person stands in an object of its own.
        #[serde(rename = "driver", with = "driver")]
        driver_name: DriverName,
        /// When.
        estimated_delivery_time: Timestamp,
    },
    /// They will arrive at another time.
    #[serde(rename = "delivery.eta-updated")]
    EtaUpdated {
        /// When.
        estimated_delivery_time: Timestamp,
    },
    /// They have left the house: too late to cancel.
    #[serde(rename = "delivery.dispatched")]
    Dispatched {
        /// The delivery.
        delivery_id: DeliveryId,
    },
    /// They have arrived.
    #[serde(rename = "delivery.delivered")]
    Delivered {
        /// The delivery.
        delivery_id: DeliveryId,
    },
    /// They will not arrive.
    #[serde(rename = "delivery.failed")]
    Failed {
        /// The delivery.
        delivery_id: DeliveryId,
        /// Why, in the courier's words.
        reason: Reason,
    },
    /// It was called off in time.
    #[serde(rename = "delivery.cancelled")]
    Cancelled {
        /// The delivery; none for the tombstone of a delivery that was never requested.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delivery_id: Option<DeliveryId>,
        /// Why.
        reason: Reason,
    },
    /// It could not be called off any more.
    #[serde(rename = "delivery.cancellation-refused")]
    CancellationRefused {},
}

/// The driver, `{"name": ..}`.
mod driver {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::values::DriverName;

    #[derive(Serialize, Deserialize)]
    struct Driver<N> {
        name: N,
    }

    pub fn serialize<S: Serializer>(name: &DriverName, to: S) -> Result<S::Ok, S::Error> {
        Driver { name }.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DriverName, D::Error> {
        Ok(Driver::deserialize(from)?.name)
    }
}

event_names!(Event {
    Requested => "delivery.requested",
    Assigned => "delivery.assigned",
    EtaUpdated => "delivery.eta-updated",
    Dispatched => "delivery.dispatched",
    Delivered => "delivery.delivered",
    Failed => "delivery.failed",
    Cancelled => "delivery.cancelled",
    CancellationRefused => "delivery.cancellation-refused",
});

impl Event {
    /// True for the fact that stands where there was nothing to call off.
    pub fn is_tombstone(&self) -> bool {
        matches!(
            self,
            Self::Cancelled {
                delivery_id: None,
                ..
            }
        )
    }
}
