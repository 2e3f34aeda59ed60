//! No courier: people drive deliveries through the HTTP endpoints.

use async_trait::async_trait;
use domain::values::Timestamp;

use super::{Courier, CourierError, Job, Update};

/// Says nothing, ever.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCourier;

#[async_trait]
impl Courier for NoCourier {
    async fn ask(&self, _: &Job, _: Timestamp) -> Result<Update, CourierError> {
        Ok(Update::default())
    }

    async fn call_off(&self, _: &Job) -> Result<(), CourierError> {
        Ok(())
    }
}
