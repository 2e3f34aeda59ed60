//! The stock: how much of each SKU there is, and which order holds how much of it.
//!
//! Two kinds of stream: a `reservation` for every order and a `stock` for every SKU. A step of a
//! reservation writes both, in one transaction; [`hold`] decides it over both together.

pub mod hold;
pub mod reservation;
pub mod stock;

#[cfg(test)]
mod tests;
