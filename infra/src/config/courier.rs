//! Who brings the goods.

use super::settings::Settings;
use super::{DAY_MS, within};
use crate::courier::Steps;

/// Who brings the goods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Courier {
    /// A courier that plays one.
    Simulated(Steps),
    /// People, through the HTTP endpoints.
    None,
}

impl Courier {
    pub(super) fn read(settings: &Settings) -> Result<Self, (&'static str, String)> {
        let step = |key, value| within(key, value, 0..=DAY_MS);
        match settings.courier.as_str() {
            "simulated" => Ok(Self::Simulated(Steps {
                assign_ms: step("courier_assign_ms", settings.courier_assign_ms)?,
                dispatch_ms: step("courier_dispatch_ms", settings.courier_dispatch_ms)?,
                deliver_ms: step("courier_deliver_ms", settings.courier_deliver_ms)?,
            })),
            "none" => Ok(Self::None),
            other => {
                let known = format!("'{other}' is not one of: simulated, none");
                Err(("courier", known))
            }
        }
    }
}
