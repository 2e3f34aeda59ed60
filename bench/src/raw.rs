//! The other sides: what one would write by hand on the same servers, with the same drivers and
//! the same durability, and nothing that the rows do not ask for.

pub mod append;
pub mod batches;
pub mod cells;
pub mod outbox;
pub mod postgres_es;
pub mod produce;
pub mod sql;
pub mod stock;
