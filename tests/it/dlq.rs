//! Parked facts: taken up again, replaced, given up; and the tools that ask for it.

mod bench;
mod broken;
mod cli;
mod letters;
mod many;
mod order;
mod redrive;
pub mod stray;
mod tools;
