//! The courier.

mod none;
mod simulated;

use async_trait::async_trait;
use domain::delivery::Progress;
use domain::values::{DeliveryId, OrderId, Timestamp};

pub use none::NoCourier;
pub use simulated::{SimulatedCourier, Steps};

/// A delivery that the courier is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// The order.
    pub order: OrderId,
    /// The delivery: the key under which the courier knows it, however often it is asked.
    pub delivery_id: DeliveryId,
    /// When it was requested.
    pub requested_at: Timestamp,
}

/// How far the courier is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Update {
    /// Every step that it has taken so far, in order.
    pub steps: Vec<Progress>,
    /// When to ask again; `None` where it has nothing more to say.
    pub ask_again: Option<Timestamp>,
}

/// The courier cannot be reached; asking again later may help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the courier is unavailable: {0}")]
pub struct CourierError(pub String);

/// Who brings the goods.
#[async_trait]
pub trait Courier: Send + Sync + 'static {
    /// Asks for a delivery, or how far one is, as of `now`. May be asked again: the courier
    /// brings the goods once.
    ///
    /// # Errors
    /// [`CourierError`]
    async fn ask(&self, job: &Job, now: Timestamp) -> Result<Update, CourierError>;

    /// Calls a delivery off. May be told again, and before it was ever asked for the delivery: a
    /// request that comes later is then as good as called off.
    ///
    /// # Errors
    /// [`CourierError`]
    async fn call_off(&self, job: &Job) -> Result<(), CourierError>;
}
