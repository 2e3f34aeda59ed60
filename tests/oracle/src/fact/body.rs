//! What facts say, after `schemas/events`. Every version of a fact is read; what a schema requires
//! must be there, and what it does not know is passed over.

use serde::{Deserialize, Serialize};

/// A line of an order, with its price.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// What.
    pub sku: String,
    /// How many.
    pub quantity: i64,
    /// For how much each.
    pub unit_price: i64,
}

/// A line of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Line {
    /// What.
    pub sku: String,
    /// How many.
    pub quantity: i64,
}

/// What an order did to a SKU.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Which order.
    pub order_id: String,
    /// How many.
    pub quantity: i64,
    /// Units in the house afterwards.
    pub on_hand: i64,
    /// Units that orders hold afterwards.
    pub held: i64,
}

/// A payment and how much of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Amounts {
    /// The one payment of the order.
    pub payment_id: String,
    /// How much.
    pub amount: i64,
    /// Why, where there is a reason.
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[doc(hidden)]
pub struct Driver {
    name: String,
}

/// What a fact says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "the schemas say what each of them means")]
pub enum Body {
    #[serde(rename = "order.created")]
    Created {
        customer_id: String,
        currency: String,
        items: Vec<Item>,
        total_amount: i64,
        deadline_ms: i64,
    },
    #[serde(rename = "order.cancellation-requested")]
    CancellationRequested { reason: String },
    #[serde(rename = "order.cancellation-refused")]
    OrderCancellationRefused {},
    #[serde(rename = "order.cancelled")]
    OrderCancelled { reason: String },
    #[serde(rename = "order.completed")]
    Completed {},

    #[serde(rename = "inventory.reserved")]
    Reserved { lines: Vec<Line> },
    #[serde(rename = "inventory.rejected")]
    Rejected { reason: String },
    #[serde(rename = "inventory.released")]
    Released { lines: Vec<Line>, reason: String },
    #[serde(rename = "inventory.shipped")]
    Shipped { lines: Vec<Line> },
    #[serde(rename = "inventory.returned")]
    Returned { lines: Vec<Line>, reason: String },

    #[serde(rename = "stock.received")]
    StockReceived {
        quantity: i64,
        on_hand: i64,
        held: i64,
    },
    #[serde(rename = "stock.held")]
    StockHeld(Change),
    #[serde(rename = "stock.freed")]
    StockFreed(Change),
    #[serde(rename = "stock.shipped")]
    StockShipped(Change),
    #[serde(rename = "stock.returned")]
    StockReturned(Change),

    #[serde(rename = "payment.requested")]
    PaymentRequested(Amounts),
    #[serde(rename = "payment.authorized")]
    Authorized(Amounts),
    #[serde(rename = "payment.failed")]
    PaymentFailed {
        payment_id: String,
        reason: String,
        undo_reason: Option<String>,
    },
    #[serde(rename = "payment.capture-requested")]
    CaptureRequested(Amounts),
    #[serde(rename = "payment.captured")]
    Captured(Amounts),
    #[serde(rename = "payment.capture-failed")]
    CaptureFailed(Amounts),
    #[serde(rename = "payment.void-requested")]
    VoidRequested(Amounts),
    #[serde(rename = "payment.voided")]
    Voided {
        amount: i64,
        reason: String,
        settled_by_hand: Option<String>,
    },
    #[serde(rename = "payment.refund-requested")]
    RefundRequested(Amounts),
    #[serde(rename = "payment.refunded")]
    Refunded {
        amount: i64,
        reason: String,
        settled_by_hand: Option<String>,
    },
    #[serde(rename = "payment.undo-requested")]
    UndoRequested { reason: String },

    #[serde(rename = "delivery.requested")]
    DeliveryRequested { delivery_id: String },
    #[serde(rename = "delivery.assigned")]
    Assigned {
        delivery_id: String,
        /// Of version 1.
        driver_name: Option<String>,
        /// Since version 2.
        driver: Option<Driver>,
        estimated_delivery_time: String,
    },
    #[serde(rename = "delivery.eta-updated")]
    EtaUpdated { estimated_delivery_time: String },
    #[serde(rename = "delivery.dispatched")]
    Dispatched { delivery_id: String },
    #[serde(rename = "delivery.delivered")]
    Delivered { delivery_id: String },
    #[serde(rename = "delivery.failed")]
    DeliveryFailed { delivery_id: String, reason: String },
    #[serde(rename = "delivery.cancelled")]
    DeliveryCancelled {
        delivery_id: Option<String>,
        reason: String,
    },
    #[serde(rename = "delivery.cancellation-refused")]
    DeliveryCancellationRefused {},
}

impl Body {
    /// Reads the payload of a fact that is called `name`.
    pub(super) fn read(name: &str, payload: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Named {
            r#type: String,
        }
        let named: Named = serde_json::from_str(payload).map_err(|e| e.to_string())?;
        if named.r#type != name {
            return Err(format!(
                "it is called {name} and names itself {}",
                named.r#type
            ));
        }
        serde_json::from_str(payload).map_err(|e| e.to_string())
    }

    /// The undo of something that never was.
    pub fn is_tombstone(&self) -> bool {
        matches!(
            self,
            Self::DeliveryCancelled {
                delivery_id: None,
                ..
            }
        ) || matches!(self, Self::Voided { amount: 0, .. })
            || matches!(self, Self::Released { lines, .. } if lines.is_empty())
    }

    /// What an order did to a SKU.
    pub fn change(&self) -> Option<&Change> {
        match self {
            Self::StockHeld(change)
            | Self::StockFreed(change)
            | Self::StockShipped(change)
            | Self::StockReturned(change) => Some(change),
            _ => None,
        }
    }

    /// Who brings the goods.
    pub fn driver_name(&self) -> Option<&str> {
        match self {
            Self::Assigned {
                driver,
                driver_name,
                ..
            } => {
                let driver = driver.as_ref().map(|driver| &driver.name);
                driver.or(driver_name.as_ref()).map(String::as_str)
            }
            _ => None,
        }
    }

    /// An operator did it by hand, and the provider knows nothing of it.
    pub fn by_hand(&self) -> bool {
        let (Self::Voided {
            settled_by_hand, ..
        }
        | Self::Refunded {
            settled_by_hand, ..
        }) = self
        else {
            return false;
        };
        settled_by_hand.is_some()
    }
}
