//! An event-sourced order pipeline: one program, from one process to many.
//!
//! - [`app`]: builds the pipeline from its configuration and runs it. `main` and the tests start
//!   this same one.
//! - [`roles`]: what a process does; [`adapters`]: what it does it with.
//! - [`tools`]: what an operator asks of a pipeline; [`control`] is the way to one that runs.
//! - [`cli`]: the command line, a file for each role and tool.

pub mod adapters;
pub mod app;
pub mod cli;
pub mod control;
pub mod roles;
pub mod tools;
