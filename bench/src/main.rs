//! What waybill does, beside what the servers under it can do at all and what one would write
//! instead. Every figure is a ratio of two sides that were measured in one run, turn by turn, on
//! one machine and against the same servers.
//!
//! - [`table`]: every line, with its floor and its goal.
//! - [`rows`]: a file each: ours, and how its other side is called.
//! - [`raw`]: the other sides, written as well as we can.
//! - [`rounds`], [`load`], [`latency`], [`cpu`]: how it is measured; [`report`]: how it is told.
//! - [`place`], [`pipeline`], [`child`]: what is measured; [`warm`]: what is done before.

mod args;
mod bare;
mod child;
mod cpu;
mod facts;
mod http;
mod kafka;
mod latency;
mod load;
mod machine;
mod pipeline;
mod place;
mod raw;
mod report;
mod rounds;
mod rows;
mod table;
mod warm;
mod watched;

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    // Roles are processes of their own; they are made of this executable, which has all of waybill.
    match child::role() {
        Some(child::Role::Waybill) => waybill::cli::run(),
        Some(child::Role::Bare) => bare::run(),
        None => args::run(),
    }
}
