//! A real process, killed again and again under load, and its data looked at afterwards.

pub mod audit;
mod kills;
mod load;
#[cfg(feature = "crash-points")]
pub mod points;
pub mod process;
mod provider;
mod scale;
