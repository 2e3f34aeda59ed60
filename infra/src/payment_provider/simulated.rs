//! A provider that plays one, for trying things out.
//!
//! Totals whose last two digits are 01, 02, 03 or 04 always succeed, are declined, time out once
//! before they succeed, or have their capture refused. For all others the seed and the order id
//! decide, so that a run can be repeated and a call made again gets the same answer.

use std::time::Duration;

use async_trait::async_trait;
use domain::values::{OrderId, Reason};
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use super::{Answer, Call, Operation, PaymentProvider, ProviderError};

/// How the provider behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulated {
    /// How many of a hundred authorizations succeed.
    pub success_rate: u8,
    /// How long each call takes.
    pub delay: Duration,
    /// What the outcomes are drawn from.
    pub seed: u64,
}

/// A provider that plays one. It needs no memory, and a restart changes nothing.
pub struct SimulatedProvider {
    play: Simulated,
}

impl SimulatedProvider {
    /// A provider that behaves as `play` says.
    pub fn new(play: Simulated) -> Self {
        Self { play }
    }

    fn authorize(&self, call: &Call) -> Result<Answer, ProviderError> {
        match call.amount.minor_units() % 100 {
            1 | 4 => Ok(Answer::Done),
            2 => Ok(refused("card-declined")),
            3 if !call.repeated => Err(ProviderError::TimedOut),
            3 => Ok(Answer::Done),
            _ if draw(self.play.seed, call.order) < self.play.success_rate => Ok(Answer::Done),
            _ => Ok(refused("card-declined")),
        }
    }
}

#[async_trait]
impl PaymentProvider for SimulatedProvider {
    async fn call(&self, call: &Call) -> Result<Answer, ProviderError> {
        sleep(self.play.delay).await;
        match call.operation {
            Operation::Authorize => self.authorize(call),
            Operation::Capture if call.amount.minor_units() % 100 == 4 => {
                Ok(refused("capture-refused"))
            }
            Operation::Capture | Operation::Void | Operation::Refund => Ok(Answer::Done),
        }
    }
}

fn refused(code: &str) -> Answer {
    // Both codes are short texts without control characters.
    let reason = Reason::try_from(code.to_owned()).unwrap_or_else(|_| Reason::payment_declined());
    Answer::Refused { reason }
}

/// 0 to 99, by seed and order alone.
fn draw(seed: u64, order: OrderId) -> u8 {
    let digest = Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(order.0.as_bytes())
        .finalize();
    let word = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    u8::try_from(word % 100).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_success_rate_is_what_was_asked_for() {
        let successes = (0..2000u128)
            .map(|n| draw(7, OrderId(uuid::Uuid::from_u128(n))))
            .filter(|drawn| *drawn < 80)
            .count();
        assert!((1520..1680).contains(&successes), "{successes} of 2000");
    }
}
