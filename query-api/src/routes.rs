//! One file for each thing that can be read.

pub mod get_order;
pub mod get_timeline;
pub mod list_orders;
