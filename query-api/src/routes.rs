//! One file for each thing that can be read.

pub mod get_order;
